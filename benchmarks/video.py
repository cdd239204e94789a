"""How long does a video's analysis take, in how much memory, next to its optical flow alone?

    benchmarks/video.py                                20 s of 1080p, growth over 10, 20 and 40 s
    benchmarks/video.py --seconds 60 --rounds 3
    benchmarks/video.py --growth 30 60 120 240 --growth_flow exact
    benchmarks/video.py --video clip.mp4 --growth      a video of your own, no growth

The floors: one Farneback flow for each frame pair, on all cores, of frames that are decoded
already; and decoding and scaling alone. Beside them the whole command, start-up included, which
computes two flows for each pair by default. CPU seconds are those of all threads: a busy machine
lengthens the wall's seconds, and hardly these. Each row is a process of its own, so that its peak
memory is its own; the rows are run in turn, so that a busy machine slows all alike, and the median
counts. The last line has the ratios, by the wall and, in brackets, by CPU.

The video is videos/sample.mp4, enlarged, with film grain, so that decoding it costs what a
camera's video costs, and repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

from cmt.files import REPOSITORY, VIDEOS
from cmt.script import between, parser

SCRIPT = REPOSITORY / "src" / "video2npz" / "video2npz.py"
CYCLE = 10  # seconds of the sample that are encoded, then repeated
GRAIN = 12  # FFmpeg's strength of noise
BITS = 5  # a second and pixel: 10 Mb/s at 1080p
PAIRS = 120  # of the floor
FLOWS = ("exact", "single", "fast")


def make_clip(path: Path, height: int, seconds: float) -> None:
    """Write the sample video at another height, with grain, repeated to a length in seconds."""
    import av

    cycle = path.with_name(f"cycle_{height}.mp4")
    with av.open(VIDEOS / "sample.mp4") as source, av.open(cycle, "w") as output:
        pictures = source.streams.video[0]
        rate = pictures.average_rate or 30
        stream = output.add_stream("libx264", rate, {"preset": "veryfast"})
        stream.width, stream.height = pictures.width * height // pictures.height, height
        stream.bit_rate = BITS * stream.width * stream.height
        graph = av.filter.Graph()
        graph.link_nodes(
            graph.add_buffer(template=pictures),
            graph.add("scale", f"{stream.width}:{stream.height}"),
            graph.add("noise", f"alls={GRAIN}:allf=t"),
            graph.add("buffersink"),
        ).configure()
        for frame in islice(source.decode(pictures), round(CYCLE * rate)):
            graph.vpush(frame)
            output.mux(stream.encode(graph.vpull()))
        output.mux(stream.encode())

    start = 0
    with av.open(path, "w") as output:
        while start < seconds:
            with av.open(cycle) as source:
                stream = source.streams.video[0]
                if not output.streams:
                    copied = output.add_stream_from_template(stream)
                unit = stream.time_base or Fraction(1)
                shift = round(start / unit)
                for packet in source.demux(stream):
                    # The last packet has no time: it only ends the stream.
                    if packet.pts is None or packet.dts is None:
                        continue
                    packet.pts += shift
                    packet.dts += shift
                    packet.stream = copied
                    if packet.pts * unit < seconds:
                        output.mux(packet)
            start += CYCLE
    cycle.unlink()


def flow_floor(video: str) -> dict[str, float]:
    """Seconds of one flow for each pair, on all cores at once, for the whole video."""
    import cv2
    import joblib

    from cmt.video.flow import SPEED_SIGMA, farneback
    from cmt.video.frames import VideoFrames

    frames = VideoFrames(video)
    count = (frames.expected or 0) - 1
    pairs = list(pairwise(islice(frames, PAIRS + 1)))
    cv2.setNumThreads(1)
    with ThreadPoolExecutor(joblib.cpu_count()) as pool:
        started, cpu = time.perf_counter(), time.process_time()
        for _ in pool.map(lambda pair: farneback(pair[0], pair[1], SPEED_SIGMA), pairs):
            pass
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {"seconds": seconds / len(pairs) * count, "cpu": cpu / len(pairs) * count}


def decode_floor(video: str) -> dict[str, float]:
    """Seconds of decoding, scaling and graying the whole video."""
    from cmt.video.frames import VideoFrames

    started, cpu = time.perf_counter(), time.process_time()
    for _ in VideoFrames(video):
        pass
    return {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}


@dataclass(frozen=True)
class Cost:
    """Seconds by the wall and of CPU, peak memory in MB."""

    seconds: float
    cpu: float
    memory: float

    def times(self, factor: float) -> Cost:
        """As many times the seconds, in the same memory."""
        return Cost(factor * self.seconds, factor * self.cpu, self.memory)

    def __truediv__(self, other: Cost) -> str:
        return f"{self.seconds / other.seconds:.2f} ({self.cpu / other.cpu:.2f})"


def run(*command: str | Path) -> tuple[Cost, str]:
    """Run a Python script as a process; its cost and what it printed."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), output


def make(path: Path, height: int, seconds: float) -> None:
    """`make_clip` in a process of its own: the rows' processes inherit this one's peak memory."""
    run(
        Path(__file__).resolve(), "--make", path, "--height", str(height), "--seconds", str(seconds)
    )


def measure(row: str, video: Path) -> Cost:
    """The cost of a row of the table."""
    if row in FLOWS:
        return run(SCRIPT, video, "--out_dir", video.parent, "--rhythm", "original", "--flow", row)[
            0
        ]
    cost, output = run(Path(__file__).resolve(), "--floor", row, video)
    return Cost(**json.loads(output), memory=cost.memory)


def median(costs: Iterable[Cost]) -> Cost:
    """The median seconds, the most memory."""
    costs = list(costs)
    return Cost(
        statistics.median(cost.seconds for cost in costs),
        statistics.median(cost.cpu for cost in costs),
        max(cost.memory for cost in costs),
    )


def main() -> None:
    """Print the tables and the ratios."""
    options = parser(__doc__)
    add = options.add_argument
    add("--video", type=Path, help="instead of one made from the sample")
    add(
        "--seconds",
        type=between(0, 3600, inclusive="right"),
        default=20,
        help="length of the made video (%(default)g)",
    )
    add("--height", type=between(1, kind=int), default=1080, help="of the made video (%(default)s)")
    add("--rounds", type=between(1, kind=int), default=2)
    add(
        "--growth",
        type=between(0, 3600, inclusive="right"),
        nargs="*",
        default=[10, 20, 40],
        help="lengths in seconds",
    )
    add("--growth_flow", choices=FLOWS, default="fast", help="(%(default)s)")
    add("--floor", nargs=2, help=argparse.SUPPRESS)
    add("--make", help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.floor:
        name, path = args.floor
        print(json.dumps(flow_floor(path) if name == "one flow" else decode_floor(path)))
        return

    if args.make:
        make_clip(Path(args.make), args.height, args.seconds)
        return

    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.mp4"
        video = args.video or made
        if not args.video:
            make(made, args.height, args.seconds)
        rows = ("one flow", "decode and scale", *FLOWS)
        costs: dict[str, list[Cost]] = {row: [] for row in rows}
        for _ in range(args.rounds):
            for row in rows:
                costs[row].append(measure(row, video))
        print(f"{video.name}, {os.cpu_count()} cores")
        print(f"{'':20}{'seconds':>9}{'CPU s':>9}{'peak MB':>9}")
        one, decode, exact, single, fast = medians = [median(costs[row]) for row in rows]
        for row, cost in zip(rows, medians, strict=True):
            name = f"--flow {row}" if row in FLOWS else row
            print(f"{name:20}{cost.seconds:>9.2f}{cost.cpu:>9.2f}{cost.memory:>9.0f}")
        ratios += [
            f"exact to two flows {exact / one.times(2)}, to one {exact / one}",
            f"single to one flow {single / one}",
            f"exact to fast {exact / fast}",
            f"fast to decode and scale {fast / decode}",
        ]

        growth = []
        for length in args.growth:
            make(made, args.height, length)
            growth.append(measure(args.growth_flow, made).times(1 / length))
        if growth:
            print(f"\n{'--flow ' + args.growth_flow:20}{'s per s':>9}{'CPU s/s':>9}{'peak MB':>9}")
            for length, cost in zip(args.growth, growth, strict=True):
                print(f"{length:>18g} s{cost.seconds:>9.3f}{cost.cpu:>9.3f}{cost.memory:>9.0f}")
            ratios.append(
                f"growth {growth[-1] / growth[0]}, MB {growth[-1].memory / growth[0].memory:.2f}"
            )
    print("ratios:", "; ".join(ratios))


if __name__ == "__main__":
    main()
