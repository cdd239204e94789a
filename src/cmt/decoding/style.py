"""What is asked of a whole piece, besides its rhythm."""

from __future__ import annotations

from dataclasses import dataclass

from cmt.decoding import GUIDANCE
from cmt.music.chords import ChordLoop
from cmt.music.keys import Key
from cmt.music.vocabulary import INSTRUMENT_CLASS
from cmt.sections import SectionWish


@dataclass(frozen=True)
class Style:
    """Who plays what kind of piece.

    Attributes:
        genre: a name of GENRES; None is any.
        guidance: how far the genre leads, as `cmt.decoding.guidance` says; 1 is the model itself.
        instruments: names of those that play, each at least once where the rhythm has room;
            None lets the model choose among all.
        beat_instruments: names of those that may play the simu-note on a visual beat; None is
            all that play.
        key: whose scale, and chords, the pitched instruments keep to; None draws one, or finds
            that of the chords, and weighs what is outside it.
        mode: of the key that is drawn, a name of `cmt.music.keys.MODES`; None draws that, too.
        chords: of the sections A, B …, bar by bar; they repeat. None of them: progressions are
            drawn.
        progressions: moods of those, of `cmt.music.progressions.moods`; none is any.
        sections: what is wished for single ones, by bar.
        ending: whether the last bar resolves, as `cmt.decoding.ending` says.
    """

    genre: str | None = None
    guidance: float = GUIDANCE
    instruments: tuple[str, ...] | None = None
    beat_instruments: tuple[str, ...] | None = None
    key: Key | None = None
    mode: str | None = None
    chords: tuple[ChordLoop, ...] = ()
    progressions: tuple[str, ...] = ()
    sections: tuple[SectionWish, ...] = ()
    ending: bool = True

    @property
    def playing(self) -> tuple[str, ...]:
        """Names of the instruments that may play."""
        return self.instruments or tuple(INSTRUMENT_CLASS)

    @property
    def on_beats(self) -> frozenset[int]:
        """Classes of the instruments that may play a visual beat's simu-note."""
        names = self.beat_instruments or self.playing
        return frozenset(INSTRUMENT_CLASS[name] for name in names)
