"""When the pictures of a video are shown, whatever the clock of its file is like.

A file's stamps begin anywhere, may be set back or leap where recordings were joined or a counter
broke, may be missing (raw streams), or be those of decoding alone (AVI). Here they become ticks
from the first picture shown on.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

# No video holds a picture for longer: what is longer is a clock that leaps. Transport streams send
# pictures all the time; FFmpeg's own programs take a gap of 10 s there as a leap.
LONGEST_HOLD, LONGEST_HOLD_SENT = 3600.0, 10.0  # seconds
SET_BACK = 2.0  # seconds, beyond what pictures are reordered by
FAR = 2**60  # ticks: no stamp


@dataclass
class Stamps:
    """Time stamps of packets as a file gives them, in its order.

    Attributes:
        base: seconds of a tick.
        pts: of presentation.
        dts: of decoding.
        durations: in ticks; 0 where unknown.
        hidden: what is decoded, but not shown (of an edit list).
        of_decoding: all stamps are.
        delay: pictures that a decoder keeps back, to put them in order.
    """

    base: Fraction
    pts: list[int | None] = field(default_factory=list)
    dts: list[int | None] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)
    hidden: list[bool] = field(default_factory=list)
    of_decoding: bool = False
    delay: int = 0

    def add(
        self, pts: int | None, dts: int | None, duration: int | None, hidden: bool = False
    ) -> None:
        """Take the next packet's."""
        self.pts.append(None if pts is None or abs(pts) > FAR else pts)
        self.dts.append(None if dts is None or abs(dts) > FAR else dts)
        self.durations.append(duration if duration and 0 < duration < FAR else 0)
        self.hidden.append(hidden)

    @property
    def missing(self) -> bool:
        """Whether nothing tells when anything is shown."""
        return all(stamp is None for stamp in (*self.pts, *self.dts))

    def ordered(self, ranks: Sequence[int | None], rate: Fraction) -> Stamps:
        """Stamps of presentation from the order in which decoding gives the pictures.

        Args:
            ranks: of each packet's picture; None if it gives none.
            rate: pictures a second, for a file that has no stamps at all.
        """
        if self.missing:
            pts = list(ranks)
            steps = [1] * len(pts)
            none: list[int | None] = [None] * len(pts)
            return replace(
                self, base=1 / rate, pts=pts, dts=none, durations=steps, of_decoding=True
            )
        pairs = zip(self.dts, ranks, strict=True)
        known = sorted(dts for dts, rank in pairs if dts is not None and rank is not None)
        slots: list[int | None] = [*known]
        slots += [None] * len(ranks)
        return replace(self, pts=[None if rank is None else slots[rank] for rank in ranks])


@dataclass(frozen=True)
class Clock:
    """When the pictures of a video's packets are shown.

    Attributes:
        base: seconds of a tick.
        ticks: (n,) int64, from the first picture shown, of packets in the file's order.
        hidden: (n,) what is decoded but not shown.
        lost: (n,) what can neither be decoded nor be shown, or has no time.
        step: ticks from picture to picture, as a rule.
        last: ticks at which the last picture is shown.
        end: ticks at which it is over.
        pieces: (m, 3) int64: ranges of the file's stamps, first to last, that follow each other,
            and what is to be subtracted from them.
        closed: seconds of leaps that were closed.
        sought: whether the file's own clock is this one, but for where it begins.
    """

    base: Fraction
    ticks: np.ndarray
    hidden: np.ndarray
    lost: np.ndarray
    step: float
    last: int
    end: int
    pieces: np.ndarray
    closed: float
    sought: bool

    @classmethod
    def of(cls, stamps: Stamps, sent: bool = False, end: float = 0.0) -> Clock:
        """From a file's stamps.

        Args:
            stamps: of one packet or more.
            sent: whether the file is of a kind that is sent, whose clock may leap.
            end: seconds of the file's clock at which the pictures end, if they are reordered so
                that their own durations do not tell; 0 if not known.
        """
        raw, lost = _filled(stamps)
        hidden = np.array(stamps.hidden)
        shown = np.flatnonzero(~hidden & ~lost)
        if not len(shown):
            hidden, shown = np.zeros(len(raw), bool), np.arange(len(raw))
        base = float(stamps.base)
        steps = np.diff(np.unique(raw[shown]))
        durations = np.array(stamps.durations)
        usual = float(np.median(steps)) if len(steps) else float(durations[shown[0]])
        near = steps[(steps > usual / 2) & (steps < usual * 3 / 2)]  # stamps may be rounded
        exact = max(1.0, float(near.mean()) if len(near) else usual)
        step = round(exact)
        longest = round((LONGEST_HOLD_SENT if sent else LONGEST_HOLD) / base)
        rules = _Rules(sent, longest, round(SET_BACK / base), stamps.delay)
        pieces, piece, closed = _pieces(raw, stamps.dts, shown, step, rules)
        ticks = raw - pieces[piece, 2]
        last = int(shown[ticks[shown].argmax()])
        # Of reordered pictures a file has the durations of decoding.
        lasts = int(durations[last]) if last == shown[-1] else 0
        if not lasts:
            lasts = round(end / base) - int(pieces[-1, 2]) - int(ticks[last])
        over = int(ticks[last]) + (lasts if 0 < lasts <= longest else step)
        return cls(
            stamps.base,
            ticks,
            hidden,
            lost,
            exact,
            int(ticks[last]),
            over,
            pieces,
            closed * base,
            len(pieces) == 1 and not stamps.of_decoding,
        )

    @classmethod
    def unordered(cls, count: int) -> Clock:
        """One by which packets are numbered, to be told again when they are decoded."""
        none = np.zeros(count, bool)
        return cls(
            Fraction(1), np.arange(count), none, none, 1, count, count, np.zeros((1, 3)), 0, False
        )

    def beginning(self, first: int) -> Clock:
        """The same, its first tick being `first` of this one; what is shown before is lost."""
        ticks = self.ticks - first
        pieces = self.pieces + np.array([0, 0, first])
        lost = self.lost | (~self.hidden & (ticks < 0))
        last, end = self.last - first, self.end - first
        return replace(self, ticks=ticks, pieces=pieces, lost=lost, last=last, end=end)

    @property
    def duration(self) -> float:
        """Seconds from the first picture shown to the end of the last."""
        return float(self.end * self.base)

    @property
    def rate(self) -> float:
        """Pictures a second, as a rule."""
        return 1 / (self.step * float(self.base))

    @property
    def shown(self) -> np.ndarray:
        """Ticks of the pictures shown, ascending."""
        return np.unique(self.ticks[~self.hidden & ~self.lost])

    def placing(self) -> Callable[[float], float]:
        """A function from another stream's stamps to seconds from the first picture.

        It takes them in the file's order, in seconds of the file's clock: where that leaps, so does
        the other stream.
        """
        first, last, shift = self.pieces.T * float(self.base)
        piece, previous = 0, -np.inf

        def placed(time: float) -> float:
            nonlocal piece, previous
            piece = min(piece + (time < previous - SET_BACK), len(shift) - 1)
            if not first[piece] <= time <= last[piece]:
                away = np.maximum(np.maximum(first - time, time - last), 0)[piece:]
                piece += int(away.argmin())
            previous = time
            return float(time - shift[piece])

        return placed


@dataclass(frozen=True)
class _Rules:
    """Ticks from which on a clock has leapt, forward and back.

    Whether its file was sent, and how far pictures are reordered, as `Stamps.delay`.
    """

    sent: bool
    longest: int
    back: int
    delay: int


def _filled(stamps: Stamps) -> tuple[np.ndarray, np.ndarray]:
    """Stamps of presentation (n,), and which of them nothing in the file tells."""
    raw, lost = np.empty(len(stamps.pts), np.int64), np.zeros(len(stamps.pts), bool)
    following = 0
    for i, (pts, dts) in enumerate(zip(stamps.pts, stamps.dts, strict=True)):
        stamp = dts if pts is None else pts
        lost[i] = stamp is None
        raw[i] = following if stamp is None else stamp
        following = int(raw[i]) + stamps.durations[i]
    return raw, lost


def _pieces(
    raw: np.ndarray, dts: Sequence[int | None], shown: np.ndarray, step: int, rules: _Rules
) -> tuple[np.ndarray, np.ndarray, int]:
    """Ranges of stamps without a leap, as `Clock.pieces`; which one each is in; ticks closed."""
    starts, leaps = _runs(raw, dts, shown, rules)
    is_shown = np.zeros(len(raw), bool)
    is_shown[shown] = True
    pieces: list[tuple[int, int, int]] = []
    piece = np.zeros(len(raw), int)
    shift = closed = 0
    for start, stop, leap in zip(starts, [*starts[1:], len(raw)], [0, *leaps], strict=True):
        if start:
            shift += leap - step
            closed += abs(leap - step)
        run = raw[start:stop]
        stamps = np.unique(run[is_shown[start:stop]])
        gaps = np.flatnonzero(np.diff(stamps) > rules.longest)
        firsts = np.append(stamps[:1], stamps[gaps + 1])
        lasts = np.append(stamps[gaps], stamps[-1:])
        within = np.maximum(np.searchsorted(firsts, run, "right") - 1, 0)
        piece[start:stop] = len(pieces) + within
        for number, (first, last) in enumerate(zip(firsts.tolist(), lasts.tolist(), strict=True)):
            if number:
                gap = first - pieces[-1][1] - step
                shift, closed = shift + gap, closed + gap
            pieces.append((first, last, shift))
    return np.array(pieces), piece, closed


def _runs(
    raw: np.ndarray, dts: Sequence[int | None], shown: np.ndarray, rules: _Rules
) -> tuple[list[int], list[int]]:
    """Where runs of packets begin, between which decoding leaps or is set back; by how much."""
    starts, leaps = [0], []
    # As many of the last to be shown as a decoder keeps back, and one more: none comes before that.
    latest = [int(raw[shown[0]])]
    for before, i in zip(shown.tolist(), shown[1:].tolist(), strict=False):
        a, b, stamp = dts[before], dts[i], int(raw[i])
        if a is None or b is None:
            leap = stamp - max(latest)
            leapt = len(latest) > rules.delay and stamp - latest[0] < -rules.back
        else:  # pictures may be reordered, decoding never is
            leap = b - a
            leapt = leap < (0 if rules.sent else -rules.back)
            leapt = leapt or (rules.sent and leap > rules.longest)
        if leapt:
            starts.append(i)
            leaps.append(leap)
            latest = []
        heapq.heappush(latest, stamp)
        if len(latest) > rules.delay + 1:
            heapq.heappop(latest)
    return starts, leaps
