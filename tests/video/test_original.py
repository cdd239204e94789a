"""From motion to visual beats and tempo: the original's figures, musical facts, odd videos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmt.control import control_words
from cmt.music.vocabulary import BAR, DEFAULT_TEMPO
from cmt.rhythm import VideoRhythm, mean_per_bar, place_visual_beats
from cmt.video.flow import DIRECTIONS, Motion, measure_motion
from cmt.video.frames import VideoFrames
from cmt.video.original import (
    estimate_tempo,
    find_rhythm,
    impact_envelope,
    is_still,
    longest_path,
    mean_tempogram,
    pick_peaks,
)

REFERENCE = Path(__file__).parents[1] / "reference" / "video"
CLIPS = sorted(path.stem for path in REFERENCE.glob("*.npz") if path.stem != "vlog")


@pytest.mark.parametrize("name", CLIPS)
def test_every_step_equals_the_recorded(name: str) -> None:
    recorded = np.load(REFERENCE / f"{name}.npz")
    fps = float(recorded["fps"])
    envelope = impact_envelope(recorded["directogram"], fps)
    np.testing.assert_allclose(envelope, recorded["envelope"], atol=1e-5)
    peaks = pick_peaks(envelope)
    np.testing.assert_array_equal(peaks, recorded["peaks"])
    path = longest_path(peaks / fps, envelope[peaks])
    np.testing.assert_allclose(peaks[path] / fps, recorded["path_times"], rtol=1e-12)
    np.testing.assert_allclose(envelope[peaks[path]], recorded["path_weights"], atol=1e-5)
    np.testing.assert_allclose(mean_tempogram(envelope, fps), recorded["tempogram"], atol=1e-5)
    assert estimate_tempo(envelope, fps) == pytest.approx(float(recorded["tempo"]), rel=1e-12)


@pytest.mark.parametrize("name", CLIPS)
def test_words_equal_the_recorded(name: str) -> None:
    recorded = np.load(REFERENCE / f"{name}.npz")
    fps = float(recorded["fps"])
    envelope = impact_envelope(recorded["directogram"], fps)
    tempo = estimate_tempo(envelope, fps)
    peaks = pick_peaks(envelope)
    times = peaks * (1 / fps)
    path = longest_path(times, envelope[peaks])
    rhythm = VideoRhythm(
        recorded["directogram"].shape[1] / fps,
        tempo,
        place_visual_beats(times[path], envelope[peaks[path]], tempo),
        mean_per_bar(recorded["flow"], fps, tempo),
    )
    np.testing.assert_array_equal(control_words(rhythm), recorded["input"])


def stops(fps: float, seconds: float, period: float) -> Motion:
    """Motion to the right that speeds up and stops dead once in a period of seconds."""
    n = int(fps * seconds)
    phase = (np.arange(n) / fps / period) % 1
    speed = phase.astype(np.float32)
    directogram = np.zeros((DIRECTIONS, n), np.float32)
    directogram[DIRECTIONS // 2] = 10_000 * speed
    return Motion(fps, speed[1:], directogram)


@pytest.mark.parametrize("fps", [24.0, 25.0, 30.0, 60.0])
@pytest.mark.parametrize("tempo", [90, 120, 150])
def test_stops_have_a_tempo_and_beats(fps: float, tempo: int) -> None:
    period = 60 / tempo
    rhythm = find_rhythm(stops(fps, 20, period))
    lag = 60 * fps / rhythm.tempo
    assert abs(lag - fps * period) <= 1
    times = np.array([beat.start_time for beat in rhythm.vbeats])
    late = times[(times > 1) & (times < 19)] % period  # the filter rings at the ends
    assert np.minimum(late, period - late).max() < 0.05
    assert len(late) >= 0.9 * 18 / period


def test_a_pulse_at_120_bpm_in_a_video_has_tempo_120(
    encode: Callable[..., Path], texture: np.ndarray
) -> None:
    # At 30 fps: eight frames of 3 pixels, then seven still, twice a second.
    steps = np.tile([3] * 8 + [0] * 7, 12)
    pictures = [np.roll(texture, offset, axis=1) for offset in np.cumsum(steps)]
    frames = VideoFrames(encode("pulse.mp4", pictures, rate=30))
    rhythm = find_rhythm(measure_motion(frames, frames.fps))
    assert rhythm.tempo == 120
    assert rhythm.duration == 6
    times = np.array([beat.start_time for beat in rhythm.vbeats])
    late = (times - 8 / 30 + 0.25) % 0.5 - 0.25
    assert len(times) >= 9
    assert np.abs(late).max() <= 0.1
    # Eight frames in fifteen move 3 pixels in one of two components.
    assert rhythm.flow_magnitude_per_bar == pytest.approx([0.8] * 3, rel=0.15)


@pytest.mark.parametrize("settings", [{"crf": 23, "g": 12}, {"crf": 35, "g": 25}])
def test_a_still_has_low_density_no_beats_and_the_default_tempo(
    encode: Callable[..., Path], texture: np.ndarray, settings: dict[str, int]
) -> None:
    frames = VideoFrames(encode("still.mp4", [texture] * 60, **settings))
    rhythm = find_rhythm(measure_motion(frames, frames.fps, method="single"))
    assert (rhythm.tempo, rhythm.vbeats) == (DEFAULT_TEMPO, ())
    words = control_words(rhythm)
    assert np.all(words[:, 0] == BAR)
    assert np.all(words[:, 1] <= 3)


def test_only_the_still_clip_is_still() -> None:
    still = [name for name in CLIPS if is_still(np.load(REFERENCE / f"{name}.npz")["flow"])]
    assert still == ["syn_static_25"]
    cut = np.zeros(100)
    cut[50] = 5
    assert not is_still(cut)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n", [1, 2, 3, 5, 19, 20, 60])
@pytest.mark.parametrize("fps", [0.1, 1.0, 2.5, 2.6, 12.5, 25.0])
@pytest.mark.parametrize("kind", ["nothing", "steady", "random"])
def test_any_number_of_frames_at_any_rate(n: int, fps: float, kind: str) -> None:
    directogram = np.zeros((DIRECTIONS, n), np.float32)
    speed = np.zeros(n - 1, np.float32)
    if kind == "steady":
        directogram[10:20], speed = 1000.1, speed + 1
    elif kind == "random":
        rng = np.random.default_rng(n)
        directogram = rng.exponential(1000, directogram.shape).astype(np.float32)
        speed = rng.exponential(1, n - 1).astype(np.float32)
    rhythm = find_rhythm(Motion(fps, speed, directogram))
    assert 0 < rhythm.tempo < 320
    assert rhythm.duration == n / fps
    assert all(beat.i_beat < rhythm.n_beat and beat.weight <= 1 for beat in rhythm.vbeats)
    words = control_words(rhythm)
    assert (words[:, 0] == BAR).sum() == max(1, rhythm.n_bars)
    assert np.all(words[:, 5] <= 101)
    if kind == "nothing":
        assert (rhythm.tempo, rhythm.vbeats) == (DEFAULT_TEMPO, ())


def test_resolution_keeps_beats_on_its_ticks() -> None:
    motion = stops(25, 20, 0.7)
    every, quarters = find_rhythm(motion), find_rhythm(motion, resolution=4)
    assert quarters.vbeats == tuple(beat for beat in every.vbeats if beat.tick % 4 == 0)
    assert 0 < len(quarters.vbeats) < len(every.vbeats)


def test_peaks_by_hand() -> None:
    envelope = np.zeros(30)
    envelope[[5, 7, 15, 20, 22]] = [0.5, 0.4, 0.3, 0.01, 0.2]
    # 7 is too near to 5, 20 not higher than its surroundings by enough.
    assert pick_peaks(envelope).tolist() == [5, 15, 22]


def scores_by_search(times: np.ndarray, weights: np.ndarray) -> list[float]:
    """The best score of a path to each peak, by trying all."""
    best = list(weights)
    for i in range(len(times)):
        gaps = times[i] - times[:i]
        links = [best[j] - (gaps[j] < 0.25 or gaps[j] > 3.75) for j in range(i) if gaps[j] < 200]
        if links:
            best[i] += max(links)
    return best


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 200), st.floats(0.01, 1)), max_size=40))
def test_the_path_is_ordered_and_scores_best(steps: list[tuple[int, float]]) -> None:
    times = np.cumsum([step for step, _ in steps]) / 25 if steps else np.zeros(0)
    weights = np.array([weight for _, weight in steps])
    path = longest_path(times, weights)
    assert np.all(np.diff(path) > 0)
    assert len(path) == 0 or len(path) >= 3
    if len(path):
        gaps = np.diff(times[path])
        paid = ((gaps < 0.25) | (gaps > 3.75)).sum()
        best = max(scores_by_search(times, weights))
        # The first peak, which is left out, adds its weight and perhaps a gap.
        assert abs(weights[path].sum() - paid - best) < 1 + 1e-9


def test_paths_do_not_cross_a_long_rest() -> None:
    first = np.arange(0, 3, 0.5)
    second = 1000 + np.arange(0, 5, 0.5)
    path = longest_path(np.concatenate([first, second]), np.full(16, 0.5))
    assert path.tolist() == list(range(7, 16))
    assert len(longest_path(np.arange(3) / 2, np.ones(3))) == 0
