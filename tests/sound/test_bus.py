"""The mix and its bus: what joins, what adds up, how loud it is in the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
from scipy.signal import resample_poly
from symusic.core import ControlChangeTick, NoteTick, ScoreTick, TempoTick, TrackTick

from cmt.sound import bus, compressor, limiter, mixing, passes, segments, synthesizer, tone
from cmt.sound.balance import Balance
from cmt.sound.filtering import Filter
from cmt.sound.loudness import SAMPLE_RATE, Meter, integrated, levels, loudness
from cmt.sound.passes import Group, grouped
from cmt.sound.recording import Recording, resampled
from cmt.sound.soundfont import default_soundfont
from cmt.sound.synthesis import synthesise

TICKS = 480
CEILING = 20 * np.log10(limiter.CEILING)  # dBTP


def piece(seconds: int, velocity: int = 80) -> ScoreTick:
    """Strings that are held and overlap, a piano under its pedal, drums; 120 BPM."""
    score = ScoreTick(TICKS)
    score.tempos.append(TempoTick(0, 120))
    strings, piano, drums = (
        TrackTick("Strings", 48, False), TrackTick("Piano", 0, False), TrackTick("Drums", 0, True)
    )  # fmt: skip
    beats = 2 * seconds
    for beat in range(0, beats, 3):
        strings.notes.append(NoteTick(beat * TICKS, 5 * TICKS, 55 + beat % 7, velocity))
    for beat in range(beats):
        piano.notes.append(NoteTick(beat * TICKS, TICKS // 2, 50 + beat % 12, velocity))
        drums.notes.append(NoteTick(beat * TICKS, 100, 46 if beat % 2 else 42, velocity))
    for beat in range(0, beats, 4):
        for at, value in ((0, 127), (3.9, 0)):
            piano.controls.append(ControlChangeTick(int((beat + at) * TICKS), 64, value))
    score.tracks.extend([strings, piano, drums])
    return score


def alone(score: ScoreTick) -> list[Group]:
    """Its tracks, each played by itself."""
    font = default_soundfont()
    return [Group((line,), font, low_cut=35.0) for line in segments.lines(score, {})]


def true_peak(samples: np.ndarray) -> float:
    """By 8 × oversampling, apart from the code under test, in dBTP."""
    return float(20 * np.log10(np.abs(resample_poly(samples, 8, 1, axis=1)).max()))


def test_parts_join_as_if_all_had_been_played_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = alone(piece(12))
    length = 12 * SAMPLE_RATE
    whole = np.concatenate(list(synthesizer.play_all(groups, length)), axis=2)
    monkeypatch.setattr(synthesizer, "PART", segments.GRAIN)  # borders within notes, every 2.5 s
    monkeypatch.setattr(segments, "RINGING", 4.0)
    joined = np.concatenate(list(synthesizer.play_all(groups, length)), axis=2)
    assert np.abs(whole).max(axis=(1, 2)).min() > 0.01
    np.testing.assert_allclose(joined, whole, atol=1 / 2**15)  # which they are rounded to
    assert (joined != whole).mean() < 1e-4


def test_what_is_held_for_long_sounds_on_in_later_parts() -> None:
    score = ScoreTick(TICKS)
    score.tempos.append(TempoTick(0, 120))
    drone = TrackTick("organ", 19, False)
    drone.notes.append(NoteTick(0, 400 * TICKS, 60, 80))
    drone.controls.append(ControlChangeTick(0, 7, 90))
    score.tracks.append(drone)
    (group,) = alone(score)
    (part,) = group.passes(segments.PART, segments.PART + 10 * segments.GRAIN)
    assert part.skipped == segments.HELD * SAMPLE_RATE  # not from the beginning on
    pcm, _ = synthesizer.play(part, default_soundfont())
    assert len(pcm) == 10 * segments.GRAIN and np.abs(pcm).max(axis=1).mean() > 300


def test_tracks_that_are_played_as_one_sound_as_by_themselves() -> None:
    apart = alone(piece(6))
    lines = [group.lines[0] for group in apart]
    font = apart[0].font
    (together,) = grouped(lines, [font] * 3, [35.0] * 3, apart=False)
    assert len(together.lines) == 3
    length = 6 * SAMPLE_RATE
    one, three = (
        np.concatenate(list(synthesizer.play_all(groups, length)), axis=2).sum(axis=0)
        for groups in ([together], apart)
    )
    assert np.abs(three).max() > 0.1
    np.testing.assert_allclose(one, three, atol=1e-3 * np.abs(three).max())


def test_tracks_are_played_apart_where_voices_or_channels_would_not_suffice() -> None:
    font = default_soundfont()
    length = segments.PART

    def sizes(score: ScoreTick, **how: bool) -> list[int]:
        """How many tracks are played by each pass."""
        lines = segments.lines(score, {})
        made = grouped(lines, [font] * len(lines), [35.0] * len(lines), **{"apart": False, **how})
        return [
            len({*(part.events["status"] & 0xF).tolist()})
            for group in made
            for part in group.passes(0, length)
        ]

    def score(tracks: int, notes: int, drums: bool = False, program: int = 0) -> ScoreTick:
        made = ScoreTick(TICKS)
        for _ in range(tracks):
            track = TrackTick("", program, drums)
            track.notes.extend(NoteTick(0, TICKS, 40 + note, 80) for note in range(notes))
            made.tracks.append(track)
        return made

    assert sizes(score(20, 1)) == [15, 5]
    assert sizes(score(4, 16)) == [2, 2]  # of two voices each, 64 in all
    assert sizes(score(4, 17)) == [1, 1, 1, 1]
    assert sizes(score(4, 16, program=33)) == [4]  # of one
    assert sizes(score(2, 1, drums=True)) == [1, 1]
    assert sizes(score(3, 1), apart=True) == [1, 1, 1]
    assert sizes(score(3, 1), ours=False) == [1, 1, 1]  # a SoundFont with who knows how many
    dense_later = score(4, 1)
    for track in dense_later.tracks:
        track.notes.extend(NoteTick(600 * TICKS, TICKS, 40 + note, 80) for note in range(32))
    (group,) = grouped(segments.lines(dense_later, {}), [font] * 4, [35.0] * 4, apart=False)
    assert len(group.passes(0, length)) == 1  # where they do, they are played as one
    assert len(group.passes(2 * length, 3 * length)) == 4


def test_notes_have_the_voices_and_die_away_as_is_reckoned() -> None:
    """Of each program, as many notes as one pass has voices for are as in two passes."""

    def sound(program: int, pitches: list[int], seconds: float, velocity: int) -> np.ndarray:
        score = ScoreTick(TICKS)
        score.tempos.append(TempoTick(0, 120))
        track = TrackTick("", program, False)
        track.notes.extend(NoteTick(0, TICKS, pitch, velocity) for pitch in pitches)
        score.tracks.append(track)
        blocks = synthesizer.play_all(alone(score), round(seconds * SAMPLE_RATE))
        return np.concatenate(list(blocks), axis=2)[0]

    for program, (voices, ringing) in passes.VOICES.items():
        pitches = list(range(90 - passes.MOST_VOICES // voices, 90))
        low, high = (sound(program, some, 0.6, 40) for some in (pitches[::2], pitches[1::2]))
        np.testing.assert_allclose(sound(program, pitches, 0.6, 40), low + high, atol=3 / 2**15)
        short = sound(program, [36, 60, 84], 0.7 + ringing, 127)
        died = np.abs(short[:, round((0.5 + ringing) * SAMPLE_RATE) :]).max()
        assert died < 0.03 * np.abs(short).max(), program  # its own room rings on


def test_nothing_is_played_where_nothing_sounds() -> None:
    score = ScoreTick(TICKS)
    track = TrackTick("", 0, False)
    for minute in (0, 1, 6):  # at 120 BPM
        track.notes.append(NoteTick(minute * 120 * TICKS, TICKS, 60, 80))
    score.tracks.append(track)
    (group,) = alone(score)
    passes = group.passes(0, 7 * 60 * SAMPLE_RATE)
    assert [part.at / SAMPLE_RATE for part in passes] == [0, 60, 360]
    assert all(part.samples < 10 * SAMPLE_RATE for part in passes)
    sound = np.concatenate(list(synthesizer.play_all([group], 7 * 60 * SAMPLE_RATE)), axis=2)[0]
    first, last = (sound[:, s * SAMPLE_RATE : (s + 2) * SAMPLE_RATE] for s in (0, 360))
    assert np.abs(first).max() > 0.01
    np.testing.assert_array_equal(first, last)


@pytest.mark.parametrize("level", [-3, -40])
def test_loudness_is_that_of_pyloudnorm(level: float) -> None:
    random = np.random.default_rng(0)
    noise = random.normal(0, 0.1, (2, 20 * SAMPLE_RATE)) * 10 ** (level / 20)
    noise *= np.repeat([1, 0.001, 0.3, 1], 5 * SAMPLE_RATE)  # silence and soft parts, to be gated
    samples = np.cumsum(noise, axis=1)
    samples = (samples - resample_poly(samples[:, ::100], 100, 1, axis=1)).astype(np.float32)
    theirs = pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(samples.T.astype(float))
    assert loudness(samples) == pytest.approx(theirs, abs=0.1)


def test_soft_music_is_as_loud_as_any() -> None:
    """Velocity 30 at expression 40; volume 10, as in shared/cases/midi."""
    for number, value, velocity in ((11, 40, 30), (7, 10, 90)):
        score = ScoreTick(TICKS)
        score.tempos.append(TempoTick(0, 120))
        track = TrackTick("", 0, False)
        track.controls.append(ControlChangeTick(0, number, value))
        for beat in range(16):
            track.notes.append(NoteTick(beat * TICKS, TICKS, 60 + beat % 5, velocity))
        score.tracks.append(track)
        samples = synthesise(score).mix[:, :]
        assert loudness(samples) == pytest.approx(limiter.LOUDNESS, abs=0.5)
        # It is not made of a few steps of 16 bits.
        assert len(np.unique(np.abs(samples[0]))) > 10_000


def test_a_mix_is_brought_to_its_level_and_under_the_ceiling_between_samples_too() -> None:
    samples = synthesise(piece(8)).mix[:, :]
    assert loudness(samples) == pytest.approx(limiter.LOUDNESS, abs=0.5)
    assert true_peak(samples) < CEILING + 0.1
    # A tone at a quarter of the rate, between whose samples the peaks lie: 3 dB above them.
    wave = np.sin(np.pi / 2 * np.arange(SAMPLE_RATE) + np.pi / 4) * np.hanning(SAMPLE_RATE) * 0.9
    sound = Recording([np.stack([wave, wave]).astype(np.float32)])
    assert true_peak(sound[:, :]) > -1.0
    louder = 10 ** (3 / 20)
    limiter.limit(sound, louder)
    assert true_peak(sound[:, :]) < CEILING + 0.1
    edge = slice(0, SAMPLE_RATE // 10)
    np.testing.assert_allclose(sound[:, edge][0], louder * wave[edge], atol=1e-5)


def test_stems_add_up_to_the_mix_before_the_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "master", lambda mix, balance: None)
    apart = synthesise(piece(6), duration=5.0, fade_in=1.0, fade_out=2.0, stems=True)
    together = synthesise(piece(6), duration=5.0, fade_in=1.0, fade_out=2.0)
    assert list(apart.stems) == ["Strings", "Piano", "Drums"]
    total = sum(stem[:, :].astype(float) for stem in apart.stems.values())
    assert total.shape == (2, 5 * SAMPLE_RATE)
    np.testing.assert_allclose(apart.mix[:, :], total, atol=1e-6)
    # Without stems, tracks that are played as one are rounded to 16 bits once.
    np.testing.assert_allclose(together.mix[:, :], total, atol=3 / 2**15)
    assert levels(together.mix[:, :] - total)[0] < -95  # dBFS
    rms = [np.sqrt(np.mean(together.mix[:, a : a + 4800] ** 2)) for a in (0, 96_000, 235_200)]
    assert rms[0] < 0.2 * rms[1] and rms[2] < 0.1 * rms[1]


def test_stems_are_as_loud_as_they_are_in_the_mix() -> None:
    music = synthesise(piece(6), duration=5.0, stems=True)
    stems = [stem[:, :] for stem in music.stems.values()]
    peak = max(np.abs(stem).max() for stem in stems)
    louder = loudness(sum(stems)) - loudness(music.mix)
    assert peak <= limiter.CEILING + 1e-6
    assert louder == pytest.approx(0, abs=0.1) or (louder < 0 and peak > limiter.CEILING - 1e-4)


def test_the_room_is_short_and_other_to_the_left_than_to_the_right() -> None:
    left, right = mixing.impulse_response()
    assert abs(np.corrcoef(left, right)[0, 1]) < 0.1
    energy = np.cumsum(left[::-1] ** 2)[::-1]
    down = np.argmax(energy < energy[0] * 1e-6) / SAMPLE_RATE  # 60 dB
    assert 0.5 < down < mixing.ROOM_LENGTH


def test_width_is_brought_to_what_records_have_within_reason() -> None:
    random = np.random.default_rng(0)
    middle, side = random.normal(0, 0.1, (2, 1, 2 * SAMPLE_RATE))
    wanted = tone.WIDTH
    for before, given in (
        (wanted, 0.0), (wanted - 3, 3.0), (wanted + 4, -4.0), (-30.0, 8.0), (6.0, -5.0)
    ):  # fmt: skip
        apart = side * 10 ** (before / 20)
        sound = np.concatenate([middle + apart, middle - apart]).astype(np.float32)
        balance = Balance()
        balance.read(sound)
        gain = tone.side_gain(balance.spectrum())
        assert gain == pytest.approx(given, abs=0.1)
        (widened,) = tone.widen(iter([sound]), gain)
        np.testing.assert_allclose(widened.sum(axis=0), sound.sum(axis=0), atol=1e-5)
        difference = np.std(widened[0] - widened[1]) / np.std(sound[0] - sound[1])
        assert 20 * np.log10(difference) == pytest.approx(given, abs=0.2)


def tones(high: float, seconds: int = 2) -> np.ndarray:
    """A tone of 504 Hz, and one of 10,008 Hz whose power to both is `high`, in dB."""
    time = np.arange(seconds * SAMPLE_RATE) / SAMPLE_RATE
    share = 10 ** (high / 10)
    low, bright = (np.sin(2 * np.pi * frequency * time) for frequency in (504, 10_008))
    wave = 0.1 * (np.sqrt(1 - share) * low + np.sqrt(share) * bright)
    return np.stack([wave, wave]).astype(np.float32)


@pytest.mark.parametrize(
    ("before", "after", "given"),
    [(-18.5, -14.0, None), (-24.0, -14.5, None), (-12.0, -13.0, None), (-40.0, None, 12.0),
     (-5.0, None, -4.0)],
)  # fmt: skip
def test_the_shelf_brings_brightness_to_what_records_have_within_reason(
    before: float,
    after: float | None,
    given: float | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = tones(before)
    balance = Balance()
    balance.read(sound)
    spectrum = balance.spectrum()
    assert spectrum.brightness(6000) == pytest.approx(before, abs=0.1)
    monkeypatch.setattr(tone, "HEARD", (-99.0, 0.0))
    gain = tone.shelf_gain(spectrum, spectrum, 0.0)
    (lifted,) = tone.shelve(iter([sound]), tone.SHELF_FREQUENCY, gain)
    balance = Balance()
    balance.read(lifted)
    if after is not None:
        assert balance.spectrum().brightness(6000) == pytest.approx(after, abs=0.2)
    if given is not None:
        assert gain == given


def test_a_single_cymbal_makes_no_music_bright() -> None:
    sound = np.tile(tones(-30.0), 10)
    sound[:, : SAMPLE_RATE // 10] += 10 * tones(-1.0)[:, : SAMPLE_RATE // 10]
    balance = Balance()
    balance.read(sound)
    assert balance.spectrum().brightness(6000) == pytest.approx(
        -22.0, abs=1.5
    )  # of all its power −2 dB


@pytest.mark.parametrize("high", [-32.0, -24.0, -17.0, -8.0])
def test_music_is_as_bright_and_wide_as_records_once_it_is_limited(high: float) -> None:
    """Bass alone for half of the time, then strokes that the limiter turns down by 10 dB."""
    random = np.random.default_rng(0)
    time = np.arange(8 * SAMPLE_RATE) / SAMPLE_RATE
    noise = random.normal(0, 1, (2, len(time)))
    spectrum = np.fft.rfft(noise, axis=1)
    frequencies = np.fft.rfftfreq(len(time), 1 / SAMPLE_RATE)
    wanted = np.where(frequencies < 300, 1.0, 300 / np.maximum(frequencies, 300))
    bright = frequencies > 6000
    share = np.sum(wanted[bright] ** 2) / np.sum(wanted**2)
    wanted[bright] *= np.sqrt(10 ** (high / 10) / share)
    middle, side = np.fft.irfft(spectrum * wanted, len(time), axis=1)
    music = np.stack([middle + side / 2, middle - side / 2])
    strokes = np.exp(-5 * (time % 0.5)) * (time > 3.9)
    bass = np.sin(2 * np.pi * 60 * time)
    sound = 0.3 * music / music.std() * strokes + 0.05 * bass
    mix, balance = Recording([sound.astype(np.float32)]), Balance()
    balance.read(mix[:, :])
    bus.master(mix, balance)
    heard = mix[:, :]
    power = (np.abs(np.fft.rfft(heard, axis=1)) ** 2).sum(axis=0)
    assert -16 < 10 * np.log10(power[bright].sum() / power.sum()) < -12
    side, middle = heard[0] - heard[1], heard[0] + heard[1]
    assert -10 < 10 * np.log10(np.vdot(side, side) / np.vdot(middle, middle)) < -6
    assert loudness(heard) == pytest.approx(limiter.LOUDNESS, abs=0.5)
    rms, peak = levels(heard)
    assert 8 < peak - rms < 14


def test_glue_takes_half_of_what_is_above_its_threshold() -> None:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    for over in (-10, 12):
        amplitude = np.sqrt(2) * 10 ** ((compressor.THRESHOLD + over) / 20)
        wave = (amplitude * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)
        *_, last = compressor.glue(iter([np.stack([wave, wave])] * 3))
        taken = 20 * np.log10(np.abs(last).max() / amplitude)
        assert taken == pytest.approx(-max(over, 0) / compressor.RATIO, abs=0.2)


def test_meters_read_streams_as_they_read_the_whole() -> None:
    random = np.random.default_rng(0)
    samples = random.normal(0, 0.1, (2, 5 * SAMPLE_RATE + 1000)).astype(np.float32)
    meter = Meter()
    meter.read(samples)
    assert integrated(meter.power) == pytest.approx(loudness(samples), abs=1e-6)
    assert meter.peaks.max() == np.abs(samples).max()
    whole, parts = Balance(), Balance()
    whole.read(samples)
    for part in np.array_split(samples, 7, axis=1):
        parts.read(part)
    np.testing.assert_allclose(parts.levels, whole.levels, rtol=1e-3)
    np.testing.assert_array_equal(parts.peaks, whole.peaks)


@pytest.mark.parametrize("rate", [44_100, 96_000])
def test_another_sample_rate_keeps_length_to_the_sample_and_pitch(rate: int) -> None:
    time = np.arange(SAMPLE_RATE * 5 // 2 + 17) / SAMPLE_RATE
    wave = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    recording = Recording([np.stack([wave, wave])])
    made = np.concatenate(list(resampled(recording, rate)), axis=1)
    assert made.shape[1] == round(len(wave) * rate / SAMPLE_RATE)
    expected = np.sin(2 * np.pi * 440 * np.arange(made.shape[1]) / rate)
    assert np.abs(made[0] - expected)[rate // 10 : -rate // 10].max() < 0.01


def test_a_recording_longer_than_memory_is_kept_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("cmt.sound.recording.IN_MEMORY", 100_000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    random = np.random.default_rng(0)
    samples = random.normal(size=(2, 3 * SAMPLE_RATE + 5)).astype(np.float32)
    recording = Recording([samples[:, :1000], samples[:, 1000:]])
    np.testing.assert_array_equal(recording[:, 999:200_000], samples[:, 999:200_000])
    recording.replace(2 * block for block in recording)
    np.testing.assert_array_equal(recording[:, :], 2 * samples)
    recording.put(-10, samples[:, :20])
    recording.put(samples.shape[1] - 3, samples[:, :20])
    np.testing.assert_array_equal(recording[:, :10], samples[:, 10:20])
    np.testing.assert_array_equal(recording[:, -3:], samples[:, :3])
    assert recording.shape == samples.shape


def test_what_rings_in_a_filter_comes_to_an_end() -> None:
    cut = Filter(np.array([[1.0, -2, 1, 1, -1.99, 0.9901]], np.float32), 2)
    ringing = cut(np.ones((2, SAMPLE_RATE), np.float32))
    after = cut(np.zeros((2, SAMPLE_RATE), np.float32))
    assert ringing.any() and after.any()
    silence = np.zeros((2, SAMPLE_RATE), np.float32)
    assert cut(silence) is silence  # no denormal numbers, of which each takes a hundredfold time
