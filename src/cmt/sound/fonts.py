"""Which of several SoundFonts plays which track."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cmt.files import InputError
from cmt.sound import riff
from cmt.sound.segments import Line
from cmt.sound.soundfont import default_soundfont

KITS, STANDARD = 128, 0  # the bank of drum kits, and the one that all SoundFonts with drums have


def choose(lines: Sequence[Line], preferred: Sequence[Path] = ()) -> list[Path]:
    """The SoundFont of each track: the first that has what it asks for, at last the one with us.

    Where none has a variation of a program (a bank), or a drum kit, it is that of the plain
    program, or of the standard kit.

    Args:
        lines: the tracks.
        preferred: SoundFonts, those that go before others first.

    Raises:
        InputError: a SoundFont cannot be read.
    """
    has = {path: presets(path) for path in (*preferred, default_soundfont())}
    return [next(_that_have(line, has)) for line in lines]


def presets(path: Path) -> set[tuple[int, int]]:
    """The bank and the program of each that a SoundFont has.

    Raises:
        InputError: it cannot be read.
    """
    with reading(path):
        return riff.presets(riff.read(path))


def _that_have(line: Line, has: dict[Path, set[tuple[int, int]]]) -> Iterator[Path]:
    """SoundFonts for a track, from the best on."""
    plain = (KITS, STANDARD) if line.drums else (0, line.program)
    wanted = (KITS if line.drums else line.bank, line.program)
    for preset in (wanted, plain):
        yield from (path for path, presets in has.items() if preset in presets)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say in a line why a SoundFont cannot be read.

    Raises:
        InputError: in place of what the system, `riff` and the synthesizer raise.
    """
    remedy = "give --soundfont a .sf2 file"
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    except riff.CompressedError as error:
        converted = path.with_suffix(".sf2").name
        raise InputError(
            f"{path}: is a SoundFont 3 ({error}), which is not read; make a SoundFont 2 of it, with"
            f" Polyphone or by: sf3convert -x {path.name} {converted}"
        ) from error
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path}: not a SoundFont 2 ({error}); {remedy}") from error
