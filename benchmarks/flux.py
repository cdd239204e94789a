"""Are events heard in the sound? Spectral flux of rendered music at its visual beats.

    benchmarks/flux.py inference/*.mid      what gen_midi_conditional.py wrote: NAME.mid.json beside

Flux is what a spectrogram of logarithmic magnitudes gains from one hop to the next; for a time, the
most of it within 40 ms. It is taken where events are seen, at the onsets of other notes, and at
random; per piece the means, their ratios, and for how many events the highest flux within 100 ms is
within 40 ms of them, and how late it is. A piece is played with the default SoundFont.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from cmt.measures.synchrony import NEAR
from cmt.music.midi import load_score
from cmt.script import parser
from cmt.sound.film import soundtrack
from cmt.sound.synthesis import SAMPLE_RATE

HOP, WINDOW = 240, 1024  # samples: 5 and 21 ms
REACH = 0.1  # seconds
RANDOM = 2000  # places


def spectral_flux(samples: np.ndarray) -> np.ndarray:
    """Flux of sound (2, samples) at each hop."""
    mono = np.pad(samples.mean(axis=0), WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(mono, WINDOW)[::HOP]
    magnitudes = np.log1p(100 * np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=1)))
    return np.maximum(np.diff(magnitudes, axis=0, prepend=magnitudes[:1]), 0).mean(axis=1)


def around(flux: np.ndarray, second: float, reach: float) -> tuple[float, float]:
    """The highest flux within some seconds of one, and how late it is."""
    middle, beside = round(second * SAMPLE_RATE / HOP), round(reach * SAMPLE_RATE / HOP)
    start = max(0, middle - beside)
    part = flux[start : middle + beside + 1]
    if not len(part):
        return 0.0, 0.0
    best = int(part.argmax())
    return float(part[best]), (start + best) * HOP / SAMPLE_RATE - second


def main() -> None:
    """Print a line for each piece."""
    options = parser(__doc__)
    options.add_argument("pieces", type=Path, nargs="*", help="without any nothing is measured")
    pieces = options.parse_args().pieces
    if not pieces:
        print("no pieces to play: give MIDI files that gen_midi_conditional.py wrote")
        return
    print(
        f"{'':24}{'events':>7}{'others':>8}{'random':>8}{'e/o':>6}{'e/r':>6}{'in 40':>7}{'ms':>6}"
    )
    random = np.random.default_rng(0)
    for midi in pieces:
        beats = json.loads(midi.with_name(f"{midi.name}.json").read_text())["visual_beats"]
        events = np.array([beat["seen"] or beat["heard"] for beat in beats])
        played = soundtrack(midi).mixed[:, :]
        flux = spectral_flux(played)
        score: Any = load_score(midi).to("second")
        onsets = {note.time for track in score.tracks for note in track.notes}
        others = [o for o in onsets if np.abs(events - o).min(initial=np.inf) > 2 * NEAR]
        places = random.uniform(0, played.shape[1] / SAMPLE_RATE, RANDOM)
        at_events, at_others, at_random = (
            np.mean([around(flux, float(time), NEAR)[0] for time in times])
            for times in (events, others, places)
        )
        late = np.array([around(flux, float(time), REACH)[1] for time in events])
        print(
            f"{midi.stem:24}{at_events:>8.3f}{at_others:>8.3f}{at_random:>8.3f}"
            f"{at_events / at_others:>8.2f}{at_events / at_random:>8.2f}"
            f"{np.mean(np.abs(late) <= NEAR):>8.2f}{1000 * np.median(late):>8.0f}"
        )


if __name__ == "__main__":
    main()
