"""Is a genre heard? How far its sound is from others', and how far takes are from each other.

    benchmarks/genres.py take_1.mid take_2.mid …        country, electronic and rock
    benchmarks/genres.py *.mid --genres pop metal

Each take is played by the band of each genre. Told are the median distances of two genres of one
take and of two takes of one genre, and their ratio: of levels in octaves, dB root mean square, and
of spectral centroids, octaves.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cmt.music.midi import load_score
from cmt.music.vocabulary import GENRES
from cmt.sound import timbres
from cmt.sound.loudness import SAMPLE_RATE
from cmt.sound.segments import PAN, REVERB, VOLUME
from cmt.sound.synthesis import synthesise

CENTRES = 62.5 * 2.0 ** np.arange(9)  # Hz, of the octaves
SECONDS = 20.0  # of each take


def main() -> None:
    """Print the distances."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("takes", nargs="+", type=Path, metavar="MIDI")
    parser.add_argument(
        "--genres", nargs="+", choices=GENRES, default=["country", "electronic", "rock"]
    )
    args = parser.parse_args()
    heard = {(take, genre): spectrum(take, genre) for take in args.takes for genre in args.genres}
    pairs = {
        "two genres of one take": [
            (heard[take, one], heard[take, two])
            for take in args.takes
            for one, two in itertools.combinations(args.genres, 2)
        ],
        "two takes of one genre": [
            (heard[one, genre], heard[two, genre])
            for genre in args.genres
            for one, two in itertools.combinations(args.takes, 2)
        ],
    }
    found = {
        name: np.median([distances(*pair) for pair in of], axis=0) for name, of in pairs.items()
    }
    for name, (levels, centroid) in found.items():
        print(f"{name}: {levels:.2f} dB, {centroid:.2f} octaves")
    genres, takes = found.values()
    print("ratio:", *(f"{ratio:.2f}" for ratio in genres / takes))


def spectrum(take: Path, genre: str) -> tuple[NDArray[np.float64], float]:
    """Levels of the octaves, dB of all power, and the centroid, Hz, of a take by a genre's band."""
    score = load_score(take)
    programs = timbres.programs(timbres.band(genre))
    for track in score.tracks:
        track.program = programs[track.name]
        track.controls.filter(lambda c: c.number not in (VOLUME, PAN, REVERB), inplace=True)
    sound = synthesise(score, duration=SECONDS).mix[:, :]
    power = (np.abs(np.fft.rfft(sound, axis=1)) ** 2).sum(axis=0)
    frequencies = np.fft.rfftfreq(sound.shape[1], 1 / SAMPLE_RATE)
    octave = np.rint(np.log2(np.maximum(frequencies, 1) / CENTRES[0])).astype(int)
    levels = [power[octave == number].sum() / power.sum() for number in range(len(CENTRES))]
    return 10 * np.log10(levels), float(np.average(frequencies, weights=power))


def distances(
    one: tuple[NDArray[np.float64], float], two: tuple[NDArray[np.float64], float]
) -> tuple[float, float]:
    """Of levels, dB root mean square, and of centroids, octaves."""
    return float(np.sqrt(np.mean((one[0] - two[0]) ** 2))), abs(float(np.log2(one[1] / two[1])))


if __name__ == "__main__":
    main()
