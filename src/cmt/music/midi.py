"""MIDI files ⇄ notes on the tick grid, and the map of any track to the five instruments.

Original: midi2numpy_mix.py and numpy2midi_mix.py, through muspy, which pairs notes as `channels`
does: first in, first out.
"""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cmt.files import InputError, plain, write_together
from cmt.limits import MAX_MINUTES, TooMuch
from cmt.music import smf
from cmt.music.channels import DRUM_CHANNEL, score_of
from cmt.music.vocabulary import (
    BEATS_PER_BAR,
    DEFAULT_TEMPO,
    DRUMS,
    INSTRUMENT_CLASS,
    INSTRUMENT_OF,
    INSTRUMENTS,
    TICKS_PER_BEAT,
    Instrument,
)
from cmt.music.words import PLAYED_DTYPE, Song

if TYPE_CHECKING:
    import mido
    from symusic.core import ScoreTick

VELOCITY = 80  # of a note that nothing is asked of, as the original writes all
FINE = 120  # parts of a tick, in files whose notes are not all on ticks: 480 a quarter
ALL_NOTES_OFF = 123  # MIDI controller

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Midi:
    """A MIDI file on the tick grid.

    Attributes:
        song: its notes and length.
        tempo: BPM; the mean over the notes' span when it changes, so that the music lasts as
            long as in the file.
        instruments: names of the tracks that were kept, in file order.
        by_name: whether tracks were mapped by their names, else by channel and program.
    """

    song: Song
    tempo: float
    instruments: list[str]
    by_name: bool


def instrument_of(program: int, is_drum: bool) -> str:
    """Name of the instrument that LPD-5 merges a General MIDI program (0 … 127) into."""
    for instrument in INSTRUMENTS:
        if instrument.is_drum if is_drum else program in instrument.programs:
            return instrument.name
    return INSTRUMENTS[-1].name


def read_midi(
    path: str | Path,
    *,
    strict_names: bool = False,
    min_notes: int = 1,
    max_minutes: float = MAX_MINUTES,
) -> Midi:
    """Read a MIDI file of type 0 or 1 as notes of the five instruments.

    Onsets and ends of notes are rounded to the grid, half to even. The length is that of the
    last event, tracks that are dropped included; every bar is taken as 4/4. Notes that are
    never switched off do not count.

    Tracks are mapped by name when all that have `min_notes` notes are named after the five
    instruments (in any case); each of them stays a track of its own. What plays on a drum channel
    is drums, whatever its name. Otherwise all tracks are
    merged into the five by drum channel and General MIDI program (`instrument_of`), each
    merged track at the place of its first part. Either way tracks of fewer than `min_notes`
    notes are then dropped.

    Args:
        path: the MIDI file.
        strict_names: map by exact name only, the original's rule.
        min_notes: notes that a track needs.
        max_minutes: how long it may last.

    Raises:
        InputError: the file is no such MIDI file, lasts longer, or has no track that can be used.
    """
    return from_score(load_score(path, max_minutes), path, strict_names, min_notes)


def from_score(
    score: ScoreTick, path: str | Path, strict_names: bool = False, min_notes: int = 1
) -> Midi:
    """The notes of a score that was read from `path`, as `read_midi` has them."""
    columns = [track.notes.numpy() for track in score.tracks]
    sizes = np.array([len(column["time"]) for column in columns], int)
    if not sizes.any():
        raise InputError(f"{path}: no notes that both start and end")
    large = sizes >= min_notes
    names = _track_names(score, strict_names)
    unknown = [
        n
        for n, is_large in zip(names, large, strict=True)
        if is_large and n not in INSTRUMENT_CLASS
    ]
    if unknown and strict_names:
        raise InputError(
            f"{path}: track {unknown[0]!r} is none of {', '.join(INSTRUMENT_CLASS)}; rename it, "
            "or leave out --strict-names to map tracks by program"
        )
    by_name = strict_names or (bool(large.any()) and not unknown)
    place, used = np.arange(len(names), dtype=int), large
    if not by_name:
        names = [instrument_of(track.program, track.is_drum) for track in score.tracks]
        place[:] = [names.index(name) for name in names]
        used = np.bincount(place, sizes)[place] >= min_notes
    if not used.any():
        raise InputError(f"{path}: no track has {min_notes} notes; lower --min-notes")

    time, pitch, duration, velocity = (
        np.concatenate([column[key] for column in columns])
        for key in ("time", "pitch", "duration", "velocity")
    )
    tick, end = _to_grid(time, score), _to_grid(time + duration, score)
    note_place = np.repeat(place, sizes)
    # The original's order: by tick, then by track, then as muspy sorts the notes of a track.
    order = np.lexsort([duration, pitch, time, note_place, tick])
    order = order[np.repeat(used, sizes)[order]]
    notes = np.empty(len(order), PLAYED_DTYPE)
    notes["tick"] = tick[order]
    notes["pitch"] = pitch[order]
    notes["duration"] = (end - tick)[order]
    notes["velocity"] = velocity[order]
    labels = np.array([INSTRUMENT_CLASS.get(name, 0) for name in names])
    notes["instrument"] = labels[note_place[order]]
    length = max(int(end.max()), _last_event(score))
    tempo = _mean_tempo(score, max(int((time + duration).max()), 1))
    instruments = [names[index] for index in np.unique(note_place[order])]
    return Midi(Song(notes, length), tempo, instruments, by_name)


def _track_names(score: ScoreTick, strict: bool) -> list[str]:
    """Names of the tracks; unless `strict`, those of instruments spelt as ours, and of drums so."""
    if strict:
        return [track.name for track in score.tracks]
    spelling = {name.lower(): name for name in INSTRUMENT_CLASS}
    names = [spelling.get(track.name.strip().lower(), track.name) for track in score.tracks]
    return [
        INSTRUMENT_OF[DRUMS].name if track.is_drum and name in INSTRUMENT_CLASS else name
        for track, name in zip(score.tracks, names, strict=True)
    ]


def load_score(path: str | Path, max_minutes: float = MAX_MINUTES) -> ScoreTick:
    """Read a MIDI file of type 0 or 1 as it is, in ticks; see `cmt.music.smf`, `channels`.

    What no music has is left out, and told in the log.

    Args:
        path: the MIDI file.
        max_minutes: how long it may last.

    Raises:
        InputError: the file cannot be read, is no such MIDI file, is damaged or longer.
    """
    score, ignored = _read(path, max_minutes)
    for what in sorted(ignored):
        log.warning("%s: a %s that no music has is ignored", path, what)
    return score


def names_of_parts(path: str | Path) -> list[str]:
    """Names of the tracks of a MIDI file that have notes, however long it lasts.

    Raises:
        InputError: as `load_score`.
    """
    return [track.name for track in _read(path, math.inf)[0].tracks if len(track.notes)]


def _read(path: str | Path, max_minutes: float) -> tuple[ScoreTick, Iterable[str]]:
    """See `load_score`; and kinds of what is left out."""
    # So long a file may be as large as so much music is, but none is any size.
    longer = max_minutes / MAX_MINUTES if math.isfinite(max_minutes) else 1
    most = round(smf.MAX_BYTES * max(1, longer))
    try:
        with plain(path).open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        if len(data) > most:
            raise TooMuch(
                f"{path}: more than {most >> 20} MB, a hundred times what music has; cut it",
                "the limit: --max-minutes of midi2mp3.py and evaluate.py",
            )
        events = smf.parse(data)
        if events.seconds > 60 * max_minutes:
            raise TooMuch(
                f"{path}: lasts {events.seconds / 60:,.0f} minutes, more than {max_minutes:g};"
                " cut it",
                "the limit: --max-minutes of midi2mp3.py and evaluate.py",
            )
        return score_of(events), events.ignored
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def _to_grid(time: np.ndarray, score: ScoreTick) -> np.ndarray:
    return np.rint(time * (TICKS_PER_BEAT / score.tpq)).astype(np.int32)


def _last_event(score: ScoreTick) -> int:
    """Tick of the last event that is no note, of the kinds that the original counts."""
    events: list[Any] = [score.tempos, score.time_signatures, score.key_signatures]
    events += [track.controls for track in score.tracks]
    times = [int(np.max(event.numpy()["time"], initial=0)) for event in events]
    times += [lyric.time for track in score.tracks for lyric in track.lyrics]
    return int(_to_grid(np.array(max(times)), score))


def _mean_tempo(score: ScoreTick, end: int) -> float:
    """BPM at which the music up to `end` lasts as long as under the file's tempo changes."""
    changes = score.tempos.numpy()
    order = np.argsort(changes["time"], kind="stable")
    order = order[changes["time"][order] < end]
    # The default tempo holds until the first change.
    beat_seconds = np.concatenate([[60 / DEFAULT_TEMPO], changes["mspq"][order] / 1e6])
    lengths = np.diff(changes["time"][order], prepend=0, append=end)
    return float(60 / np.average(beat_seconds, weights=lengths))


def write_midi(
    song: Song,
    path: str | Path,
    tempo: float | Sequence[tuple[int, float]],
    markers: Sequence[tuple[int, str]] = (),
    velocities: NDArray[np.int64] | None = None,
    delays: NDArray[np.float64] | None = None,
) -> None:
    """Write what `to_midi` makes.

    Raises:
        InputError: the folder cannot be written to.
    """
    write_together({Path(path): to_midi(song, tempo, markers, velocities, delays)})


def to_midi(
    song: Song,
    tempo: float | Sequence[tuple[int, float]],
    markers: Sequence[tuple[int, str]] = (),
    velocities: NDArray[np.int64] | None = None,
    delays: NDArray[np.float64] | None = None,
    programs: Mapping[str, int] | None = None,
    controllers: Mapping[str, Mapping[int, int]] | None = None,
) -> bytes:
    """A MIDI file of a song: five named tracks, 4 ticks per quarter; 480 with delays.

    All five tracks are there, also those without notes, and every one ends with the song.

    Args:
        song: the notes.
        tempo: BPM, or a tempo map: (tick, BPM from there on), the first at tick 0.
        markers: (tick, text), ascending.
        velocities: (notes,) 1 … 127; 80 for all by default, as in the original.
        delays: (notes,) ticks, 0 … 1, by which each begins after its tick.
        programs: of the tracks, by name, 0 … 127; the original's by default.
        controllers: of the tracks, by name: numbers and values, 0 … 127, that they begin with.
    """
    import mido

    notes, parts = song.notes, 1
    onsets = notes["tick"]
    if delays is not None:
        parts = FINE
        onsets = np.rint((notes["tick"] + delays) * parts).astype(np.int64)
    end = song.length * parts
    offsets = np.clip((notes["tick"] + notes["duration"]) * parts, onsets, np.maximum(end, onsets))
    if velocities is None:
        velocities = np.full(len(notes), VELOCITY)
    changes = [(0, tempo)] if isinstance(tempo, float | int) else tempo
    conductor = _conductor(
        [(tick * parts, bpm) for tick, bpm in changes],
        [(tick * parts, text) for tick, text in markers],
        end,
    )
    file = mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT * parts, tracks=[conductor])
    for instrument in INSTRUMENTS:
        mine = notes["instrument"] == instrument.label
        played = zip(
            *(column[mine].tolist() for column in (onsets, notes["pitch"], offsets, velocities)),
            strict=True,
        )
        program = (programs or {}).get(instrument.name, instrument.program)
        first = (controllers or {}).get(instrument.name, {})
        file.tracks.append(_track(instrument, program, first, played, end))
    content = io.BytesIO()
    file.save(file=content)
    return content.getvalue()


def _conductor(
    tempi: Sequence[tuple[int, float]], markers: Sequence[tuple[int, str]], end: int
) -> mido.MidiTrack:
    """The track of tempo, meter and markers, up to tick `end`."""
    import mido

    events = [(tick, "set_tempo", {"tempo": mido.bpm2tempo(bpm)}) for tick, bpm in tempi]
    events.insert(1, (0, "time_signature", {"numerator": BEATS_PER_BAR, "denominator": 4}))
    events += [(tick, "marker", {"text": text}) for tick, text in markers]
    events = [*sorted(events, key=lambda event: event[0]), (end, "end_of_track", {})]
    track, now = mido.MidiTrack(), 0
    for tick, kind, values in events:
        if tick <= end:
            track.append(mido.MetaMessage(kind, time=tick - now, **values))
            now = tick
    return track


def _track(
    instrument: Instrument,
    program: int,
    controllers: Mapping[int, int],
    notes: Iterable[tuple[int, int, int, int]],
    end: int,
) -> mido.MidiTrack:
    """The track of an instrument, up to `end`: its notes are onset, pitch, offset, velocity."""
    import mido

    # At one tick: ends of notes, then onsets; a note of no length ends after its onset.
    events = [(end, 3, "control_change", {"control": ALL_NOTES_OFF})]
    for onset, pitch, offset, velocity in notes:
        played = {"note": pitch, "velocity": velocity}
        events.append((onset, 1, "note_on", played))
        events.append((offset, 0 if offset > onset else 2, "note_off", played))
    events.sort(key=lambda event: event[:2])
    channel = DRUM_CHANNEL if instrument.is_drum else instrument.label - 1
    track = mido.MidiTrack(
        [
            mido.MetaMessage("track_name", name=instrument.name),
            mido.Message("program_change", channel=channel, program=program),
            *(
                mido.Message("control_change", channel=channel, control=number, value=value)
                for number, value in controllers.items()
            ),
        ]
    )
    now = 0
    for time, _, kind, values in events:
        track.append(mido.Message(kind, channel=channel, time=time - now, **values))
        now = time
    track.append(mido.MetaMessage("end_of_track"))
    return track
