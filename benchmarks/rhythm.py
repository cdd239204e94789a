"""How true is the rhythm of a video? Events, tempo and speed of clips whose events are known.

    benchmarks/rhythm.py CLIPS                     CLIPS/*.mp4 and CLIPS/truth.json

truth.json: name → {"scene", "tempo" (BPM or null), "group", "events" [{"time" (s), "kind",
"weight"}]}; events of a weight below 0.5 may be found or not. Per scene: F1 within 40 ms and median
lateness of what the default rhythm finds, of the published one's visual beats (--published, slow),
and of the cuts that PySceneDetect's ContentDetector finds, where that package is installed. Then
the share of clips whose tempo is right within 1 %, events found where there are none, and the
largest ratio of the mean speeds of one content in several encodings.
"""

from __future__ import annotations

import importlib.util
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from cmt.measures.synchrony import NEAR, REACH, matched
from cmt.rhythm import VideoRhythm
from cmt.script import parser
from cmt.video.analysis import analyse, analyse_as_published

REQUIRED = 0.5  # weight

Finder = Callable[[Path], list[float]]


def main() -> None:
    """Print the tables."""
    options = parser(__doc__)
    options.add_argument("clips", type=Path, nargs="?", help="without it nothing is measured")
    options.add_argument("--published", action="store_true", help="also the published analysis")
    args = options.parse_args()
    if args.clips is None:
        print("no clips whose events are known: give their folder")
        return
    truth: dict[str, dict[str, Any]] = json.loads((args.clips / "truth.json").read_text())
    rhythms: dict[str, VideoRhythm] = {}

    def ours(path: Path) -> list[float]:
        rhythms[path.stem] = analyse(path).rhythm
        return [beat.start_time for beat in rhythms[path.stem].vbeats]

    finders: dict[str, Finder] = {"ours": ours}
    if importlib.util.find_spec("scenedetect"):
        finders["ContentDetector"] = content_detector
    if args.published:
        finders["published"] = lambda path: [
            beat.start_time for beat in analyse_as_published(path).rhythm.vbeats
        ]
    for name, find in finders.items():
        found = {
            clip: np.array(find(args.clips / f"{clip}.mp4"))
            for clip in tqdm(truth, name, disable=None)
        }
        print_scenes(name, truth, found)
    print_tempo_and_speed(truth, rhythms)


def content_detector(path: Path) -> list[float]:
    """Seconds of the cuts that PySceneDetect finds."""
    import scenedetect

    scenes = scenedetect.detect(str(path), scenedetect.ContentDetector())
    return [start.get_seconds() for start, _ in scenes[1:]]


def print_scenes(name: str, truth: dict[str, dict[str, Any]], found: dict[str, np.ndarray]) -> None:
    """F1 and lateness of what was found, by scene, and what was found where there is nothing."""
    scores: dict[str, list[float]] = defaultdict(list)
    lateness: dict[str, list[float]] = defaultdict(list)
    ghosts: dict[str, int] = defaultdict(int)
    for clip, true in truth.items():
        times = np.array([event["time"] for event in true["events"]])
        needed = np.array([event["weight"] >= REQUIRED for event in true["events"]], bool)
        if not needed.any():
            ghosts[true["scene"]] += len(found[clip])
            continue
        pairs = matched(found[clip], times, NEAR)
        hits = sum(bool(needed[event]) for _, event in pairs)
        spurious = len(found[clip]) - len(pairs)
        scores[true["scene"]].append(2 * hits / (hits + spurious + int(needed.sum())))
        near = matched(found[clip], times[needed], REACH)
        lateness[true["scene"]] += [found[clip][f] - times[needed][e] for f, e in near]
    print(f"\n{name:16}{'clips':>7}{'F1, 40 ms':>11}{'late, ms':>10}")
    rows = [*scores.items(), ("all", [score for row in scores.values() for score in row])]
    lateness["all"] = [late for row in lateness.values() for late in row]
    for scene, row in rows:
        late = 1000 * np.median(lateness[scene]) if lateness[scene] else np.nan
        print(f"{scene:16}{len(row):>7}{np.mean(row):>11.3f}{late:>10.1f}")
    print("found where there is nothing:", dict(ghosts))


def print_tempo_and_speed(
    truth: dict[str, dict[str, Any]], rhythms: dict[str, VideoRhythm]
) -> None:
    """Shares of right tempi, and by how much the speed of one content varies."""
    strict, octaves = [], []
    groups = defaultdict(list)
    for clip, true in truth.items():
        if true["group"]:
            groups[true["group"]].append(np.mean(rhythms[clip].flow_magnitude_per_bar))
        if true["tempo"]:
            ratio = rhythms[clip].tempo / true["tempo"]
            strict.append(abs(ratio - 1) < 0.01)
            octaves.append(min(abs(ratio * k - 1) for k in (0.5, 1, 2)) < 0.01)
    print(f"\ntempo within 1 %: {np.mean(strict):.2f}, octaves allowed {np.mean(octaves):.2f}")
    for group, speeds in groups.items():
        print(f"ratio, speeds of {group}: {max(speeds) / min(speeds):.2f}")


if __name__ == "__main__":
    main()
