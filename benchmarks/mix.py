"""What is a mix like: loudness, peaks, width, brightness? And how fast is it made?

    benchmarks/mix.py *.mp3 *.mp4 *.wav        figures of these files
    benchmarks/mix.py --time song.mid          how fast an hour of it is played, and in what memory
    benchmarks/mix.py --time song.mid --minutes 10

The processor time of all processes tells more than the clock where the machine has other work.

Figures: integrated loudness (LUFS) and true peak (dBTP) of ITU-R BS.1770-4; crest factor, peak to
RMS (dB); power of the difference of left and right to that of their sum, and of all above 6 kHz to
all (dB); correlation of left and right.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from cmt.music.midi import load_score
from cmt.sound.limiter import LOUDNESS
from cmt.sound.loudness import SAMPLE_RATE, levels, loudness
from cmt.sound.recording import Recording
from cmt.sound.synthesis import synthesise

BRIGHT = 6000  # Hz
HEADER = f"{'':28}{'LUFS':>7}{'dBTP':>7}{'crest':>7}{'side':>7}{'>6kHz':>7}{'corr':>7}"


def main() -> None:
    """Print the table, or the speed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--time", type=Path, metavar="MIDI")
    parser.add_argument("--minutes", type=float, default=60.0, help="of --time; default 60")
    args = parser.parse_args()
    if args.time:
        measure_speed(args.time, 60 * args.minutes)
    if args.files:
        print(HEADER)
    for path in args.files:
        figures = measured(Recording(decoded(path)))
        print(f"{path.stem[-27:]:28}" + "".join(f"{figure:7.2f}" for figure in figures))


def decoded(path: Path) -> Iterator[NDArray[np.float32]]:
    """The sound of a file, (2, n) at a time."""
    with av.open(str(path)) as source:
        resampler = av.AudioResampler("fltp", "stereo", SAMPLE_RATE)
        for frame in source.decode(audio=0):
            for part in resampler.resample(frame):
                yield part.to_ndarray().astype(np.float32, copy=False)


def measured(sound: Recording) -> tuple[float, ...]:
    """The figures of the table; all of a file's samples are in memory for some of them."""
    from scipy.signal import resample_poly

    rms, peak = levels(sound)
    samples = sound[:, :]
    between = max(np.abs(resample_poly(block, 4, 1, axis=1)).max() for block in sound)
    middle, side = samples[0] + samples[1], samples[0] - samples[1]
    power = (np.abs(np.fft.rfft(samples, axis=1)) ** 2).sum(axis=0)
    bright = np.fft.rfftfreq(samples.shape[1], 1 / SAMPLE_RATE) > BRIGHT
    return (
        loudness(sound),
        float(20 * np.log10(between)),
        peak - rms,
        float(10 * np.log10(np.vdot(side, side) / np.vdot(middle, middle))),
        float(10 * np.log10(power[bright].sum() / power.sum())),
        float(np.corrcoef(samples)[0, 1]),
    )


def measure_speed(midi: Path, seconds: float) -> None:
    """Play so many seconds made of repetitions of a piece."""
    from joblib.externals.loky import get_reusable_executor

    score = load_score(midi)
    length = score.end()
    whole = score.copy()
    timed: Any = score.to("second")
    once = max(note.end for track in timed.tracks for note in track.notes)
    for number in range(1, int(seconds / once) + 1):
        for track, part in zip(whole.tracks, score.tracks, strict=True):
            track.notes.extend(part.shift_time(number * length).notes)
    began, before = time.perf_counter(), time.process_time()
    mix = synthesise(whole, duration=seconds).mix
    took, processor = time.perf_counter() - began, time.process_time() - before
    get_reusable_executor().shutdown(wait=True)  # only then the other processes are counted
    ours, others = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    processor += others.ru_utime + others.ru_stime
    print(f"{seconds / 60:g} minutes at {loudness(mix):.1f} LUFS (asked: {LOUDNESS:g})")
    memory = [usage.ru_maxrss / 2**20 for usage in (ours, others)]
    print(f"peak memory: {memory[0]:.2f} GB, and {memory[1]:.2f} GB of the largest other process")
    print(f"ratios, the music's length to the time it takes: {seconds / took:.0f};", end=" ")
    print(f"to the processor time: {seconds / processor:.0f}")


if __name__ == "__main__":
    main()
