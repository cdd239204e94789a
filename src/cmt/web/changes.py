"""What to ask for, so that a take is another in part; what is locked in it stays in any case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cmt.revision import runs
from cmt.web.settings import FieldError, number, read

NEAR = 0.05  # seconds by which the beginnings of a bar may differ


def again(given: Mapping[str, Any], body: Any, of: int, bars: Sequence[float]) -> dict[str, Any]:
    """What to ask for, so that a take has another passage, and is else the same.

    Args:
        given: what it was made from.
        body: `from_bar`, from 0, `to_bar`, the first that stays, and `seed`; `locked`, see
            `cmt.web.settings.Asked`; and, where others are wanted from now on, what `revise` takes.
        of: number of the take.
        bars: seconds at which its bars begin.

    Raises:
        FieldError: naming the field that is wrong; all of the passage is locked.
    """
    if not isinstance(body, dict):
        raise FieldError("from_bar", "Select the passage first.")
    first = int(number(body, "from_bar", 0, len(bars) - 1, 0))
    number(body, "to_bar", 1, len(bars), 1)
    after = int(number(body, "to_bar", first + 1, len(bars), first + 1))
    changes = [_change(body)] if "sections" in body else []
    locked = locked_bars(given, body, bars)
    free = [bar for bar in range(first, after) if bar not in locked]
    if not free:
        field = "sections" if changes else "from_bar"
        raise FieldError(field, "All of this is locked: unlock a section first.")
    passages = [
        {"from_bar": run.first, "to_bar": run.last + 1, "seed": body.get("seed")}
        for run in runs(free, 0)
    ]
    return _asked(given, body, [*changes, *passages], of, locked)


def revise(given: Mapping[str, Any], body: Any, of: int, bars: Sequence[float]) -> dict[str, Any]:
    """What to ask for, so that a take has other sections or hits, and else the same bars.

    Args:
        given: what it was made from.
        body: `sections` and `hits`, all of them, `seed`, and `locked`, as `again` has it.
        of: number of the take.
        bars: seconds at which its bars begin.

    Raises:
        FieldError: naming the field that is wrong.
    """
    if not isinstance(body, dict):
        raise FieldError("sections", "Change a section or a hit first.")
    return _asked(given, body, [_change(body)], of, locked_bars(given, body, bars))


def locked_bars(
    given: Mapping[str, Any], body: Mapping[str, Any], bars: Sequence[float]
) -> list[int]:
    """The bars, from 0, that begin in what is locked."""
    locked = read({**given, "locked": body.get("locked", given.get("locked"))}).locked
    return [
        bar
        for bar, second in enumerate(bars)
        if any(start - NEAR <= second < end - NEAR for start, end in locked)
    ]


def _change(body: Mapping[str, Any]) -> dict[str, Any]:
    named = {"sections": body.get("sections") or [], "hits": body.get("hits")}
    return {**named, "seed": body.get("seed")}


def _asked(
    given: Mapping[str, Any],
    body: Mapping[str, Any],
    changes: Sequence[dict[str, Any]],
    of: int,
    locked: Sequence[int],
) -> dict[str, Any]:
    content = {**given, "of": of}
    if "locked" in body:
        content["locked"] = body["locked"]
    kept = {"kept": locked} if locked else {}
    made = [change | kept if "sections" in change else change for change in changes]
    content["passages"] = [*(given.get("passages") or []), *made]
    read(content)
    return content
