"""The page's server, over HTTP, with a worker that needs no model."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

pytest.importorskip("starlette", reason="starlette is not installed (extra `web`)")
pytest.importorskip("httpx", reason="httpx is not installed (extra `dev`)")

from starlette.testclient import TestClient

from cmt.files import InputError
from cmt.music.midi import to_midi
from cmt.music.words import NOTE_DTYPE, Song
from cmt.web import settings
from cmt.web.guard import Hosts
from cmt.web.queue import Job, Lane, Queue, Worker
from cmt.web.server import Page
from cmt.web.sessions import MAX_OF_ADDRESS, Session, Sessions, home_of
from cmt.web.words import CRASHED

URL = "http://127.0.0.1:7860"
FAKE = [sys.executable, str(Path(__file__).with_name("fake_worker.py"))]
PATIENCE = 30.0  # seconds


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def client(home: Path) -> Iterator[TestClient]:
    with opened(home) as client:
        yield client


def opened(home: Path, max_minutes: float = 1.0) -> TestClient:
    page = Page(Sessions(home), Queue(FAKE), max_minutes)
    return TestClient(page.app(Hosts.of("127.0.0.1")), URL, raise_server_exceptions=False)


def begin(client: TestClient) -> str:
    return f"/api/sessions/{client.post('/api/sessions').json()['session']}"


def give(client: TestClient, mine: str, content: bytes = b"", name: str = "holiday.mp4") -> Any:
    answer = client.put(f"{mine}/video?name={quote(name)}", content=content or b"quick")
    assert answer.status_code == 202, answer.text
    return answer.json()


def until(client: TestClient, mine: str, known: Callable[[Any], Any]) -> Any:
    """The first state of which something is known."""
    end = time.monotonic() + PATIENCE
    while not known(state := client.get(mine).json()):
        assert time.monotonic() < end, state
        time.sleep(0.02)
    return state


def idle(state: Any) -> bool:
    return state["work"] is None


def compose(client: TestClient, mine: str, **asked: Any) -> Any:
    answer = client.post(f"{mine}/compose", json=asked)
    assert answer.status_code == 202, answer.text
    return until(client, mine, idle)


def test_a_video_gets_takes_and_their_files_are_named_after_it(client: TestClient) -> None:
    mine = begin(client)
    given = give(client, mine, name="C:\\films\\my holiday.mp4")
    assert given["work"]["stage"] == "looking" and given["work"]["place"] == 0
    watched = until(client, mine, idle)
    assert watched["video"]["name"] == "my holiday.mp4" and watched["timeline"]
    assert [take["id"] for take in compose(client, mine, takes=2)["takes"]] == [1, 2]
    last = compose(client, mine, takes=1)["takes"][-1]
    assert last["id"] == 3 and last["name"] == "Take 3" and last["words"] == ["Hits all."]

    for kind in ("mp4", "mp3", "mid"):
        answer = client.get(f"{mine}/takes/3/files/{kind}")
        assert answer.text == f'"music.{kind}"'
        wanted = f"attachment; filename*=utf-8''my%20holiday_music_3.{kind}"
        assert answer.headers["content-disposition"] == wanted
    packed = zipfile.ZipFile(io.BytesIO(client.get(f"{mine}/takes/3/files/zip").content))
    assert set(packed.namelist()) == {
        f"my holiday_music_3.{kind}" for kind in ("mp4", "mp3", "mid", "json")
    }
    part = client.get(f"{mine}/takes/3/files/mp4", headers={"Range": "bytes=1-5"})
    assert (part.status_code, part.text) == (206, "music")
    for missing in ("takes/9/files/mp4", "takes/3/files/wav", "takes/3/files/stems/../take.json"):
        assert client.get(f"{mine}/{missing}").status_code == 404


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("../../etc/passwd.mp4", "passwd"),
        ("$(touch x); `y`.mp4", "touch x_ _y"),
        ("..", "video"),
        ("été 名前.mov", "été 名前"),
        ("a\r\nb\x00.mp4", "ab"),
        ("", "video"),
        ("x" * 5000 + ".mp4", "x" * 96),
    ],
)
def test_no_name_is_a_path(client: TestClient, home: Path, name: str, stem: str) -> None:
    mine = begin(client)
    give(client, mine, name=name)
    until(client, mine, idle)
    compose(client, mine)
    said = client.get(f"{mine}/takes/1/files/mid").headers["content-disposition"]
    assert said.endswith((f'="{stem}_music_1.mid"', f"''{quote(stem)}_music_1.mid"))
    (folder,) = (path for path in home.iterdir() if path.is_dir())
    assert {path.name for path in folder.iterdir()} == {
        "video", "clip.json", "rhythm.json", "timeline.json", "takes", "used"
    }  # fmt: skip


def test_every_request_names_this_server(client: TestClient) -> None:
    mine = begin(client)
    paths = ["/", "/api/limits", "/static/index.html", mine, f"{mine}/timeline", "/nothing"]
    for path in paths:
        for host in ("evil.example", "127.0.0.1.evil.example", "192.168.1.5", "", "[::1"):
            answer = client.get(path, headers={"Host": host})
            assert answer.status_code == 403, (path, host)
            assert "--allow-host" in answer.json()["message"]
        for host in ("127.0.0.1:7860", "localhost:1", "[::1]:7860", "LOCALHOST"):
            assert client.get(path, headers={"Host": host}).status_code != 403, (path, host)
    changes = [("POST", "/api/sessions"), ("PUT", f"{mine}/video"), ("DELETE", mine)]
    for method, path in changes:
        answer = client.request(method, path, headers={"Host": "evil.example"})
        assert answer.status_code == 403


def test_no_other_page_may_change_anything(client: TestClient) -> None:
    mine = begin(client)
    changes = [
        ("POST", "/api/sessions"), ("PUT", f"{mine}/video"), ("POST", f"{mine}/sample"),
        ("POST", f"{mine}/compose"), ("POST", f"{mine}/stop"), ("DELETE", mine),
    ]  # fmt: skip
    strange = [
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://127.0.0.1:1234"}, {"Origin": "http://["},
    ]  # fmt: skip
    for method, path in changes:
        for headers in strange:
            assert client.request(method, path, headers=headers).status_code == 403, (path, headers)
    assert client.post(f"{mine}/stop", headers={"Origin": URL}).status_code == 200


def test_a_network_has_addresses_and_the_names_given() -> None:
    hosts = Hosts.of("0.0.0.0", ["Music.example.org"])
    for name in ("192.168.1.5:7860", "[fe80::1]:80", "localhost", "music.example.org"):
        assert hosts.allow(name)
    assert not hosts.allow("evil.example") and not hosts.allow("music.example.org.evil.example")
    assert hosts.allow_origin("https://music.example.org", "127.0.0.1:7860")
    assert not hosts.allow_origin("https://evil.example", "127.0.0.1:7860")


def test_browsers_fetch_nothing_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/api/limits", "/nothing"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy and "http" not in policy and "*" not in policy


def test_a_session_is_its_visitors_alone(client: TestClient) -> None:
    mine, other = begin(client), begin(client)
    give(client, mine)
    until(client, mine, idle)
    assert client.get(other).json()["video"] is None
    assert client.get(f"{other}/video").status_code == 404
    for wrong in ("a" * 32, "..", "%2e%2e", mine.rpartition("/")[2][:-1]):
        assert client.get(f"/api/sessions/{wrong}").status_code == 404
    assert client.delete(mine).status_code == 200
    answer = client.get(mine)
    assert answer.status_code == 404 and "no longer here" in answer.json()["message"]


def test_uploads_are_bounded_while_they_come(home: Path) -> None:
    with opened(home, max_minutes=0.002) as client:
        assert client.get("/api/limits").json()["max_upload_mb"] == 1
        mine = begin(client)

        def parts() -> Iterator[bytes]:
            for _ in range(11):
                yield bytes(100_000)

        for content in (bytes(1_000_001), parts()):
            answer = client.put(f"{mine}/video?name=x.mp4", content=content)
            assert answer.status_code == 422
            assert answer.json()["field"] == "video" and "1 MB" in answer.json()["message"]
        assert client.put(f"{mine}/video", content=b"").status_code == 422
        (folder,) = home.iterdir()
        assert [path.name for path in folder.iterdir()] == ["used"]


def test_errors_name_the_field_and_no_path(
    client: TestClient, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine = begin(client)
    give(client, mine, b"wrong")
    assert until(client, mine, idle)["error"]["field"] == "video"
    answer = client.post(f"{mine}/compose", json={})
    assert answer.status_code == 422 and answer.json()["field"] == "video"
    give(client, mine)
    until(client, mine, idle)
    for content, field in (
        ({"tempo": 5}, "tempo"), ({"genre": "polka"}, "genre"), ({"takes": 99}, "takes"),
        ({"instruments": []}, "instruments"), ({"chords": "Am Q"}, "chords"),
        ({"follow": "much"}, "follow"), ({"key": "H major"}, "key"), ([], "settings"),
        ({"hits": [{"second": -1}]}, "hits"), ({"seed": 1e99}, "seed"),
        ({"timbres": {"Piano": "flute"}}, "timbres"), ({"theme": {"notes": 3}}, "theme"),
    ):  # fmt: skip
        answer = client.post(f"{mine}/compose", json=content)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
        assert answer.json()["message"].endswith(".") and "/" not in answer.json()["message"]
    assert client.post(f"{mine}/compose", content=b"{").json()["field"] == "settings"
    assert client.get(f"{mine}/timeline?tempo=much").json()["field"] == "tempo"
    assert not caplog.records

    with caplog.at_level(logging.ERROR):
        for content in (b"crash", b"death"):
            give(client, mine, content)
            assert until(client, mine, idle)["error"] == {"field": None, "message": CRASHED}
    assert "a secret" in caplog.text and "ended with 3" in caplog.text
    give(client, mine)
    assert until(client, mine, idle)["timeline"]


def test_stop_ends_what_does_not_listen(client: TestClient) -> None:
    mine, other = begin(client), begin(client)
    give(client, mine, b"slow")
    until(client, mine, lambda state: state["work"] and state["work"]["doing"] == "Doing it.")
    until(client, mine, lambda state: state["work"]["stage"] == "looking" and state["video"])
    give(client, other)
    assert client.get(other).json()["work"]["place"] == 1
    assert client.post(f"{mine}/stop").json()["work"] is None
    assert until(client, other, idle)["timeline"]
    assert not client.get(mine).json()["timeline"] and client.get(mine).json()["video"]


def test_a_long_film_is_asked_about_and_keeps_nobody_waiting(client: TestClient) -> None:
    mine, other = begin(client), begin(client)
    give(client, mine, b"long")
    asked = until(client, mine, idle)
    assert asked["video"]["estimate_s"] == 1000 and not asked["timeline"]
    assert client.post(f"{mine}/analyse").status_code == 202
    until(client, mine, lambda state: state["work"] and state["work"]["doing"] == "Doing it.")
    give(client, other)
    assert until(client, other, idle)["timeline"]
    assert client.get(mine).json()["work"]["place"] == 0


def test_twenty_visitors_in_turn(client: TestClient, home: Path) -> None:
    first, *visitors = [begin(client) for _ in range(21)]
    give(client, first, b"slow")
    until(client, first, lambda state: state["video"] and state["work"]["doing"] == "Doing it.")
    for mine in visitors:
        give(client, mine)
    works = [client.get(mine).json()["work"] for mine in visitors]
    assert [work["place"] for work in works] == list(range(1, 21))
    client.post(f"{first}/stop")
    for mine in visitors:
        until(client, mine, idle)
        assert client.post(f"{mine}/compose", json={}).status_code == 202
    for mine in visitors:
        assert len(until(client, mine, idle)["takes"]) == 1
    served = [line.split() for line in (home / "served").read_text().splitlines()]
    assert [name for name, kind in served if kind == "open"] == [
        mine.rpartition("/")[2] for mine in (first, *visitors)
    ]


def test_who_has_many_videos_keeps_nobody_else_waiting(home: Path) -> None:
    sessions = Sessions(home)
    lane = Lane(Worker(FAKE, 0))
    many = [sessions.begin("10.0.0.1") for _ in range(4)]
    others = [sessions.begin(f"10.0.0.{number}") for number in (2, 3)]
    asyncio.run(_queued(lane, [*many, *others]))
    served = [line.split()[0] for line in (home / "served").read_text().splitlines()]
    assert served == [each.token for each in (many[0], *others, *many[1:])]
    for _ in range(MAX_OF_ADDRESS - len(many)):
        sessions.begin("10.0.0.1")
    with pytest.raises(InputError, match=rf"{MAX_OF_ADDRESS} videos here from your address"):
        sessions.begin("10.0.0.1")
    sessions.end(many[0])
    sessions.begin("10.0.0.1")


async def _queued(lane: Lane, sessions: list[Session]) -> None:
    """Have a job done for each of some sessions, all of which wait together."""
    left = asyncio.Semaphore(0)
    for session in sessions:
        (session.folder / "video").write_bytes(b"quick")
        lane.add(Job(session, {"kind": "open", "name": "x"}, lambda clip: left.release()))
    running = asyncio.create_task(lane.run())
    for _ in sessions:
        await left.acquire()
    running.cancel()
    await lane.worker.end()


def test_a_dead_server_s_sessions_are_found_at_another_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with home_of("127.0.0.1:7860") as living:
        kept = Sessions(living).begin().token
        dead = living.with_name("127.0.0.1_7861")
        dead.mkdir(mode=0o700)
        lost = Sessions(dead).begin().token
        (dead / lost / "timeline.json").write_text("{}")
        with pytest.raises(InputError, match="used by another server"), home_of("127.0.0.1:7860"):
            pass
        with home_of("127.0.0.1:7862") as home:
            assert Sessions(home).find(lost) and not Sessions(home).find(kept)
            assert not dead.exists()
        assert (living / kept).exists() and not home.exists()
    assert not list(tmp_path.iterdir())


def test_what_is_finished_outlives_the_server(home: Path) -> None:
    with opened(home) as client:
        mine, unfinished, empty = begin(client), begin(client), begin(client)
        give(client, mine)
        until(client, mine, idle)
        compose(client, mine)
        give(client, unfinished, b"slow")
        until(client, unfinished, lambda state: state["video"])
        # As it is when the server is killed: nothing is cleaned up.
        shutil.copytree(home, killed := home.with_name("killed"))
    assert list(killed.glob("*/new-*"))
    with opened(killed) as client:
        assert [take["id"] for take in client.get(mine).json()["takes"]] == [1]
        assert client.get(f"{mine}/takes/1/files/mp4").status_code == 200
        assert client.get(unfinished).status_code == client.get(empty).status_code == 404
        assert [path.name for path in killed.iterdir() if path.is_dir()] == [mine[-32:]]


def test_a_passage_of_a_take_is_made_again(client: TestClient) -> None:
    mine = begin(client)
    give(client, mine)
    until(client, mine, idle)
    compose(client, mine, takes=1, seed=4, follow=0.5)
    for number in (1, 2):  # of the first take, then of that
        body = {"from_bar": number, "to_bar": 4, "seed": 7}
        assert client.post(f"{mine}/takes/{number}/again", json=body).status_code == 202
        last = until(client, mine, idle)["takes"][-1]
        assert last["of"] == number and last["settings"]["seed"] == 4
        assert len(last["settings"]["passages"]) == number
    for body, field in (
        ({"from_bar": -1}, "from_bar"), ({"from_bar": 3, "to_bar": 3}, "to_bar"),
        ({"from_bar": 4, "to_bar": 5}, "from_bar"), ({"from_bar": 3, "to_bar": 5}, "to_bar"),
    ):  # fmt: skip
        answer = client.post(f"{mine}/takes/1/again", json=body)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert client.post(f"{mine}/takes/9/again", json={}).status_code == 404


def test_what_is_locked_is_not_made_again(client: TestClient) -> None:
    mine = begin(client)
    give(client, mine)
    until(client, mine, idle)
    compose(client, mine, takes=1, seed=4)  # its bars begin at 0, 1, 2 and 3 s
    whole = {"from_bar": 0, "to_bar": 4, "seed": 7}
    asked = {**whole, "locked": [[1.0, 2.0]], "sections": [], "hits": [0]}
    assert client.post(f"{mine}/takes/1/again", json=asked).status_code == 202
    made = until(client, mine, idle)["takes"][-1]["settings"]
    assert made["locked"] == [[1.0, 2.0]] and made["passages"] == [
        {"sections": [], "hits": [0], "seed": 7, "kept": [1]},
        {"from_bar": 0, "to_bar": 1, "seed": 7},
        {"from_bar": 2, "to_bar": 4, "seed": 7},
    ]
    # Its locks are those of what is made of it, unless others are told.
    assert client.post(f"{mine}/takes/2/again", json=whole | {"to_bar": 2}).status_code == 202
    made = until(client, mine, idle)["takes"][-1]["settings"]
    assert made["passages"][3:] == [{"from_bar": 0, "to_bar": 1, "seed": 7}]
    for locked, message in (
        ([[0, 9]], "All of this is locked"), ([[1]], "not a list of beginnings"),
        ([["x", 2]], "Give a number"), ("x", "not a list"),
    ):  # fmt: skip
        answer = client.post(f"{mine}/takes/1/again", json=whole | {"locked": locked})
        assert answer.status_code == 422 and message in answer.json()["message"]


def test_a_take_is_revised(client: TestClient) -> None:
    mine = begin(client)
    give(client, mine)
    until(client, mine, idle)
    compose(client, mine, takes=1, seed=4)
    body = {"sections": [{"bar": 2, "start": 4.0, "energy": 0}], "hits": [0], "seed": 7}
    assert client.post(f"{mine}/takes/1/revise", json=body).status_code == 202
    last = until(client, mine, idle)["takes"][-1]
    assert last["of"] == 1 and last["settings"]["seed"] == 4
    assert last["settings"]["passages"] == [body] and "sections" not in last["settings"]
    wrong = {"sections": [{"bar": 2, "chords": "H"}]}
    answer = client.post(f"{mine}/takes/1/revise", json=wrong)
    assert (answer.status_code, answer.json()["field"]) == (422, "sections.0.chords")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ('{"timbres": {"Piano": ["x"]}}', "timbres"),
        ('{"locked": [[0, HUGE]]}', "sections"),
        ('{"sections": [{"bar": 0, "start": HUGE}]}', "sections"),
        ('{"hits": [{"second": HUGE}]}', "hits"),
        ('{"hits": [' + '{"second": 1}, ' * 1000 + '{"second": 1}]}', "hits"),
        ('{"passages": [' + '{"to_bar": 1}, ' * 500 + '{"to_bar": 1}]}', "settings"),
        ('{"of": "../../another"}', "settings"),
        ('{"of": true}', "settings"),
        ('{"keep_audio": Infinity}', "settings"),
        ('{"keep_audio": 1e999}', "settings"),
        ('{"keep_audio": "\\ud800"}', "settings"),
        ('{"seed": HUGE}', "seed"),
    ],
)
def test_values_that_nobody_can_mean_are_of_a_field(
    client: TestClient, asked: str, field: str
) -> None:
    mine = begin(client)
    give(client, mine)
    until(client, mine, idle)
    body = asked.replace("HUGE", "1" + "0" * 400)
    for path, content in (("compose", body), ("settings", f'{{"page": {body}}}')):
        answer = client.post(f"{mine}/{path}", content=content)
        assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    assert idle(client.get(mine).json())


def test_a_tune_that_is_too_long_is_told_without_our_options(client: TestClient) -> None:
    song = Song(np.array([(0, 60, 4, 2), (100_000, 60, 4, 2)], NOTE_DTYPE), 100_016)
    answer = client.put(f"{begin(client)}/theme?name=x.mid", content=to_midi(song, 120))
    assert answer.status_code == 422
    assert answer.json()["message"].endswith("minutes, more than 20; cut it.")


def test_a_tune_is_read(client: TestClient) -> None:
    mine = begin(client)
    notes = [(4 * beat, pitch, 4, 2) for beat, pitch in enumerate((60, 64, 67))]
    midi = to_midi(Song(np.array(notes, NOTE_DTYPE), 16), 120)
    found = client.put(f"{mine}/theme?name=my%20tune.mid", content=midi).json()
    assert found["name"] == "my tune.mid" and found["instrument"] == "Piano"
    assert found["notes"] == [list(note[:3]) for note in notes]
    asked = settings.read({"theme": found})
    assert asked.theme and asked.theme.notes == tuple(note[:3] for note in notes)
    for content in (b"no tune", bytes(2_000_000), midi[:60]):
        answer = client.put(f"{mine}/theme?name=x", content=content)
        assert (answer.status_code, answer.json()["field"]) == (422, "theme")
        assert "/" not in answer.json()["message"]


def test_a_decoder_that_dies_takes_no_server_along(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = begin(client)
    for executable, patience in (("/bin/false", 60.0), (sys.executable, 0.01)):
        monkeypatch.setattr("cmt.web.tunes.sys.executable", executable)
        monkeypatch.setattr("cmt.web.tunes.PATIENCE", patience)
        answer = client.put(f"{mine}/theme?name=x", content=b"RIFF")
        assert (answer.status_code, answer.json()["field"]) == (422, "theme")
        assert "it cannot be read; record it again" in answer.json()["message"]
    assert client.get(mine).status_code == 200


def test_settings_open_again(client: TestClient) -> None:
    mine = begin(client)
    given = {"tempo": 100, "genre": "rock", "takes": 1}
    report = json.dumps({"seed": 3, "page": given})
    assert client.post(f"{mine}/settings", content=report).json() == given
    for wrong in (b"{}", b'{"page": {"tempo": 1}}', b"x"):
        assert client.post(f"{mine}/settings", content=wrong).status_code == 422
