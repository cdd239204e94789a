"""Sound: what a MIDI file sounds like, how loud, in which files, and on which pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from symusic.core import NoteTick, ScoreTick, TempoTick, TrackTick

from cmt.files import InputError
from cmt.music.vocabulary import INSTRUMENTS
from cmt.sound.ducking import FRAME, ducking, speech_by_energy
from cmt.sound.encoding import write_audio
from cmt.sound.film import Soundtrack, mux, video_duration
from cmt.sound.limiter import CEILING, LOUDNESS, limit
from cmt.sound.loudness import SAMPLE_RATE, levels, loudness
from cmt.sound.recording import Recording
from cmt.sound.synthesis import FADE, TAIL, Music, synthesise
from cmt.sound.underscore import mix, stepping_back

TICKS = 480  # per quarter


def score(
    notes: dict[str, list[tuple[float, float, int]]], tempo: float = 120, program: int | None = None
) -> ScoreTick:
    """Tracks of (onset, duration, pitch), in beats, with the programs of the five instruments."""
    made = ScoreTick(TICKS)
    made.tempos.append(TempoTick(0, tempo))
    for instrument in INSTRUMENTS:
        if instrument.name in notes:
            number = instrument.program if program is None else program
            track = TrackTick(instrument.name, number, instrument.is_drum)
            for onset, duration, pitch in notes[instrument.name]:
                track.notes.append(NoteTick(int(onset * TICKS), int(duration * TICKS), pitch, 80))
            made.tracks.append(track)
    return made


def band() -> ScoreTick:
    """Four bars of all five instruments at 120 BPM."""
    return score(
        {
            "Drums": [(beat, 0.25, 36 if beat % 2 == 0 else 38) for beat in range(16)],
            "Piano": [(beat, 1, 60 + 4 * (beat % 3)) for beat in range(16)],
            "Guitar": [(beat, 2, 55) for beat in range(0, 16, 2)],
            "Bass": [(beat, 1, 40) for beat in range(16)],
            "Strings": [(0, 8, 67), (8, 8, 65)],
        }
    )


def heard(*arguments: Any, **options: Any) -> np.ndarray:
    """What a score sounds like, (2, samples)."""
    return synthesise(*arguments, **options).mix[:, :]


def tone(frequency: float, seconds: float, amplitude: float = 0.25) -> np.ndarray:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wave = amplitude * np.sin(2 * np.pi * frequency * time)
    return np.stack([wave, wave]).astype(np.float32)


def amplitude_at(samples: np.ndarray, frequency: float) -> float:
    """Amplitude of a sinusoid in the first channel; for whole numbers of periods."""
    time = np.arange(samples.shape[1]) / SAMPLE_RATE
    return float(2 * abs(np.mean(samples[0] * np.exp(-2j * np.pi * frequency * time))))


def onset(samples: np.ndarray) -> float:
    """Seconds to the first sample above a tenth of the peak."""
    level = np.abs(samples[0])
    return float(np.argmax(level > level.max() / 10)) / SAMPLE_RATE


def read_sound(path: Path) -> np.ndarray:
    """The sound of a file as samples, decoded apart from the code under test."""
    with av.open(str(path)) as source:
        resampler = av.AudioResampler("fltp", "stereo", SAMPLE_RATE)
        frames = [part for frame in source.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1)


def make_video(
    path: Path,
    codec: str = "libx264",
    seconds: float = 2.0,
    start: float = 0.0,
    sound: np.ndarray | None = None,
    rotation: int = 0,
) -> Path:
    """Noise of 64 × 64 at 25 frames/s, x264 with B-frames."""
    with av.open(str(path), "w") as target:
        stream = cast(av.VideoStream, target.add_stream(codec, rate=25))
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        if rotation:
            stream.set_display_rotation(rotation)
        voice = target.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=SAMPLE_RATE)
        random = np.random.default_rng(0)
        for number in range(round(25 * seconds)):
            picture = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = number + round(25 * start), Fraction(1, 25)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
        if sound is not None:
            part = av.AudioFrame.from_ndarray(sound, format="fltp", layout="stereo")
            part.sample_rate, part.pts = SAMPLE_RATE, round(start * SAMPLE_RATE)
            target.mux(voice.encode(part) + voice.encode(None))
    return path


def packets(path: Path) -> tuple[list[bytes], np.ndarray]:
    """Every video packet's bytes, and its (presentation, decoding) time, NaN where unknown."""
    with av.open(str(path)) as source:
        found = [packet for packet in source.demux(video=0) if packet.size]
    times = [[np.nan if t is None else t for t in (packet.pts, packet.dts)] for packet in found]
    return [bytes(packet) for packet in found], np.array(times) * float(found[0].time_base or 0)


def test_an_a4_of_every_pitched_instrument_sounds_at_440_hz() -> None:
    for instrument in INSTRUMENTS:
        if instrument.is_drum:
            continue
        samples = heard(score({instrument.name: [(0, 4, 69)]}))
        both = samples[:, : 2 * SAMPLE_RATE].mean(axis=0)
        spectrum = np.abs(np.fft.rfft(both * np.hanning(2 * SAMPLE_RATE)))
        partials = [spectrum[round(880 * k) - 12 : round(880 * k) + 13].max() for k in range(1, 9)]
        near = spectrum[880 - 12 : 880 + 13]
        assert abs(near.argmax() - 12) <= 3, instrument.name  # bins of half a hertz
        # Nothing loud lies off the multiples of 440 Hz.
        peak = spectrum.argmax() / 2
        # The players of a section are some cents apart.
        spread = 0.02 if instrument.name == "Strings" else 0.01
        assert abs(peak / 440 - round(peak / 440)) < spread, instrument.name
        assert partials[0] > 0.1 * max(partials), instrument.name


def test_octaves_are_octaves_over_the_whole_range() -> None:
    for pitch in range(33, 94, 12):
        samples = heard(score({"Piano": [(0, 4, pitch)]}))
        middle = samples[0, SAMPLE_RATE // 4 : SAMPLE_RATE // 4 + 2**16]
        spectrum = np.abs(np.fft.rfft(middle, 2**17))
        correlation = np.fft.irfft(spectrum**2)[: 2**15]
        frequency = 440 * 2 ** ((pitch - 69) / 12)
        lag = SAMPLE_RATE / frequency
        around = correlation[round(lag * 0.75) : round(lag * 1.25) + 1]
        found = SAMPLE_RATE / (round(lag * 0.75) + around.argmax())
        assert found == pytest.approx(frequency, rel=0.025)


def test_drums_of_program_114_sound_and_have_no_pitch() -> None:
    samples = heard(score({"Drums": [(0, 0.25, 38)]}))
    assert samples.any()
    power = np.abs(np.fft.rfft(samples[0, : SAMPLE_RATE // 2])) ** 2
    share = power / power.sum()
    entropy = -np.sum(share * np.log2(share + 1e-12))
    piano = heard(score({"Piano": [(0, 0.25, 60)]}))
    power = np.abs(np.fft.rfft(piano[0, : SAMPLE_RATE // 2])) ** 2
    share = power / power.sum()
    assert entropy > -np.sum(share * np.log2(share + 1e-12)) + 2  # bits
    standard_kit = heard(score({"Drums": [(0, 0.25, 38)]}, program=0))
    np.testing.assert_array_equal(samples, standard_kit)


def test_all_five_tracks_are_heard_in_the_mix() -> None:
    whole = heard(band())
    for instrument in INSTRUMENTS:
        without = band()
        for track in without.tracks:
            if track.name == instrument.name:
                track.notes.clear()
        rest = heard(without)
        scale = np.vdot(rest, whole) / np.vdot(rest, rest)
        difference = levels(whole - np.float32(scale) * rest)[0] - levels(whole)[0]
        assert difference > -20, instrument.name  # dB


def test_loudness_reads_what_the_recommendation_says() -> None:
    # ITU-R BS.1770 / EBU Tech 3341: a stereo 1 kHz sine of −23 dBFS reads −23 LUFS.
    sine = tone(1000, 20, 10 ** (-23 / 20))
    assert loudness(sine) == pytest.approx(-23, abs=0.1)
    # Tech 3341, case 3: quiet parts are gated out.
    quiet, loud = tone(1000, 10, 10 ** (-36 / 20)), tone(1000, 60, 10 ** (-23 / 20))
    assert loudness(np.concatenate([quiet, loud, quiet], axis=1)) == pytest.approx(-23, abs=0.1)
    assert loudness(np.zeros((2, SAMPLE_RATE), np.float32)) == -np.inf
    assert loudness(np.zeros((2, 10), np.float32)) == -np.inf


def test_music_is_loud_and_never_clips() -> None:
    samples = heard(band())
    assert samples.dtype == np.float32 and samples.shape[0] == 2
    assert loudness(samples) == pytest.approx(LOUDNESS, abs=1)
    assert -22 < levels(samples)[0] < -14
    assert np.abs(samples).max() <= CEILING


def test_a_crowded_score_does_not_clip() -> None:
    crowd = score({})
    for number in range(40):
        track = TrackTick(f"part {number}", 56, False)
        for pitch in range(48, 72, 3):
            track.notes.append(NoteTick(0, 4 * TICKS, pitch, 127))
        crowd.tracks.append(track)
    samples = heard(crowd)
    assert np.abs(samples).max() <= CEILING
    flat = np.diff(samples[0, :SAMPLE_RATE]) == 0
    assert flat.mean() < 0.01  # no runs of samples at a limit


def test_limiter_leaves_what_is_low_and_keeps_peaks_under_the_ceiling() -> None:
    random = np.random.default_rng(0)
    loud = random.normal(0, 0.1, (2, 5 * SAMPLE_RATE)).astype(np.float32)
    loud[:, 2 * SAMPLE_RATE : 2 * SAMPLE_RATE + 100] *= 40
    before, recording = loud, Recording([loud])
    limit(recording)
    loud = recording[:, :]
    assert np.abs(loud).max() <= CEILING * (1 + 1e-6)
    np.testing.assert_array_equal(loud[:, :SAMPLE_RATE], before[:, :SAMPLE_RATE])
    np.testing.assert_array_equal(loud[:, -SAMPLE_RATE:], before[:, -SAMPLE_RATE:])


@pytest.mark.parametrize("seconds", [3.0, 30.0])
def test_duration_cuts_or_pads_to_the_sample_with_a_fade(seconds: float) -> None:
    samples = heard(band(), duration=seconds)
    assert samples.shape[1] == round(seconds * SAMPLE_RATE)
    assert np.abs(samples[:, -SAMPLE_RATE // 100 :]).max() < 0.01
    before = levels(samples[:, : -round(FADE * SAMPLE_RATE)])[0]
    assert levels(samples[:, -SAMPLE_RATE // 10 :])[0] < before - 20


def test_without_a_duration_the_last_note_rings_out() -> None:
    samples = heard(band())
    assert samples.shape[1] == round((8 + TAIL) * SAMPLE_RATE)
    assert samples[:, round(8.2 * SAMPLE_RATE) : round(8.4 * SAMPLE_RATE)].any()


def test_tempo_replaces_the_tempos_of_the_file() -> None:
    late = score({"Piano": [(4, 1, 60)]}, tempo=120)
    late.tempos.append(TempoTick(2 * TICKS, 150))
    at_60, at_120 = heard(late, tempo=60), heard(late, tempo=120)
    assert at_60.shape[1] - 2 * SAMPLE_RATE == 2 * (at_120.shape[1] - 2 * SAMPLE_RATE)
    assert onset(at_60) == pytest.approx(4.0, abs=0.02)
    assert onset(heard(late)) == pytest.approx(1 + 0.8, abs=0.02)


def test_a_slow_tempo_after_a_default_one_still_fills_the_duration() -> None:
    slow = score({"Strings": [(0, 200, 60)]}, tempo=30)
    slow.tempos[0].time = 8 * TICKS
    samples = heard(slow, duration=60)
    assert samples.shape[1] == 60 * SAMPLE_RATE
    assert levels(samples[:, 50 * SAMPLE_RATE : 55 * SAMPLE_RATE])[0] > -40


def test_files_keep_their_volume_and_pan_and_have_ours_where_they_say_nothing() -> None:
    from symusic.core import ControlChangeTick

    for name in ("Lead", "Guitar"):
        made = score({"Guitar": [(0, 2, 60)]})
        made.tracks[0].name = name
        to_the_left = {}
        for pan in (None, 0, 127):
            panned = made.copy()
            if pan is not None:
                panned.tracks[0].controls.append(ControlChangeTick(0, 10, pan))
            samples = heard(panned)
            left, right = (levels(samples[side : side + 1])[0] for side in (0, 1))
            to_the_left[pan] = left - right
        assert to_the_left[0] > 8 and to_the_left[127] < -8
        if name == "Guitar":
            assert to_the_left[127] + 3 < to_the_left[None] < -1
        else:
            assert abs(to_the_left[None]) < 3  # the sample itself leans a little


def test_no_notes_is_silence_of_the_right_length_and_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    samples = heard(score({}), duration=1.5)
    assert samples.shape == (2, round(1.5 * SAMPLE_RATE)) and not samples.any()
    assert "no notes" in caplog.text


def test_bad_inputs_are_named(tmp_path: Path) -> None:
    bad = tmp_path / "bad.file"
    bad.write_bytes(b"neither a SoundFont nor MIDI")
    cut = tmp_path / "cut.mid"
    cut.write_bytes(band().dumps_midi()[:-10])
    none = tmp_path / "none"
    for arguments in ((bad,), (cut,), (none,)):
        with pytest.raises(InputError, match=str(arguments[0])):
            heard(*arguments)
    with pytest.raises(InputError, match=r"\.wav, \.mp3, \.m4a"):
        write_audio(tmp_path / "song.ogg", np.zeros((2, 100), np.float32))
    assert sorted(tmp_path.iterdir()) == [bad, cut]
    for path in (bad, none):
        with pytest.raises(InputError, match=str(path)):
            video_duration(path)


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".m4a", ".MP3"])
def test_files_keep_length_level_and_onset(tmp_path: Path, suffix: str) -> None:
    samples = np.zeros((2, round(3.21 * SAMPLE_RATE)), np.float32)
    samples[:, 2 * SAMPLE_RATE :] = tone(440, 1.21)
    path = tmp_path / f"a tone.ä{suffix}"
    write_audio(path, samples)
    decoded = read_sound(path)
    with av.open(str(path)) as source:
        assert (source.duration or 0) / 1e6 == pytest.approx(3.21, abs=0.05)
    assert decoded.shape[1] / SAMPLE_RATE == pytest.approx(3.21, abs=0.05)
    assert onset(decoded) == pytest.approx(2.0, abs=0.02)
    second = decoded[:, round(2.1 * SAMPLE_RATE) : round(3.1 * SAMPLE_RATE)]
    assert amplitude_at(second, 440) == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize("suffix", [".mp3", ".m4a"])
def test_coders_keep_the_wave_and_its_peaks(tmp_path: Path, suffix: str) -> None:
    """Of strokes and bright chords; what is above 6 kHz stays itself, and is not other noise."""
    samples = heard(band())
    bright = np.random.default_rng(0).normal(0, 0.02, samples.shape).astype(np.float32)
    samples = samples + bright * np.abs(samples[:1] + samples[1:])
    write_audio(tmp_path / f"band{suffix}", samples)
    decoded = read_sound(tmp_path / f"band{suffix}")[:, : samples.shape[1]]
    length = decoded.shape[1]
    assert levels(decoded)[1] < levels(samples)[1] + 0.7
    error, given = (
        np.abs(np.fft.rfft(sound[:, :length])[:, 6000 * length // SAMPLE_RATE :]).std()
        for sound in (decoded - samples[:, :length], samples)
    )
    assert error < 0.3 * given


def test_onsets_of_music_are_where_the_midi_says(tmp_path: Path) -> None:
    midi = tmp_path / "one.mid"
    score({"Guitar": [(3.5, 1, 64)]}, tempo=96).dump_midi(str(midi))
    samples = heard(midi, duration=4)
    for suffix in (".wav", ".mp3", ".m4a"):
        write_audio(tmp_path / f"one{suffix}", samples)
        found = onset(read_sound(tmp_path / f"one{suffix}"))
        assert found == pytest.approx(3.5 * 60 / 96, abs=0.02)


CONTAINERS = [
    ("clip.mp4", "out.mp4"),
    ("a clip.v2 ü.mp4", "o.v3 é.mov"),
    ("10:30.mp4", "out.mkv"),
    ("clip.mkv", "out.mp4"),
    ("clip.webm", "out.webm"),
]


@pytest.mark.parametrize("start", [0.0, 0.48])
@pytest.mark.parametrize(("name", "result"), CONTAINERS)
def test_mux_copies_the_pictures_bit_for_bit(
    tmp_path: Path, name: str, result: str, start: float
) -> None:
    codec = "libvpx" if name.endswith("webm") else "libx264"
    video = make_video(tmp_path / name, codec, start=start)
    before = video.read_bytes()
    sound = tone(440, 5.0)  # longer than the pictures
    sound[:, : SAMPLE_RATE // 2] = 0
    mux(video, sound, tmp_path / result)
    assert video.read_bytes() == before

    old_bytes, old_times = packets(video)
    new_bytes, new_times = packets(tmp_path / result)
    assert new_bytes == old_bytes
    both = ~np.isnan(old_times) & ~np.isnan(new_times)
    assert both[:, 0].all()
    np.testing.assert_allclose(new_times[both], old_times[both] - start, atol=1e-3)
    assert video_duration(tmp_path / result) == pytest.approx(2.0, abs=1e-3)
    decoded = read_sound(tmp_path / result)
    assert decoded.shape[1] / SAMPLE_RATE == pytest.approx(2.0, abs=0.05)
    assert onset(decoded) == pytest.approx(0.5, abs=0.03)
    with av.open(str(tmp_path / result)) as target:
        assert [stream.type for stream in target.streams] == ["video", "audio"]
        assert (target.duration or 0) / 1e6 == pytest.approx(2.0, abs=0.05)


def test_mux_keeps_rotation(tmp_path: Path) -> None:
    if not hasattr(av.VideoStream, "set_display_rotation"):
        pytest.skip("this PyAV cannot write a rotation to test with")
    video = make_video(tmp_path / "turned.mp4", rotation=90)
    mux(video, tone(440, 2), tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as target:
        assert next(target.decode(video=0)).rotation == 90


def test_outputs_beside_one_that_fails_are_written_and_told(tmp_path: Path) -> None:
    (tmp_path / "a.wav").mkdir()
    sound = Recording([tone(440, 0.5)])
    written = []
    with pytest.raises(InputError, match=r"a\.wav: is a folder"):
        for file in Soundtrack(Music(sound, {}, [])).write_all(
            [tmp_path / name for name in ("a.wav", "b.wav", "c.mp3")]
        ):
            written.append(file.path.name)
    assert written == ["b.wav", "c.mp3"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "b.wav", "c.mp3"]


def test_mux_refuses_what_cannot_be(tmp_path: Path) -> None:
    video = make_video(tmp_path / "clip.mp4")
    before = video.read_bytes()
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    mux(video, tone(440, 2), tmp_path / "loop.mp4")
    assert video_duration(tmp_path / "loop.mp4") == pytest.approx(2, abs=0.1)
    (tmp_path / "loop.mp4").unlink()
    for out, cause in (
        (video, "the video itself"),
        (tmp_path / "." / "clip.mp4", "the video itself"),
        (tmp_path / "out.gif", r"\.gif"),
    ):
        with pytest.raises(InputError, match=cause):
            mux(video, tone(440, 2), out)
    assert video.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize(("name", "start"), [("clip.mp4", 0.0), ("clip.mkv", 0.48)])
def test_mix_keeps_the_own_sound_at_its_level(tmp_path: Path, name: str, start: float) -> None:
    own = tone(440, 2.0)
    own[:, : SAMPLE_RATE // 2] = 0
    video = make_video(tmp_path / name, start=start, sound=own)
    music = tone(1000, 2.0)
    mixed = mix(video, music, 0.5)[:, :]
    second = mixed[:, round(0.75 * SAMPLE_RATE) : round(1.75 * SAMPLE_RATE)]
    assert amplitude_at(second, 440) == pytest.approx(0.25, rel=0.03)
    assert amplitude_at(second, 1000) == pytest.approx(0.125, rel=0.01)
    before = mixed[:, : round(0.45 * SAMPLE_RATE)]
    assert amplitude_at(before, 440) < 0.005
    assert music.max() == pytest.approx(0.25, rel=1e-3)  # the music itself is left as it was


def test_mix_without_own_sound_is_the_music_and_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    video = tmp_path / "silent.mp4"
    mux(make_video(tmp_path / "clip.mp4"), tone(440, 2), tmp_path / "with.mp4")
    with av.open(str(tmp_path / "with.mp4")) as source, av.open(str(video), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = copy
                target.mux(packet)
    music = tone(1000, 2.0)
    np.testing.assert_array_equal(mix(video, music, 0.5)[:, :], music)
    assert "no sound of its own" in caplog.text


def test_how_the_music_steps_back_is_told_in_few_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cmt.sound.ducking.speech", speech_by_energy)
    own = tone(600, 4.0)
    time = np.arange(own.shape[1]) / SAMPLE_RATE
    own *= ((time > 1.5) & (time < 2.5)).astype(np.float32) + 1e-3
    music = tone(1000, 4.0)
    points = stepping_back(make_video(tmp_path / "clip.mp4", sound=own), music, 0.5)
    gain = ducking(own, loudness(music * 0.5))
    assert gain.min() < 0.55 and len(points) < 40 < len(gain)
    at = np.arange(len(gain)) * FRAME / SAMPLE_RATE
    seconds, gains = zip(*points, strict=True)
    # As the film has it, but for a frame or two: its sound went through AAC.
    assert np.interp(at, seconds, gains) == pytest.approx(gain, abs=0.15)
    assert np.interp([1.2, 2.0, 3.3], seconds, gains) == pytest.approx([1, gain.min(), 1], abs=0.01)
