"""Impacts: where things and the camera lose their motion, turn back at once, or are struck.

An impact, as in Davis & Agrawala, "Visual Rhythm and Beat" (2018), is motion lost in its own
direction, but with the camera's motion apart from things' motion, in heights per second, not
smoothed over time, and located between pictures: at the centroid of the loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d, median_filter

from cmt.video.shots import Event, Shots

FLOOR = 0.011  # heights a second, mean over the picture: an impact loses at least this much
SHARE = 0.21  # of all motion around it
LARGE = 0.53  # of its own motion around it: of less loss, it must come to rest
TURNED = 0.4  # of a bounce's loss, what comes back counted once more: that much comes back
USUAL = 1.4  # times the loss that is usual within half a second
SUDDEN_IMPACT, SUDDEN_SMALL, SUDDEN_STOP = 1.45, 1.6, 0.75  # see `_Peak`
SUDDEN_BOUNCE = 1.3  # less than 1.5: that of one in the middle between two pictures
# Of a loss below so many heights a second, so much must have been there a little earlier, or it was
# a blip of the flow.
BLIP, EARLIER = 0.05, 0.3
# Motion between two pictures alone, with none before and after, is a key frame's, if it is small.
SPIKE, SPIKE_FLOOR = 1.85, 0.1  # heights a second
PAN = 0.25  # heights a second: a camera that stops from less was not panning
STRUCK = 0.4  # heights a second more from pair to pair: a camera that is struck
JOLT = 0.4  # of a jolt's first motion: what there is before it, and a little later, is less
REST = 0.25  # of the motion around: at rest
SOON = 0.12  # seconds: a camera that stops rests so long, things come to rest within them
GAP = 0.15  # seconds between events
TOP_GAP = 0.25  # seconds from a bounce to where its thing is slow in the air
# Things that pass behind each other lose a little motion, now and then. So a loss of less than so
# much of the motion is an impact in the company of clear ones alone, so many seconds away.
WEAK, COMPANY = 0.4, 4.0


def find_jolts(shots: Shots) -> list[Event]:
    """Where something shakes the camera: at the first picture that shows it, as a flash."""
    pace = shots.pace
    soon = max(2, round(SOON * shots.rate))
    found = []
    for k in np.flatnonzero(np.diff(pace, prepend=pace[:1]) > STRUCK):
        before, after = pace[max(0, k - soon) : k], pace[k + 1 : k + 1 + 3 * soon]
        if (
            len(before) < soon
            or len(after) < 3 * soon
            or np.isnan(shots.camera[k - soon : k]).any()
        ):
            continue
        struck = before.max() < JOLT * pace[k] and after[0] > REST * pace[k]  # or the flow errs
        if struck and after[0] < pace[k] and after[2 * soon :].max() < JOLT * pace[k]:
            found.append(
                Event(float(shots.at[k + 1]), "impact", float(min(1.0, pace[k] / (2 * STRUCK))))
            )
    return found


def find_stops(shots: Shots) -> list[Event]:
    """Where the camera stops; a shake is no stop."""
    velocity = shots.camera
    later = (velocity[3:-1] + velocity[4:]) / 2
    losses = _slowed(velocity[:-1], velocity[1:]), _slowed(_before(velocity), later)
    found = []
    for peak in _peaks(shots, *losses, shots.pace):
        rests = peak.after.max(initial=0) < REST * peak.around
        if peak.sudden > SUDDEN_STOP and rests:
            found.append(Event(peak.time, "stop", peak.share))
    return found


def find_impacts(shots: Shots) -> list[Event]:
    """Where things turn back at once, or lose their motion."""
    motion = shots.motion @ _lobes(shots.motion.shape[1])
    # The flow loses a fast thing now and then for a pair: what comes back was not lost.
    later = np.append(np.fmax(motion[1:-1], motion[2:]), motion[-1:], axis=0)
    at_once, stays = (motion[:-1], later), (_before(motion), later[2:-1])
    losses = _lost(*at_once), _lost(*stays)
    turned = _turned(*at_once), _turned(*stays)
    bounces = []
    for peak in _peaks(shots, losses[0] + turned[0], losses[1] + turned[1], shots.things):
        back = turned[1][peak.pair - 2] > TURNED * peak.lost
        if back and peak.sudden > SUDDEN_BOUNCE and peak.lost > peak.around:
            bounces.append(Event(peak.time, "impact", peak.share))
    # What was lost of the motion that was there a little earlier.
    early = np.pad(_lost(_before(motion)[:-2], later[4:-1]), (4, 2), constant_values=np.nan)
    found = []
    for peak in _peaks(shots, *losses, shots.things):
        rests = peak.after.min(initial=np.inf) < REST * peak.around
        clear = peak.share > LARGE or (rests and peak.sudden > SUDDEN_SMALL)
        lasted = peak.lost > BLIP or not early[peak.pair] < EARLIER * peak.lost
        if peak.sudden > SUDDEN_IMPACT and clear and lasted:
            found.append(Event(peak.time, "impact", peak.share))
    return _in_company(bounces + apart(found, bounces, TOP_GAP))


def _in_company(events: list[Event]) -> list[Event]:
    """Clear events, and the weak ones near them."""
    clear = np.array([event.time for event in events if event.weight >= WEAK])
    return [
        event
        for event in events
        if event.weight >= WEAK or (np.abs(clear - event.time) < COMPANY).any()
    ]


def _slowed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(p, 2) velocities of the camera → (p,) what it loses in its own direction, if it panned."""
    pace = np.linalg.norm(before, axis=1)
    slower = pace - (before * after).sum(axis=1) / np.maximum(pace, 1e-6)
    return np.where(pace > PAN, np.maximum(slower, 0), 0)


def _lost(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(p, directions) motion → (p,) what is lost of it."""
    return np.maximum(before - after, 0).sum(axis=1)


def _turned(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(p, directions) motion → (p,) what of it turns back."""
    lost = np.maximum(before - after, 0)
    back = np.roll(np.maximum(after - before, 0), before.shape[1] // 2, axis=1)
    return np.minimum(lost, back).sum(axis=1)


def _before(velocity: np.ndarray) -> np.ndarray:
    """Of each pair but two at both ends, the mean of the two pairs before it."""
    return (velocity[:-4] + velocity[1:-3]) / 2


def _lobes(directions: int) -> np.ndarray:
    """(directions, directions) What a motion has in each direction, of sum 1.

    Half a cosine wide, so that motion that bends is not lost, motion that turns back is.
    """
    turn = np.subtract.outer(np.arange(directions), np.arange(directions))
    lobes = np.maximum(np.cos(2 * np.pi * turn / directions), 0)
    return lobes / lobes.sum(axis=1)


@dataclass(frozen=True)
class _Peak:
    """A peak of lost motion: its pair, when (seconds), how much is lost, and how it looks.

    `sudden` is the share of the loss that is between two pictures, plus that between three: 1.4
    where motion fades within a tenth of a second, 2 and more where it ends. `share` is the lost
    part (to 1) of the most motion `around`; `after` is the motion soon after.
    """

    pair: int
    time: float
    lost: float
    sudden: float
    share: float
    around: float
    after: np.ndarray


def _peaks(
    shots: Shots, at_once: np.ndarray, stays: np.ndarray, speed: np.ndarray
) -> Iterator[_Peak]:
    """Peaks of the motion lost from before a pair to after it.

    Args:
        shots: p pairs of pictures.
        at_once: (p − 1,) lost from each pair to the next.
        stays: (p − 4,) lost from the two before each pair to the two after it: the pair itself
            may hold the impact and is neither.
        speed: (p,) of what loses the motion.
    """
    at_once = np.append(np.nan_to_num(at_once), 0)
    stays = np.pad(np.nan_to_num(stays), 2)
    around = shots.most(speed)
    usual = median_filter(stays, 2 * round(0.5 * shots.rate) + 1)
    share = SHARE * shots.most(shots.things + shots.pace)
    least = np.maximum.reduce([np.full(len(speed), FLOOR), share, USUAL * usual])
    reach = round(GAP * shots.rate)
    highest = np.flatnonzero((stays == maximum_filter1d(stays, 2 * reach + 1)) & (stays > least))
    soon = max(1, round(SOON * shots.rate))
    for k in highest[np.diff(highest, prepend=-reach - 1) > reach]:  # of equals the first
        near = at_once[max(0, k - 3) : k + 3]
        one, two = near.max() / stays[k], (near[1:] + near[:-1]).max() / stays[k]
        if one > SPIKE and stays[k] < SPIKE_FLOOR:
            continue
        pairs = np.arange(max(0, k - 3), min(len(speed), k + 2))
        weight = at_once[pairs] ** 2 + 1e-12
        # An impact a fraction a into pair k takes 1 − a of the motion before it, a after it.
        time = shots.time((pairs * weight).sum() / weight.sum() + 1)
        lost = float(min(1.0, stays[k] / max(around[k], 1e-6)))
        yield _Peak(
            int(k), time, float(stays[k]), one + two, lost, around[k], speed[k + 2 : k + 2 + soon]
        )


def apart(
    events: list[Event], others: list[Event], gap: float, after: float | None = None
) -> list[Event]:
    """Events that are more than a gap (seconds) from all others, or `after` these, if given."""
    times = np.array([event.time for event in others])

    def near(event: Event) -> bool:
        late = event.time - times
        return bool(((late >= -gap) & (late <= (after or gap))).any())

    return [event for event in events if not near(event)]
