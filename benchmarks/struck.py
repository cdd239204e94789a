"""Is what is seen struck, as the MIDI files have it?

    benchmarks/struck.py FOLDER                    NAME.mid and NAME.mid.json in it

Of the visual beats that NAME.mid.json lists, at the second where it says that they are heard, the
shares on which a drum begins; kick, snare or crash; and a note as loud, by velocity, as the loudest
fifth of the piece's onsets (an onset is as loud as its loudest note).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from symusic import Score

from cmt.script import parser

AT_ONCE = 0.012  # s: two ticks of the quickest clock are apart further
STROKES = (35, 36, 38, 40, 49, 52, 55, 57)


def struck(midi: Path) -> list[tuple[bool, bool, bool]]:
    """Of each visual beat: whether a drum is on it, a stroke, one of the loudest onsets."""
    heard = [beat["heard"] for beat in json.loads(Path(f"{midi}.json").read_text())["visual_beats"]]
    score: Any = Score(midi)  # whose stubs know no units of time
    notes = np.array(
        [
            (note.time, note.pitch, note.velocity, track.is_drum)
            for track in score.to("second").tracks
            for note in track.notes
        ]
    ).reshape(-1, 4)
    _, onset = np.unique(notes[:, 0].round(2), return_inverse=True)
    loudest = np.zeros(onset.max(initial=-1) + 1)
    np.maximum.at(loudest, onset, notes[:, 2])
    enough = np.quantile(loudest, 0.8) if len(loudest) else np.inf
    result = []
    for second in heard:
        here = notes[np.abs(notes[:, 0] - second) < AT_ONCE]
        drums = here[here[:, 3] > 0]
        strokes = np.isin(drums[:, 1], STROKES)
        result.append((len(drums) > 0, bool(strokes.any()), here[:, 2].max(initial=0) >= enough))
    return result


def main() -> None:
    """Print the shares."""
    options = parser(__doc__)
    options.add_argument("folder", type=Path)
    folder = options.parse_args().folder
    beats = [beat for midi in sorted(folder.glob("*.mid")) for beat in struck(midi)]
    drum, stroke, loud = np.mean(beats, axis=0) if beats else (np.nan,) * 3
    print(
        f"{len(beats)} visual beats: drum {drum:.2f}, kick, snare or crash {stroke:.2f}, among the"
        f" loudest fifth of onsets {loud:.2f}"
    )


if __name__ == "__main__":
    main()
