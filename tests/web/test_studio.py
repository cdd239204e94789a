"""What the page does, without a server."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

import gen_midi_conditional
from cmt import options
from cmt.control import Control, save_control
from cmt.files import InputError
from cmt.model import checkpoint, products
from cmt.model.network import CMT
from cmt.moods import MOODS
from cmt.music.midi import read_midi
from cmt.rhythm import VideoRhythm, load_rhythm
from cmt.sound.film import has_sound, video_duration
from cmt.web import settings
from cmt.web.asking import settings_of
from cmt.web.changes import again, revise
from cmt.web.downloads import pack
from cmt.web.sessions import Session, read_json
from cmt.web.studio import Studio
from conftest import SMALL


def silently(share: float, stage: str, doing: str) -> None:
    assert 0 <= share <= 1 and stage and doing.endswith(".")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    torch.manual_seed(0)
    ckpt = tmp_path_factory.mktemp("exp") / "model.pt"
    checkpoint.save(ckpt, CMT(SMALL))
    return Studio(ckpt, max_minutes=1)


def report_of(folder: Path, name: str) -> int:
    """Notes that an instrument plays in a take."""
    return int(read_json(folder / "music.mid.json")["notes"][name])


def do(studio: Studio, session: Session, **order: Any) -> Any:
    """Carry out an order, as the server does."""
    new = session.new_folder()
    result = studio.do({**order, "new": str(new)}, order.get("tell", silently))
    session.take_in(new)
    return result


def visit(studio: Studio, folder: Path, video: Path, name: str = "holiday.mp4") -> Session:
    folder.mkdir()
    shutil.copyfile(video, folder / "video")
    session = Session(folder)
    do(studio, session, kind="open", name=name)
    do(studio, session, kind="analyse")
    return session


@pytest.fixture(scope="module")
def watched(studio: Studio, excerpt: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    return visit(studio, tmp_path_factory.mktemp("visits") / "one", excerpt)


@pytest.fixture
def session(watched: Session, tmp_path: Path) -> Session:
    """A session whose video was watched."""
    return Session(Path(shutil.copytree(watched.folder, tmp_path / "session")))


def test_a_video_is_seen(watched: Session) -> None:
    state, timeline = watched.state(), watched.timeline
    assert timeline
    assert state["timeline"] and state["video"]["duration"] == pytest.approx(4, abs=0.1)
    assert not state["video"]["has_sound"]
    assert 0 < state["video"]["analysing"] < state["video"]["estimate_s"]
    assert timeline["octaves"] == [timeline["tempo"] * factor for factor in (0.5, 1, 2)]
    assert np.diff(timeline["beats"]) == pytest.approx(60 / timeline["tempo"], rel=0.3)
    assert timeline["bars"] == timeline["beats"][::4]
    # A second after its beginning the excerpt has a cut to a place as much brighter as by a flash.
    assert [hit["kind"] for hit in timeline["hits"] if abs(hit["second"] - 1) < 0.06] == ["flash"]
    assert timeline["scenes"][0]["start"] == 0 and timeline["scenes"][-1]["end"] == pytest.approx(4)
    assert timeline["suggested"]["mood"] in MOODS
    strip = timeline["thumbnails"]
    with av.open(str(watched.folder / "thumbnails.jpg")) as picture:
        frame = next(picture.decode(video=0))
    assert (frame.width, frame.height) == (strip["width"] * len(strip["times"]), strip["height"])
    assert strip["times"][0] == 0 and strip["times"] == sorted(strip["times"])


def test_takes_can_be_made_again(studio: Studio, session: Session, tmp_path: Path) -> None:
    asked = {
        "genre": "rock", "instruments": ["Piano", "Bass"], "key": "D minor", "takes": 2,
        "follow": 0.5, "tempo": 100, "seed": 5, "timbres": {"Piano": "organ"},
    }  # fmt: skip
    do(studio, session, kind="compose", asked=asked)
    takes = session.state()["takes"]
    folders = [session.folder / "takes" / str(take["id"]) for take in takes]
    reports = [read_json(folder / "music.mid.json") for folder in folders]
    assert sorted(report["seed"] for report in reports) == [5, 6]
    assert [report["rank"] for report in reports] == [1, 2]
    assert {take["settings"]["precision"] for take in takes} == {"float32"}
    assert [take["settings"]["seed"] for take in takes] == [report["seed"] for report in reports]
    assert {report["band"]["Piano"] for report in reports} == {"organ"}
    assert all(term["meaning"].endswith(".") for take in takes for term in take["research"])
    rhythm = load_rhythm(session.folder / "rhythm.json")
    for take, folder in zip(takes, folders, strict=True):
        assert video_duration(folder / "music.mp4") == pytest.approx(rhythm.duration)
        assert has_sound(folder / "music.mp4")
        roll = read_json(folder / "roll.json")
        assert {note[3] for note in roll["notes"]} <= {"Piano", "Bass"}
        assert all(0 <= start < end <= 4.01 for start, end, *_ in roll["notes"])
        assert f"of {len(roll['heard'])}" in take["words"][0]
        assert take["stems"] == [name for name in ("Piano", "Bass") if report_of(folder, name)]
        assert {path.stem for path in folder.glob("stems/*.flac")} == set(take["stems"])
        with zipfile.ZipFile(pack(folder, "holiday.mp4")) as packed:
            named = {name.removeprefix(f"holiday_music_{take['id']}") for name in packed.namelist()}
            kinds = {"mp4", "wav", "mp3", "mid", "json", "markers.csv", "markers.edl"}
            wavs = {f"_{name}.wav" for name in take["stems"]}
            assert named == {f".{kind}" for kind in kinds} | wavs
            for name in wavs:
                sound = av.open(io.BytesIO(packed.read(f"holiday_music_{take['id']}{name}")))
                assert sound.duration == pytest.approx(4e6, abs=1e5)
                assert sound.streams.audio[0].codec_context.name == "pcm_s16le"
        markers = (folder / "music.markers.csv").read_text().splitlines()
        hits = sum(",hit,hit" in line for line in markers)
        assert hits == len(read_json(folder / "music.mid.json")["visual_beats"])

    # The take alone from its settings on the page, and from its JSON by the script.
    do(studio, session, kind="compose", asked=takes[1]["settings"])
    assert (session.folder / "takes/3/music.mid").read_bytes() == (
        folders[1] / "music.mid"
    ).read_bytes()
    npz = tmp_path / "VIDEO.npz"
    save_control(npz, Control.of(rhythm))
    again = ["--settings", str(folders[0] / "music.mid.json"), "-f", str(npz), "--markers"]
    gen_midi_conditional.main([*again, "--out_dir", str(tmp_path)])
    assert (tmp_path / "VIDEO.mid").read_bytes() == (folders[0] / "music.mid").read_bytes()


def test_what_is_made_again_is_made_as_it_was() -> None:
    assert set(options.PRECISIONS) == {products.AUTO, *products.PRECISIONS}
    control = Control.of(VideoRhythm(8.0, 120.0, (), (1.0,)))
    for given, precision in (
        ({"takes": 1}, "auto"), ({"takes": 2}, "float32"), ({}, "float32"),
        ({"takes": 1, "precision": "int8"}, "int8"), ({"precision": "int8"}, "float32"),
    ):  # fmt: skip
        assert settings_of(settings.read(given), control, []).precision == precision


def test_only_a_passage_changes(studio: Studio, film: Path, tmp_path: Path) -> None:
    session = visit(studio, tmp_path / "session", film)
    do(studio, session, kind="compose", asked={"takes": 1, "seed": 2, "instruments": ["Piano"]})
    (take,) = session.state()["takes"]
    starts = read_json(session.folder / "takes/1/roll.json")["bars"]
    body = {"from_bar": 0, "to_bar": 1, "seed": 8}
    do(studio, session, kind="compose", asked=again(take["settings"], body, 1, starts))
    rolls = [read_json(session.folder / f"takes/{number}/roll.json") for number in (1, 2)]
    after = rolls[0]["bars"][1]
    inside, outside = (
        [
            sorted(note[0:1] + note[2:4] for note in roll["notes"] if (note[0] < after) == within)
            for roll in rolls
        ]
        for within in (True, False)
    )
    assert outside[0] == outside[1] and inside[0] != inside[1]
    last = session.state()["takes"][1]
    assert last["of"] == 1 and last["changed"] == [0]
    assert last["words"][0].startswith("As Take 1, but from 0:00 to 0:0")
    # A hit that is left out, in the second bar; then a section, of the take that this gave.
    assert session.timeline
    hits, bars = session.timeline["hits"], rolls[0]["bars"]
    gone = next(hit for hit in hits if bars[1] < hit["second"] < (bars[2:] or [4])[0])
    body = {"sections": [], "hits": [hit["id"] for hit in hits if hit is not gone], "seed": 1}
    do(studio, session, kind="compose", asked=revise(last["settings"], body, 2, bars))
    last = session.state()["takes"][2]
    assert last["of"] == 2 and last["changed"] == [1]
    roll = read_json(session.folder / "takes/3/roll.json")
    assert gone["second"] not in [each["second"] for each in roll["heard"]]
    body["sections"] = [{"bar": 0}, {"bar": 9, "start": bars[1] + 0.1, "energy": 0}]
    do(studio, session, kind="compose", asked=revise(last["settings"], body, 3, bars))
    last = session.state()["takes"][3]
    assert last["changed"] == list(range(1, len(bars)))
    # Its settings make it again.
    do(studio, session, kind="compose", asked=last["settings"])
    midis = [(session.folder / f"takes/{number}/music.mid").read_bytes() for number in (4, 5)]
    assert midis[0] == midis[1]


def test_a_section_rests_and_hits_are_edited(studio: Studio, session: Session) -> None:
    assert session.timeline
    hits, bars = session.timeline["hits"], session.timeline["bars"]
    left_out = hits[0]["second"]
    asked = {
        "takes": 1, "mood": "happy", "tempo": session.timeline["tempo"],
        "hits": [*(hit["id"] for hit in hits[1:]), {"second": 0.5, "strength": 1}],
        "sections": [{"bar": 0, "energy": 1}, {"bar": 1, "energy": 0}],
    }  # fmt: skip
    do(studio, session, kind="compose", asked=asked)
    roll = read_json(session.folder / "takes/1/roll.json")
    seconds = [each["second"] for each in roll["heard"]]
    assert 0.5 in seconds and left_out not in seconds
    assert roll["notes"] and max(note[0] for note in roll["notes"]) < bars[1] + 0.1


def test_a_preview_is_the_beginning(
    studio: Studio, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cmt.web.studio.PREVIEW", 2.0)
    do(studio, session, kind="compose", asked={"takes": 1, "preview": True})
    (take,) = session.state()["takes"]
    assert take["preview"] and take["duration"] == pytest.approx(2, abs=0.2)
    folder = session.folder / "takes/1"
    with av.open(str(folder / "music.mp3")) as sound:
        assert 2 <= sound.duration / av.time_base < 5
    assert not (folder / "music.mp4").exists()
    assert max(note[1] for note in read_json(folder / "roll.json")["notes"]) <= 2.01
    do(studio, session, kind="compose", asked=take["settings"] | {"preview": False})
    assert session.state()["takes"][1]["duration"] > 3
    first, whole = (read_json(session.folder / f"takes/{n}/roll.json") for n in (1, 2))
    began = [
        {(start, *note) for start, _, *note in roll["notes"] if start < 1.8}
        for roll in (first, whole)
    ]
    assert began[0] == began[1] and len(began[0]) > 2
    assert whole["bars"][: len(first["bars"])] == first["bars"]
    assert [hit for hit in whole["heard"] if hit["second"] < 1.8] == [
        hit for hit in first["heard"] if hit["second"] < 1.8
    ]


def test_what_is_no_video_is_told_without_a_path(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "video").write_text("no video")
    new = Session(tmp_path).new_folder()
    with pytest.raises(InputError, match=r"^This video cannot be opened") as caught:
        studio.open(tmp_path, new, "$(touch x); bad.mp4", silently)
    assert str(tmp_path) not in str(caught.value) and "bad" not in str(caught.value)


def test_long_videos_are_refused(
    studio: Studio, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio, "max_minutes", 0.05)
    with pytest.raises(InputError, match=r"longer than 0.05 minutes.*--max_minutes"):
        studio.open(session.folder, session.new_folder(), "film.mp4", silently)


def test_work_ends_when_told(studio: Studio, session: Session) -> None:
    def stop(share: float, stage: str, doing: str) -> None:
        if share > 0.3:
            raise KeyError("enough")

    for order in ({"kind": "analyse"}, {"kind": "compose", "asked": {}}):
        with pytest.raises(KeyError, match="enough"):
            do(studio, session, **order, tell=stop)
    assert not session.state()["takes"]


def test_the_own_sound_is_kept_under_the_music(
    studio: Studio, session: Session, tmp_path: Path
) -> None:
    # Of a seed whose music has no peaks for which the film's limiter would turn it down.
    do(studio, session, kind="compose", asked={"takes": 1, "seed": 1})
    first = session.folder / "takes/1/music.mp4"
    talking = visit(studio, tmp_path / "talking", first)
    assert talking.clip and talking.clip["has_sound"]
    for balance in (1.0, 0.0):
        asked = {"takes": 1, "seed": 1, "keep_audio": True, "balance": balance}
        do(studio, talking, kind="compose", asked=asked)

    def level(path: Path) -> float:
        with av.open(str(path)) as source:
            return float(
                np.mean([np.square(f.to_ndarray()).mean() for f in source.decode(audio=0)])
            )

    # The own sound is the same music: twice at twice the amplitude, and once.
    loud, quiet = (talking.folder / f"takes/{number}/music.mp4" for number in (1, 2))
    assert level(loud) == pytest.approx(4 * level(quiet), rel=0.6)
    assert level(quiet) == pytest.approx(level(first), rel=0.1)
    # The page's mixer is told how the music steps back, as the film does.
    takes = [talking.folder / f"takes/{number}" for number in (1, 2)]
    told = [read_json(take / "roll.json")["ducking"] for take in takes]
    assert all(points[0][0] == 0 and points[-1][0] == pytest.approx(4, abs=0.1) for points in told)
    report = json.loads((talking.folder / "takes/1/music.mid.json").read_text())
    assert report["keep_audio"] == 1.0


def test_what_browsers_cannot_play_gets_a_copy(studio: Studio, tmp_path: Path) -> None:
    path = tmp_path / "old.avi"
    with av.open(str(path), "w") as target:
        stream = target.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in range(20):
            picture = np.full((48, 64, 3), 10 * level, np.uint8)
            target.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        target.mux(stream.encode(None))
    session = visit(studio, tmp_path / "session", path)
    do(studio, session, kind="compose", asked={"takes": 1})
    codecs = []
    for one in (session.folder / "playable.mp4", session.folder / "takes/1/music.mp4"):
        with av.open(str(one)) as source:
            codecs.append(source.streams.video[0].codec_context.name)
        assert video_duration(one) == pytest.approx(2, abs=0.01)
    assert codecs == ["h264", "mpeg4"]


def test_music_ends_with_the_video(studio: Studio, session: Session) -> None:
    do(studio, session, kind="compose", asked={"takes": 1})
    midi = read_midi(session.folder / "takes/1/music.mid")
    seconds = midi.song.length / 4 * 60 / midi.tempo
    assert 4 - 60 / midi.tempo / 4 <= seconds <= 4.01
