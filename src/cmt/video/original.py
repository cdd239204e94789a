"""Visual beats and tempo of a video from its motion.

Source: Davis & Agrawala, "Visual Rhythm and Beat" (2018), sections 4 and 5, with the settings
of the original (video2metadata.py).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import gaussian_filter, median_filter
from scipy.signal import butter, filtfilt, get_window

from cmt.music.vocabulary import DEFAULT_TEMPO
from cmt.rhythm import VideoRhythm, mean_per_bar, place_visual_beats
from cmt.video.flow import Motion

SMOOTHING = (5, 3)  # Gaussian σ of the directogram: directions, frames
REACH = 4 * SMOOTHING[1] + 2  # frames on either side that a smoothed change depends on
BLOCK = 1024  # frames worked on at once
SLOWEST = 1.25  # Hz; slower changes of deceleration are not rhythm
PEAK_HEIGHT = 0.015  # of a peak of the envelope over its surroundings
BEAT_GAP = (0.25, 3.75)  # seconds from beat to beat at an ordinary tempo
MAX_GAP = 200.0  # seconds; after a longer rest, another path begins
TEMPO_WINDOW = 8.0  # seconds
MAX_TEMPO = 320.0  # beats per minute

# Speeds below which a video counts as still (px/frame). Stills encoded with x264 at crf 18–35 and
# a key frame every 12 to 250 frames, sensor noise included, stay below 0.0062 for nine tenths of
# their frame pairs and below 0.12 for all; the recorded clips that move, cut or bounce have at
# least 0.23 and 0.53, or a cut.
STILL_SPEED, STILL_SHARE = 0.01, 0.9
STILL_PEAK = 0.2


def find_rhythm(motion: Motion, resolution: int = 1) -> VideoRhythm:
    """Tempo, visual beats and speed per bar of a video.

    A still video has the default tempo and no visual beats: those found would be the noise of
    its encoding. Beats and bars that begin at or past the video's end are left out.

    Args:
        motion: of one frame or more.
        resolution: keep visual beats on ticks divisible by this (1: all, 4: quarters).
    """
    tempo, times, weights = DEFAULT_TEMPO, np.zeros(0), np.zeros(0)
    if not is_still(motion.speed):
        envelope = impact_envelope(motion.directogram, motion.fps)
        tempo = estimate_tempo(envelope, motion.fps)
        peaks = pick_peaks(envelope)
        peak_times = peaks * (1 / motion.fps)  # its rounding decides ties between two ticks
        path = longest_path(peak_times, envelope[peaks])
        times, weights = peak_times[path], envelope[peaks[path]]
    rhythm = VideoRhythm(
        duration=motion.duration,
        tempo=tempo,
        vbeats=place_visual_beats(times, weights, tempo, resolution),
        flow_magnitude_per_bar=mean_per_bar(motion.speed, motion.fps, tempo),
    )
    return replace(
        rhythm,
        vbeats=tuple(beat for beat in rhythm.vbeats if beat.i_beat < rhythm.n_beat),
        flow_magnitude_per_bar=rhythm.flow_magnitude_per_bar[: rhythm.n_bars],
    )


def is_still(speed: np.ndarray) -> bool:
    """Whether the speeds (frame pairs,), in px/frame, are no more than noise of the encoding."""
    if len(speed) == 0:
        return True
    return bool(np.quantile(speed, STILL_SHARE) < STILL_SPEED and speed.max() < STILL_PEAK)


def saliency(motion: Motion) -> np.ndarray:
    """The impact envelope (n,) as it is drawn: none of it in a still video, nothing below 0."""
    if is_still(motion.speed):
        return np.zeros(motion.directogram.shape[1])
    return np.maximum(impact_envelope(motion.directogram, motion.fps), 0)


def impact_envelope(directogram: np.ndarray, fps: float) -> np.ndarray:
    """How suddenly motion stops at each frame, in units of its 99th percentile.

    Args:
        directogram: (directions, n), see `Motion`.
        fps: frames per second.

    Returns:
        (n,) float64; all 0 if nothing stops, or if fps is too low to show it (up to 2.5).
    """
    stopping = np.concatenate(
        [_stopping(directogram, start) for start in range(0, directogram.shape[1], BLOCK)]
    )
    if fps <= 2 * SLOWEST or not stopping.any():
        return np.zeros_like(stopping)
    b, a = butter(5, SLOWEST, "highpass", fs=fps)
    padding = min(3 * len(a), len(stopping) - 1)
    stopping = filtfilt(b, a, stopping, padlen=padding)
    size = np.abs(stopping)
    p99, p98 = np.percentile(size, [99, 98])
    # Every outlier becomes positive, as in the original.
    return np.where(size > p99, p98, stopping) / p99


def _stopping(directogram: np.ndarray, start: int) -> np.ndarray:
    """Mean deceleration over directions in a block of frames: that of the whole, in less memory."""
    first = max(0, start - REACH)
    part = directogram[:, first : start + BLOCK + REACH].astype(np.float64)
    smooth = median_filter(gaussian_filter(part, SMOOTHING), size=3, mode="constant")
    change = np.diff(smooth, axis=1, prepend=0)
    return np.maximum(-change, 0).mean(axis=0)[start - first :][:BLOCK]


def pick_peaks(envelope: np.ndarray) -> np.ndarray:
    """Frames (peaks,) at which the envelope peaks, at least three frames apart."""
    # Windows of 2 frames before to 1 after, and 5 before to 4 after, cut at the ends.
    highest = sliding_window_view(np.pad(envelope, (2, 1), constant_values=-np.inf), 4).max(axis=1)
    mean = np.nanmean(
        sliding_window_view(np.pad(envelope, (5, 4), constant_values=np.nan), 10), axis=1
    )
    candidates = (envelope != 0) & (envelope == highest) & (envelope >= mean + PEAK_HEIGHT)
    peaks: list[int] = []
    for frame in np.flatnonzero(candidates):
        if not peaks or frame > peaks[-1] + 2:
            peaks.append(frame)
    return np.array(peaks, dtype=np.intp)


def longest_path(times: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The peaks that make the longest tempo-consistent path, as indices (beats,).

    By dynamic programming: a path collects the weights of its peaks and loses 1 at each gap
    shorter or longer than beats are apart. The first peak of a path only starts it. A path
    of fewer than three beats is none.

    Args:
        times: (peaks,) seconds, ascending.
        weights: (peaks,) heights of the peaks.
    """
    score = weights.astype(np.float64)
    before = np.full(len(times), -1)
    for i in range(len(times)):
        first = np.searchsorted(times, times[i] - MAX_GAP, side="right")
        if first < i:
            gap = times[i] - times[first:i]
            link = score[first:i] - ((gap < BEAT_GAP[0]) | (gap > BEAT_GAP[1]))
            best = len(link) - 1 - np.argmax(link[::-1])  # the latest among equals
            score[i] += link[best]
            before[i] = first + best

    longest: list[int] = []
    roots = np.flatnonzero(before < 0)
    for start, end in pairwise([*roots, len(times)]):
        i = start + int(np.argmax(score[start:end]))
        path = []
        while before[i] >= 0:
            path.append(i)
            i = before[i]
        if len(path) > max(2, len(longest)):
            longest = path[::-1]
    return np.array(longest, dtype=np.intp)


def estimate_tempo(envelope: np.ndarray, fps: float) -> float:
    """Tempo in beats per minute: 60 · fps over a whole number of frames, 120 if there is none.

    The lag at which the envelope resembles itself most, on average over windows of 8 seconds
    around each frame, weighted by a log-normal prior around `DEFAULT_TEMPO`, one octave wide.
    """
    similarity = mean_tempogram(envelope, fps)
    lags = np.arange(1, len(similarity))
    tempos = 60 * fps / lags
    score = similarity[1:] * np.exp(-0.5 * np.log2(tempos / DEFAULT_TEMPO) ** 2)
    score[tempos >= MAX_TEMPO] = 0
    if score.max(initial=0) <= 0:
        return DEFAULT_TEMPO
    return float(tempos[np.argmax(score)])


def mean_tempogram(envelope: np.ndarray, fps: float) -> np.ndarray:
    """Autocorrelation of the envelope (lags,), averaged over the 8 seconds around each frame.

    Each frame's is divided by its largest value.
    """
    length = max(1, int(TEMPO_WINDOW * fps))
    windows = sliding_window_view(np.pad(envelope, length // 2, mode="linear_ramp"), length)
    taper = get_window("hann", length)
    size = next_fast_len(2 * length, real=True)
    total = np.zeros(length)
    for start in range(0, len(envelope), BLOCK):
        block = windows[start : min(start + BLOCK, len(envelope))]
        lagged = irfft(np.abs(rfft(block * taper, size)) ** 2, size)[:, :length]
        largest = np.abs(lagged).max(axis=1, keepdims=True)
        total += (lagged / np.where(largest > 0, largest, 1)).sum(axis=0)
    return total / len(envelope)
