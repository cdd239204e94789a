"""What the page's server says to people, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cmt.compose import Report

WAITING = "Getting ready."
CRASHED = (
    "Something went wrong here, and it is not your fault: the log in the terminal says what."
    " The page goes on; try again, or try another video."
)
GONE = "This page's work is no longer here: it is kept for an hour. Choose the video again, please."
# What goes on, by the kind of order.
STAGES = {
    "open": "looking",
    "analyse": "watching",
    "compose": "composing",
}
KINDS = {
    "cut": "cuts",
    "flash": "flashes",
    "impact": "impacts",
    "stop": "stops",
    "turn": "turns",
    "added": "hits of yours",
}
ONE = {**{kind: kind for kind in KINDS}, "added": "hit of yours"}
RIGHTS = (
    "The music is yours to use, for money too, as far as we can say so: we claim no rights in it."
    " The model learned from pieces whose licences allow use and change; the sounds are those of a"
    " free SoundFont. THIRD-PARTY.md says what is settled in law and what is not."
)


def listed(names: Sequence[str]) -> str:
    """Some names: "cuts, impacts and turns"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def counted(number: int, name: str) -> str:
    """A number of things: "1 bar", "2 bars"."""
    return f"{number} {name}{'' if number == 1 else 's'}"


def of_hits(heard: Sequence[dict[str, Any]], near: float) -> str:
    """How many of the moments of a video the music meets."""
    if not heard:
        return "The picture has no cuts or impacts to hit."
    met = sum(
        each["heard"] is not None and abs(each["heard"] - each["second"]) <= near + 1e-9
        for each in heard
    )
    present = {each["kind"] for each in heard}
    names = ONE if len(heard) == 1 else KINDS
    kinds = listed([name for kind, name in names.items() if kind in present])
    return f"Hits {met} of {len(heard)} {kinds} within {1000 * near:.0f} ms."


def of_change(of: str, bars: Sequence[int], starts: Sequence[float]) -> str:
    """In which bars, from 0, a take is another than that which it was made of.

    Args:
        of: number of that.
        bars: ascending.
        starts: seconds at which bars begin, and the last one ends.
    """
    if not bars:
        return f"The same notes as Take {of}."
    runs: list[list[int]] = []
    for bar in bars:
        if runs and runs[-1][-1] == bar - 1:
            runs[-1].append(bar)
        else:
            runs.append([bar])
    places = [f"{clock(starts[run[0]])} to {clock(starts[run[-1] + 1])}" for run in runs]
    return f"As Take {of}, but from {listed(places)}."


def clock(second: float) -> str:
    """A second of a video as people read it: 83.2 is "1:23"."""
    minutes, rest = divmod(int(second + 0.05), 60)
    return f"{minutes}:{rest:02d}"


def of_piece(report: Report) -> str:
    """What a take is like."""
    names = [name.lower() for name, notes in report.notes.items() if notes]
    key = f" in {report.form.key}" if report.form else ""
    return (
        f"{counted(report.bars, 'bar')}{key} at {report.tempo:.0f} beats a minute"
        f" for {listed(names) or 'nobody'}."
    )


def research(report: Report) -> list[dict[str, str]]:
    """What was measured, for researchers: each term, its value and its meaning."""
    error, rank = report.control_error, report.rank
    rows = [
        (
            "Control error, density",
            f"{error.density:.3f}",
            f"How far the onsets of {counted(report.bars_controlled, 'bar')} are from those that"
            " the motion asks for: root mean square, in sixteenths of a bar's 16. 0 is exact.",
        ),
        (
            "Control error, strength",
            f"{error.strength:.3f}",
            f"How far the notes struck at once at {counted(report.visual_beats, 'visual beat')} are"
            " from those asked for: root mean square, in the most there can be. 0 is exact.",
        ),
        (
            "Control error, time",
            f"{error.time:.3f}",
            "How far from the video's end the music ends, in the video's length. 0 is exact.",
        ),
    ]
    if rank:
        rows += [
            (
                "Synchrony",
                f"{100 * rank.synchrony:.0f} %".replace("nan %", "–"),
                "How many of the visual beats are met by one of the loudest onsets, of which there"
                " are as many, within 40 ms. Takes are ranked by it, in steps of a tenth.",
            ),
            (
                "Critic",
                f"{rank.critic:+.2f}".replace("+nan", "–"),
                "How much patterns, lines and chords are like those of music that people made, to a"
                " small classifier: log-odds, but for a constant; the more, the better. With the"
                " likelihood it ranks takes that are equally synchronous.",
            ),
            (
                "Matching score",
                f"{rank.matching_score:.2f}".replace("inf", "∞"),
                "Equation 16 of the paper: how well density and strength fit the video; the more,"
                " the better, ∞ where nothing differs.",
            ),
            (
                "Log-likelihood",
                f"{rank.log_likelihood:.3f}",
                "How likely the model holds its own notes, nats a word and attribute; nearer to 0"
                " is more usual music.",
            ),
        ]
    rows.append(("Seed", str(report.settings.seed), "The number that makes this take again."))
    return [{"term": term, "value": value, "meaning": meaning} for term, value, meaning in rows]
