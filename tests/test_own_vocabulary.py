"""Our own vocabulary: words that tell how loud notes are, from a file to the model and back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from cmt.files import InputError
from cmt.measures.obedience import control_error
from cmt.model import checkpoint
from cmt.model.encoding import data_words, model_words
from cmt.model.fast import FastCMT
from cmt.model.network import CMT
from cmt.music.dataset import read_dataset, write_dataset
from cmt.music.midi import read_midi, write_midi
from cmt.music.vocabulary import INITIAL_TOKENS, LOUDNESSES, NOTE, OWN, PUBLISHED, VELOCITY
from cmt.music.words import PLAYED_DTYPE, Song, song_to_words, words_to_song
from cmt.training.config import RunConfig, TrainingConfig
from cmt.training.run import run
from conftest import SMALL, random_song, takes_of

PIANO, BASS = 2, 4
BARS = np.array([(17, 5, 0, 16 * bar, 64, 1 + 25 * bar) for bar in range(4)])
HIT = np.array([(5, 0, 3, 36, 64, 56)])
CLOSE = {"rtol": 0, "atol": 3e-5}


def played(seed: int) -> Song:
    """A song of some bars, each note as loud as chance has it."""
    song = random_song(seed, bars=6, notes=80)
    notes = np.zeros(len(song.notes), PLAYED_DTYPE)
    for name in song.notes.dtype.names or ():
        notes[name] = song.notes[name]
    notes["velocity"] = np.random.default_rng(seed).integers(1, 128, len(notes))
    return Song(notes, song.length)


def own_model(chain: int = 24) -> CMT:
    torch.manual_seed(0)
    sizes = {"sizes": OWN.sizes, "widths": OWN.widths}
    return CMT(dataclasses.replace(SMALL, chain=chain, **sizes)).eval()


def test_loudness_comes_back_within_half_a_class() -> None:
    song = played(1)
    words = song_to_words(song, OWN)
    back = words_to_song(words)
    assert back.velocities is not None and song.velocities is not None
    assert np.abs(back.velocities.astype(int) - song.velocities).max() <= 128 // LOUDNESSES // 2
    np.testing.assert_array_equal(words[:, :-1], song_to_words(song))
    np.testing.assert_array_equal(song_to_words(Song(back.notes, song.length), OWN), words)
    assert (words[words[:, 0] != NOTE, VELOCITY.column] == 0).all()


def test_of_a_track_that_is_all_equally_loud_nothing_is_known() -> None:
    notes = [(4 * i, 60 + i, 4, PIANO, 40 + 8 * i) for i in range(8)]
    notes += [(4 * i, 40, 4, BASS, 100) for i in range(8)]
    back = words_to_song(song_to_words(Song(np.array(sorted(notes), PLAYED_DTYPE), 32), OWN))
    assert back.velocities is not None
    is_bass = back.notes["instrument"] == BASS
    assert not back.velocities[is_bass].any() and back.velocities[~is_bass].all()


def test_loudness_is_read_from_a_file_and_kept_in_a_data_set(tmp_path: Path) -> None:
    song = played(2)
    write_midi(song, tmp_path / "song.mid", 120, velocities=song.velocities)
    words = song_to_words(read_midi(tmp_path / "song.mid").song, OWN)
    write_dataset(tmp_path / "songs.npz", [(words, {"id": "song"})] * 2, OWN)
    data = read_dataset(tmp_path / "songs.npz")
    assert data.vocabulary == OWN
    np.testing.assert_array_equal(data.words[1], words)
    loud = np.sort(song_to_words(song, OWN)[:, VELOCITY.column])
    np.testing.assert_array_equal(np.sort(words[:, VELOCITY.column]), loud)


def test_a_published_model_reads_words_that_tell_more_and_ours_those_that_tell_less() -> None:
    words = song_to_words(played(3), OWN)
    np.testing.assert_array_equal(model_words(words), model_words(words[:, :-1]))
    less = model_words(words[:, :-1], OWN)
    np.testing.assert_array_equal(less[:, :-1], model_words(words))
    assert not less[:, -1].any()


@torch.no_grad()
@pytest.mark.parametrize("chain", [0, 24])
def test_parallel_recurrent_and_fast_forms_agree(chain: int) -> None:
    model = own_model(chain)
    words = torch.from_numpy(model_words(song_to_words(played(4), OWN), OWN)).long()[:120]
    initial = torch.zeros(1, INITIAL_TOKENS, 3, dtype=torch.int64)
    hidden = model.hidden(words[None], initial)[0, INITIAL_TOKENS:]
    fast = FastCMT(model)
    state, quick = model.start(initial), fast.start(initial)
    names = [field.name for field in OWN.fields]
    for index, word in enumerate(words[:-1]):
        torch.testing.assert_close(model.step(word[None], state)[0], hidden[index], **CLOSE)
        state_of_fast = fast.step(word[None], quick)
        torch.testing.assert_close(state_of_fast[0], hidden[index], **CLOSE)
        wanted = model.logits(hidden[index][None], words[index + 1][None])
        heads = fast.heads(state_of_fast)
        drawn = [dict(zip(names, words[index + 1].tolist(), strict=True))]
        for name in OWN.drawn:
            got = torch.from_numpy(heads.logits(name, drawn)).float()
            torch.testing.assert_close(got, wanted[name], **CLOSE)


@torch.no_grad()
def test_how_loud_a_note_was_changes_what_follows_and_not_the_note_itself() -> None:
    model = own_model()
    words = torch.from_numpy(model_words(song_to_words(played(5), OWN), OWN)).long()[None, :60]
    initial = torch.zeros(1, INITIAL_TOKENS, 3, dtype=torch.int64)
    before = model(words[:, :-1], initial, words[:, 1:])
    note = int((words[0, :40, 1] == NOTE).nonzero()[-1])
    louder = words.clone()
    louder[0, note, -1] = words[0, note, -1] % LOUDNESSES + 1
    after = model(louder[:, :-1], initial, louder[:, 1:])
    for name, logits in before.items():
        torch.testing.assert_close(after[name][:, :note], logits[:, :note], rtol=0, atol=0)
        assert (after[name][:, note] - logits[:, note]).abs().max() > 1e-5


def test_a_take_tells_how_loud_each_note_is_and_obeys() -> None:
    control = np.array(sorted([*BARS.tolist(), *HIT.tolist()], key=lambda row: row[3]))
    for take in takes_of(own_model(), control, songs=2, scenes=(0,)):
        song = words_to_song(take.words)
        assert take.words.shape[1] == len(OWN.columns)
        assert song.velocities is not None and song.velocities.min() > 0
        error = control_error(song, take.plan)
        assert (error.density, error.strength) == (0, 0)
        again = data_words(
            [
                dict(zip([f.name for f in OWN.fields], row, strict=True))
                for row in model_words(take.words, OWN).tolist()
            ],
            64,
            OWN,
        )
        np.testing.assert_array_equal(again, take.words)


def test_the_original_loop_draws_from_our_model_too() -> None:
    (take,) = takes_of(own_model(0), BARS, loop="original")
    velocities = words_to_song(take.words).velocities
    assert velocities is not None and (velocities > 0).all()


def test_a_checkpoint_tells_its_vocabulary(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "own.pt", own_model())
    model, _ = checkpoint.load(tmp_path / "own.pt")
    assert model.vocabulary == OWN
    content = torch.load(tmp_path / "own.pt", weights_only=True)
    content["vocabulary"][-1] = ["loudness", 9]
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"other\.pt: made for another vocabulary"):
        checkpoint.load(tmp_path / "other.pt")


def test_our_model_learns_loudness_and_asks_for_it(tmp_path: Path) -> None:
    songs = [song_to_words(played(seed), OWN) for seed in range(6)]
    write_dataset(tmp_path / "own.npz", [(words, {}) for words in songs], OWN)
    write_dataset(tmp_path / "less.npz", [(words[:, :-1], {}) for words in songs])
    config = RunConfig(
        name="run",
        data=tmp_path / "own.npz",
        model=own_model().config,
        training=TrainingConfig(lr=3e-3, warmup=1, epochs=3, batch_size=4, micro_batch=4),
        val_fraction=0.2,
        exp_dir=tmp_path / "exp",
        log_dir=tmp_path / "logs",
    )
    run(config)
    rows = (tmp_path / "logs" / "run.csv").read_text().splitlines()[1:]
    losses = [float(row.split(",")[2]) for row in rows if ",velocity," in row]
    assert len(losses) == 3 and losses[-1] < losses[0]
    with pytest.raises(InputError, match=r"less\.npz: does not tell how loud .*--vocabulary own"):
        run(dataclasses.replace(config, data=tmp_path / "less.npz", name="other"))
    assert read_dataset(tmp_path / "less.npz").vocabulary == PUBLISHED
