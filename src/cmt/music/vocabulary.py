"""The vocabulary of compound words: one table of fields, instruments and genres.

A compound word is one row of ten integers (`COLUMNS`). The published model reads nine of them in
the order of `FIELDS`; vocabulary sizes, embedding widths, heads and parameter names all derive
from that table. Source: paper section 4.1; original: midi2numpy_mix.py, model.py.

Our own vocabulary adds how loud each note is, as an eleventh column and a tenth field.
"""

from __future__ import annotations

from dataclasses import dataclass

BEATS_PER_BAR = 4
TICKS_PER_BEAT = 4
TICKS_PER_BAR = BEATS_PER_BAR * TICKS_PER_BEAT
MAX_DURATION = TICKS_PER_BAR  # ticks; longer notes are capped
DEFAULT_TEMPO = 120.0  # BPM of music that tells none, as MIDI has it
MIN_TEMPO, MAX_TEMPO = 20, 400  # BPM that may be asked for
MAX_WORDS = 10_000  # words in a song, EOS included
MIN_NOTES = 21  # that a track of a data set has, as in the original
PITCHES = 128  # of MIDI

# Types of a word
EOS, METRICAL, NOTE = 0, 1, 2
# Value of the beat column in a bar word; a beat word has its position in the bar + 1.
BAR = TICKS_PER_BAR + 1

# Of our own vocabulary; the published one ends before VELOCITY.
_COLUMNS = (
    "type",
    "beat",
    "density",
    "pitch",
    "duration",
    "instr_type",
    "strength",
    "i_beat",
    "n_beat",
    "p_beat",
    "velocity",
)
COLUMNS = _COLUMNS[:-1]


@dataclass(frozen=True)
class Field:
    """One attribute of a compound word as the model reads it.

    Attributes:
        name: column of the data set (`Vocabulary.columns`).
        parameter: the attribute's name in the original's parameter names.
        size: vocabulary size; the values are 0 … size − 1.
        width: embedding width in the full-size model; 0 for the absolute tick, which is
            encoded by sinusoids.
        predicted: whether the model has a head for it.
        offset: what is added to the data set's value to make the model's.
    """

    name: str
    parameter: str
    size: int
    width: int
    predicted: bool = True
    offset: int = 0

    @property
    def column(self) -> int:
        """Index of the field in a row of the data set."""
        return _COLUMNS.index(self.name)


# In the model's column order. The paper's simu-note density and strength are called
# beat_density and onset_density in the original's parameters.
FIELDS = (
    Field("beat", "barbeat", size=BAR + 1, width=64),
    Field("type", "type", size=3, width=32),
    Field("density", "beat_density", size=TICKS_PER_BAR + 2, width=64),
    Field("pitch", "pitch", size=PITCHES + 1, width=512),
    Field("duration", "duration", size=MAX_DURATION + 2, width=128),
    Field("instr_type", "instr", size=6, width=32),
    Field("strength", "onset_density", size=20, width=64),
    Field("p_beat", "time_encoding", size=102, width=256, predicted=False, offset=1),
    Field("i_beat", "pos", size=5025, width=0, predicted=False),
)
LOUDNESSES = 8  # classes of velocities, from the softest; 0 says nothing of a note's
VELOCITY = Field("velocity", "velocity", size=LOUDNESSES + 1, width=32)
# In which the attributes of a word are drawn, where the order is ours: who plays comes before what
# is played.
DRAWN = ("type", "beat", "instr_type", "pitch", "duration", "strength", "density", "velocity")


@dataclass(frozen=True)
class Vocabulary:
    """What a word tells.

    Attributes:
        name: as command lines have it.
        fields: what a model reads, in the order of its columns.
    """

    name: str
    fields: tuple[Field, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of a data set."""
        return _COLUMNS if VELOCITY in self.fields else COLUMNS

    @property
    def embedded(self) -> tuple[Field, ...]:
        """Fields whose classes have vectors."""
        return tuple(field for field in self.fields if field.width)

    @property
    def predicted(self) -> tuple[Field, ...]:
        """Fields that the model has heads for."""
        return tuple(field for field in self.fields if field.predicted)

    @property
    def drawn(self) -> tuple[str, ...]:
        """Their names, in our order of drawing."""
        names = {field.name for field in self.predicted}
        return tuple(name for name in DRAWN if name in names)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Classes of each embedded field."""
        return tuple(field.size for field in self.embedded)

    @property
    def widths(self) -> tuple[int, ...]:
        """Width of the vectors of each embedded field, in the full-size model."""
        return tuple(field.width for field in self.embedded)


PUBLISHED = Vocabulary("published", FIELDS)
OWN = Vocabulary("own", (*FIELDS, VELOCITY))
VOCABULARIES = {vocabulary.name: vocabulary for vocabulary in (PUBLISHED, OWN)}


def told_by(columns: int) -> Vocabulary:
    """The vocabulary of words with so many columns; the published one where none has them."""
    return OWN if columns == len(OWN.columns) else PUBLISHED


FIELD = {field.name: field for field in OWN.fields}
MODEL_COLUMN = {field.name: column for column, field in enumerate(OWN.fields)}


@dataclass(frozen=True)
class Instrument:
    """One of the five tracks.

    Attributes:
        name: track name in MIDI files.
        program: General MIDI program written to MIDI files (0-based).
        programs: the General MIDI programs merged into this track (LPD-5's rule); drums are
            told by their channel, and Strings takes what no other track claims.
        max_strength: notes that it can play at once: two sticks, two pedals and a flam; ten
            fingers; six strings; a double stop; a section.
    """

    name: str
    program: int
    max_strength: int
    programs: range = range(0)

    @property
    def is_drum(self) -> bool:
        """Whether the track plays on the drum channel."""
        return self.name == "Drums"

    @property
    def label(self) -> int:
        """Class of the instrument in a word, 1 … 5; 0 is none."""
        return INSTRUMENTS.index(self) + 1


INSTRUMENTS = (
    Instrument("Drums", program=114, max_strength=5),
    Instrument("Piano", program=0, max_strength=10, programs=range(0, 8)),
    Instrument("Guitar", program=24, max_strength=6, programs=range(24, 32)),
    Instrument("Bass", program=33, max_strength=2, programs=range(32, 40)),
    Instrument("Strings", program=41, max_strength=10),
)
INSTRUMENT_CLASS = {instrument.name: instrument.label for instrument in INSTRUMENTS}
INSTRUMENT_OF = {instrument.label: instrument for instrument in INSTRUMENTS}
DRUMS = INSTRUMENT_CLASS["Drums"]
# What plays which drum sound: General MIDI's, and two of Roland's.
VOICES = {
    "kick": (35, 36),
    "snare": (37, 38, 39, 40),
    "closed hi-hat": (22, 42, 44),
    "open hi-hat": (26, 46),
    "tom": (41, 43, 45, 47, 48, 50, 58),
    "crash": (49, 52, 55, 57),
    "ride": (51, 53, 59),
}

# The class of a genre is its index here + 1; 0 is "any".
GENRES = ("country", "dance", "electronic", "metal", "pop", "rock")

# Initial tokens are rows of (genre, key, instrument): one for the genre, one for the key,
# one per instrument. The published model has one key, which is any.
INITIAL_SIZES = (len(GENRES) + 1, 1, len(INSTRUMENTS) + 1)
INITIAL_SIZES_WITH_KEYS = (len(GENRES) + 1, 24 + 1, len(INSTRUMENTS) + 1)
INITIAL_PARAMETERS = ("genre", "key", "instrument")
INITIAL_WIDTH = 64
INITIAL_TOKENS = 2 + len(INSTRUMENTS)


def tick_seconds(tempo: float) -> float:
    """Seconds that a tick lasts at a tempo (BPM)."""
    return 60 / (tempo * TICKS_PER_BEAT)


def seconds_to_ticks(seconds: float, tempo: float) -> float:
    """Seconds of music at a tempo (BPM), in ticks and parts of them.

    Not by `tick_seconds`: visual beats fall half-way between ticks, where the order of operations,
    the original's, decides which of the two is the nearer.
    """
    return seconds / 60 * tempo * TICKS_PER_BEAT
