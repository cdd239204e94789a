"""How long does a video take from end to end: rhythm, music, sound?

    benchmarks/whole_way.py                   a minute of 720p
    benchmarks/whole_way.py --flow fast       with options of video2bgm.sh

Runs `src/video2bgm.sh` on videos/sample.mp4, enlarged and repeated, and prints the seconds that it
says each stage took, those of the whole, start-up included, and the CPU seconds of all, which a
busy machine hardly lengthens. The last line is the whole in units of the video's length.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from cmt.files import REPOSITORY
from cmt.script import between, parser
from video import make_clip


def main() -> None:
    """Print the table and the ratio."""
    options = parser(__doc__)
    options.add_argument(
        "--seconds", type=between(0, 3600, inclusive="right"), default=60, help="of the video"
    )
    options.add_argument(
        "--height", type=between(1, kind=int), default=720, help="of the video, in pixels"
    )
    args, passed_on = options.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        make_clip(clip, args.height, args.seconds)
        script = str(REPOSITORY / "src" / "video2bgm.sh")
        command = [script, str(clip), "--out_dir", f"{folder}/out", "--seed", "0", *passed_on]
        before, began = os.times(), time.perf_counter()
        result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        after, whole = os.times(), time.perf_counter() - began
    stages = re.findall(r"^(\S+ → \S+) took ([\d.]+) s$", result.stdout, re.MULTILINE)
    print(f"{args.seconds:g} s of {args.height}p, {os.cpu_count()} cores {' '.join(passed_on)}")
    print(f"{'':20}{'seconds':>9}{'× real time':>13}")
    for stage, seconds in (*stages, ("in all", whole)):
        print(f"{stage:20}{float(seconds):>9.1f}{float(seconds) / args.seconds:>13.2f}")
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    print(f"CPU seconds in all{cpu:>11.1f}{cpu / args.seconds:>13.2f}")
    print(f"ratio, the whole way to the video's length: {whole / args.seconds:.2f}")


if __name__ == "__main__":
    main()
