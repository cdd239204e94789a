"""The page in a real browser: Debian's Chromium, or Chrome, without a window."""

from __future__ import annotations

import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from served import Server
from voices import speaking

from cmt.music.midi import load_score, read_midi, to_midi
from cmt.music.vocabulary import INSTRUMENT_CLASS, TICKS_PER_BAR
from cmt.music.words import NOTE_DTYPE, Song
from cmt.sound.film import mux
from cmt.web.sessions import read_json

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
)
pytest.importorskip("uvicorn", reason="uvicorn is not installed (extra `web`)")

from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 30_000  # ms, on a busy machine
SILENT_NETWORK = ("--disable-quic", "--disable-background-networking", "--disable-component-update")
MINE = "location.hash.replace('#s=', '/api/sessions/')"  # in JavaScript
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# What sounds is known by what was begun: which buffers, when, from which second on.
LISTENING = """
window.begun = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (when, offset) {
  const video = document.querySelector("video");
  begun.push({ when, offset, video: video.currentTime, duration: this.buffer.duration });
  return start.call(this, when, offset);
};
window.gains = [];
const target = AudioParam.prototype.setTargetAtTime;
AudioParam.prototype.setTargetAtTime = function (value, ...rest) {
  gains.push(value);
  return target.call(this, value, ...rest);
};
window.levels = [];
const gain = BaseAudioContext.prototype.createGain;
BaseAudioContext.prototype.createGain = function () {
  const level = gain.call(this);
  levels.push(level.gain);
  return level;
};
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("server"))
    yield started
    started.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser here: none of {', '.join(BROWSERS)}")
    with playwright.sync_playwright() as driver:
        try:
            opened = driver.chromium.launch(
                executable_path=found, args=["--no-sandbox", *SILENT_NETWORK]
            )
        except playwright.Error as error:
            pytest.skip(f"{found} does not start: {error}")
        yield opened
        opened.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor's browser; what the page logs as an error fails the test."""
    opened = browser.new_context(viewport=WIDE)
    opened.set_default_timeout(PATIENCE)
    opened.add_init_script(LISTENING)
    expect.set_options(timeout=PATIENCE)
    problems: list[str] = []
    opened.on("weberror", lambda error: problems.append(str(error.error)))
    yield opened
    opened.close()
    assert not problems


@pytest.fixture
def page(context: BrowserContext, server: Server) -> Page:
    return visit(context, server)


def visit(context: BrowserContext, server: Server) -> Page:
    opened = context.new_page()
    opened.goto(server.url)
    return opened


def watch(page: Page, video: Path) -> None:
    page.locator("#file").set_input_files(video)
    expect(page.locator("#seen")).to_be_visible()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def takes(page: Page) -> Locator:
    return page.get_by_role("article")


def make(page: Page, button: str = "Make music", more: int = 1) -> None:
    before = takes(page).count()
    press(page, button)
    expect(takes(page)).to_have_count(before + more)


def make_of_seed(page: Page, seed: int) -> None:
    """Make music, which is to be other music than before."""
    with page.expect_request("**/compose") as caught:
        make(page)
    assert caught.value.post_data_json["seed"] == seed


def until(page: Page, condition: str) -> None:
    """Wait until JavaScript finds a condition true; the page's policy forbids to wait there."""
    ends = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < ends, condition
        page.wait_for_timeout(50)


def fold(page: Page, name: str) -> None:
    page.locator("summary", has_text=name).first.click()


def download(page: Page, name: str, folder: Path) -> Path:
    with page.expect_download() as caught:
        takes(page).first.get_by_role("link", name=name, exact=True).click()
    path = folder / caught.value.suggested_filename
    caught.value.save_as(path)
    return path


def at(page: Page) -> float:
    return float(
        page.get_by_role("slider", name="Place in the video").get_attribute("aria-valuenow") or 0
    )


def width(element: Locator) -> float:
    box = element.bounding_box()
    assert box
    return box["width"]


def accessible(page: Page) -> None:
    """By axe, on a desk in light and on a phone in dark; and nothing is wider than the page."""
    for scheme, size in (("dark", NARROW), ("light", WIDE)):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size(size)
        # Without all that is right, which would be megabytes of nodes.
        results = axe.Axe().run(page, options={"resultTypes": ["violations"]})
        found = results.response["violations"]
        assert not [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_whole_way(
    context: BrowserContext, server: Server, excerpt: Path, tmp_path: Path
) -> None:
    asked: set[str | None] = set()
    context.on("request", lambda request: asked.add(urlsplit(request.url).hostname))
    page = visit(context, server)
    accessible(page)
    holiday = tmp_path / "holiday é.mp4"
    shutil.copyfile(excerpt, holiday)
    watch(page, holiday)
    expect(page.locator("#chosen-name")).to_have_text("holiday é.mp4, 4 seconds")
    expect(page.locator("#told")).to_contain_text("0:04 in ")
    accessible(page)

    make(page)
    expect(page.locator("#now")).to_contain_text("within 40 ms")
    fold(page, "Mouse and keys")
    fold(page, "More")
    fold(page, "Hits")
    fold(page, "For researchers")
    accessible(page)
    page.set_viewport_size(NARROW)
    press(page, "Play")
    until(page, "document.querySelector('video').currentTime > 0.3")
    (begun,) = page.evaluate("begun")
    assert begun["offset"] == pytest.approx(begun["video"], abs=0.1)
    assert begun["duration"] == pytest.approx(4, abs=0.2)
    assert at(page) > 0.2

    names = {"Video": "mp4", "Sound (WAV)": "wav", "Sound (MP3)": "mp3", "Notes (MIDI)": "mid"}
    for name, suffix in {**names, "Settings (JSON)": "json"}.items():
        path = download(page, name, tmp_path)
        assert path.name == f"holiday é_music_1.{suffix}" and path.stat().st_size > 200
    midi = read_midi(tmp_path / "holiday é_music_1.mid")
    assert len(midi.song.notes) > 0
    assert asked == {"127.0.0.1"}


def test_the_timeline_by_keyboard(page: Page, excerpt: Path) -> None:
    watch(page, excerpt)
    line = page.get_by_role("slider", name="Place in the video")
    line.focus()
    page.keyboard.press("ArrowRight")
    expect(line).to_have_attribute("aria-valuenow", "1.0")
    page.keyboard.press("ArrowRight")
    expect(line).to_have_attribute("aria-valuenow", "2.0")
    expect(line).to_have_attribute("aria-valuetext", "0:02.0 of 0:04, section 1")
    page.keyboard.press("End")
    expect(line).to_have_attribute("aria-valuenow", "4.0")
    page.keyboard.press("Home")
    expect(line).to_have_attribute("aria-valuenow", "0.0")
    widths = [f"document.querySelector('{name}').clientWidth" for name in (".track", "#timeline")]
    wide = " / ".join(widths)
    page.keyboard.press("+")
    assert page.evaluate(wide) > 1.8
    page.keyboard.press("0")
    assert page.evaluate(wide) == pytest.approx(1, abs=0.01)
    # By mouse: three quarters of the way to the right, of what is right of the lanes' names.
    box = line.bounding_box()
    assert box
    line.click(position={"x": 52 + 0.75 * (box["width"] - 52), "y": box["height"] - 30})
    expect(line).to_have_attribute("aria-valuenow", re.compile(r"^(2\.9[5-9]|3(\.0[0-5]?)?)"))


def test_a_place_asked_for_while_the_page_is_filled_stays(page: Page, excerpt: Path) -> None:
    """Neither the timeline of the tempo nor the video's first bytes take the playhead back."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "GET":
            held.append(route)
        else:
            route.continue_()

    page.route("**/timeline?mood=*", hold)
    page.route("**/video", hold)
    watch(page, excerpt)
    line = page.get_by_role("slider", name="Place in the video")
    line.focus()
    # Two at once, before anything can come between them.
    page.evaluate(
        """for (const key of ["ArrowRight", "ArrowRight"])
             timeline.dispatchEvent(new KeyboardEvent("keydown", { key }));"""
    )
    expect(line).to_have_attribute("aria-valuenow", "2.0")
    page.wait_for_timeout(100)
    assert len(held) >= 2 and page.evaluate("video.readyState") == 0
    with page.expect_response("**/timeline?mood=*"):
        for route in held:
            route.continue_()
        page.unroute_all()
    until(page, "video.readyState > 1 && !video.seeking")
    assert page.evaluate("video.currentTime") == pytest.approx(2, abs=0.001)
    expect(page.locator("#error-tempo")).to_be_hidden()
    assert at(page) == 2
    page.evaluate("video.dispatchEvent(new Event('timeupdate'))")
    page.keyboard.press("ArrowRight")
    expect(line).to_have_attribute("aria-valuenow", "3.0")
    until(page, "Math.abs(video.currentTime - 3) < 0.001")


def test_hits_are_left_out_and_added(page: Page, film: Path) -> None:
    watch(page, film)
    fold(page, "Hits")
    hits = page.locator("#hits input")
    first = page.locator("#hits label").first.inner_text()
    seen = hits.count()
    assert seen >= 2
    hits.first.uncheck()
    page.get_by_role("slider", name="Place in the video").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("slider", name="Place in the video")).to_have_attribute(
        "aria-valuenow", "1.0"
    )
    page.keyboard.press("ArrowRight")
    page.keyboard.press("h")
    expect(page.locator("#hits")).to_contain_text("Added hit at 0:02.0")
    expect(page.locator("#hits-count")).to_have_text(f"{seen} moments, 1 left out")
    with page.expect_request("**/compose") as caught:
        make(page)
    body = caught.value.post_data_json
    assert len(body["hits"]) == seen  # less the one, and the one that was added
    assert body["hits"][-1] == {"second": 2, "strength": 1}
    heard = page.evaluate(
        "fetch(location.hash.replace('#s=', '/api/sessions/') + '/takes/1').then((a) => a.json())"
    )["heard"]
    seconds = [round(each["second"], 1) for each in heard]
    assert 2.0 in seconds
    minutes, second = first.split(" at ")[1].split(":")
    assert float(second) + 60 * int(minutes) not in seconds
    press(page, "Back to what was seen")
    expect(hits.first).to_be_checked()
    expect(page.locator("#edited")).to_be_hidden()


def notes_by_bar(path: Path) -> dict[int, list[tuple[int, ...]]]:
    """Tick, pitch and instrument of the notes of a MIDI file that begin in each bar."""
    bars: dict[int, list[tuple[int, ...]]] = {}
    for tick, pitch, instrument in (
        read_midi(path).song.notes[["tick", "pitch", "instrument"]].tolist()
    ):
        bars.setdefault(tick // TICKS_PER_BAR, []).append((tick, pitch, instrument))
    return {bar: sorted(notes) for bar, notes in bars.items()}


def test_edits_of_a_take_are_heard_there_alone(page: Page, film: Path, tmp_path: Path) -> None:
    watch(page, film)
    fold(page, "More")
    press(page, "Double the tempo")
    make(page)
    said = f"fetch({MINE} + '/takes/%d').then((a) => a.json())"
    bars = page.evaluate(said % 1)["bars"]
    first = notes_by_bar(download(page, "Notes (MIDI)", tmp_path))
    assert len(bars) >= 4 and len(first) >= 4

    def changed() -> set[int]:
        """Bars of the last take that are other than in the first."""
        notes = notes_by_bar(download(page, "Notes (MIDI)", tmp_path))
        return {bar for bar in first | notes if first.get(bar) != notes.get(bar)}

    # A hit that is added in the third bar, where there is none.
    line = page.get_by_role("slider", name="Place in the video")
    seen = [each["second"] for each in page.evaluate(said % 1)["heard"]]
    places = [bars[2] + share * (bars[3] - bars[2]) for share in (0.25, 0.35, 0.65, 0.75)]
    added = max(places, key=lambda place: min(abs(place - hit) for hit in seen))
    x = 52 + added / 4 * (width(line) - 52)
    line.dblclick(position={"x": x, "y": 139})
    expect(page.locator("#hits")).to_contain_text("Added hit")
    make(page, "Change only this in Take 1")
    expect(page.locator("#now")).to_contain_text("As Take 1, but from")
    expect(page.locator("#revise-part")).to_be_hidden()
    assert changed() == {2}
    assert any(abs(each["second"] - added) < 0.05 for each in page.evaluate(said % 2)["heard"])

    # A section that begins in the last bar and rests; of the take with the hit.
    line.focus()
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Divide at").click()
    page.get_by_label("How full").select_option("Rest")
    make(page, "Change only this in Take 2")
    notes = notes_by_bar(download(page, "Notes (MIDI)", tmp_path))
    rest = int(page.get_by_label("Begins at bar").input_value()) - 1
    assert max(notes) == rest - 1 and changed() == {2, *range(rest, len(bars))}

    # Its settings make all of it again.
    takes(page).first.get_by_role("button", name="Use the settings of Take 3").click()
    expect(page.locator("#make-note")).to_contain_text("with what was made again")
    make(page)
    midis = []
    for number in (0, 1):
        with page.expect_download() as caught:
            takes(page).nth(number).get_by_role("link", name="Notes (MIDI)").click()
        midis.append(caught.value.path().read_bytes())
    assert midis[0] == midis[1]

    # A passage of the first take, dragged over the music.
    page.get_by_role("radio", name="Take 1").check()
    expect(page.locator("#again")).to_have_text("Make this passage of Take 1 again")
    box = line.bounding_box()
    assert box
    line.scroll_into_view_if_needed()
    y = box["height"] - 100
    for second, act in ((bars[1] + 0.1, "down"), (bars[2] - 0.1, "up")):
        line.hover(position={"x": 52 + second / 4 * (box["width"] - 52), "y": y})
        getattr(page.mouse, act)()
    expect(page.get_by_label("From bar")).to_have_value("2")
    expect(page.get_by_label("to bar")).to_have_value("2")
    make(page, "Make this passage of Take 1 again")
    assert changed() == {1}
    page.get_by_label("to bar").fill("99")
    press(page, "Make this passage of Take 5 again")
    expect(page.locator("#error-passage")).to_contain_text(f"from 1 to {len(bars)}")


Played = dict[tuple[int, int, int, str], int | None]


def played_by_bar(path: Path) -> dict[int, Played]:
    """Of each bar of a MIDI file its notes: beginning, pitch, velocity, player → length.

    Of a pitch struck again while it sounds MIDI does not say which end is whose: None. A score has
    the players who have notes, so one who falls silent moves the others up: names tell them apart.
    """
    score = load_score(path)
    bars: dict[int, Played] = {}
    for track in score.tracks:
        ends: dict[int, int] = {}
        for note in sorted(track.notes, key=lambda note: note.time):
            again = note.time < ends.get(note.pitch, 0)
            ends[note.pitch] = max(note.end, ends.get(note.pitch, 0))
            bar = bars.setdefault(note.time // (4 * score.tpq), {})
            bar[note.time, note.pitch, note.velocity, track.name] = None if again else note.duration
    return bars


def same(a: Played, b: Played) -> bool:
    """Whether notes are the same, as far as MIDI tells."""
    return a.keys() == b.keys() and all(None in (a[n], b[n]) or a[n] == b[n] for n in a)


def test_players_stay_who_they_are_where_another_falls_silent(tmp_path: Path) -> None:
    bars = []
    for first in ("Guitar", "Strings"):
        players = [INSTRUMENT_CLASS[name] for name in (first, "Bass")]
        notes = [(bar * TICKS_PER_BAR, 40, 4, player) for bar, player in enumerate(players)]
        path = tmp_path / f"{first}.mid"
        path.write_bytes(to_midi(Song(np.array(notes, NOTE_DTYPE), 2 * TICKS_PER_BAR), 120))
        bars.append(played_by_bar(path))
    before, after = bars
    assert not same(before[0], after[0])
    assert same(before[1], after[1])


def test_what_is_locked_stays_and_the_rest_is_made_anew(
    page: Page, film: Path, tmp_path: Path
) -> None:
    watch(page, film)
    fold(page, "More")
    press(page, "Double the tempo")
    expect(page.get_by_role("button", name="Lock section 1")).to_have_count(0)
    make(page)
    before = played_by_bar(download(page, "Notes (MIDI)", tmp_path))
    page.locator("#sections .chip").first.click()
    page.get_by_role("button", name="Divide at").click()
    border = int(page.get_by_label("Begins at bar").input_value()) - 1
    page.get_by_label("How full").select_option("Fuller")
    # Locked is what is heard: what was not made of it is taken back. By keyboard, too.
    press(page, "Lock section 2")
    expect(page.locator("#inspector")).to_contain_text("stays note for note")
    expect(page.locator("#sections")).not_to_contain_text("fuller")
    second = page.get_by_role("button", name="Lock section 2")
    expect(second).to_have_attribute("aria-pressed", "true")
    line = page.get_by_role("slider", name="Place in the video")
    line.focus()
    for key in ("Home", "l"):
        page.keyboard.press(key)
    expect(page.locator("#locked-words")).to_have_text(
        "Sections 1 and 2 of Take 1 are locked: unlock one, to have it made anew."
    )
    press(page, "Make music")
    expect(page.locator("#error-sections")).to_contain_text("All of this is locked")
    page.keyboard.press("Escape")
    line.focus()
    page.keyboard.press("l")
    expect(page.get_by_role("radio", name="Sad")).to_be_disabled()
    accessible(page)
    page.reload()
    expect(second).to_have_attribute("aria-pressed", "true")

    def others() -> set[int]:
        after = played_by_bar(download(page, "Notes (MIDI)", tmp_path))
        return {bar for bar in before | after if not same(before.get(bar, {}), after.get(bar, {}))}

    for number in (2, 3):  # again and again, of the first
        make(page, "Make music" if number == 2 else "Make the rest anew")
        expect(page.locator("#now")).to_contain_text(f"Take {number}. As Take 1, but from 0:00")
        expect(second).to_have_attribute("aria-pressed", "true")
        assert others() == set(range(border))
    page.locator("#sections .chip").first.click()
    make(page, "Another take of this section")
    expect(page.locator("#now")).to_contain_text("Take 4. As Take 3, but from 0:00")
    assert others() == set(range(border))
    settings = read_json(download(page, "Settings (JSON)", tmp_path))["page"]
    assert settings["locked"] and settings["passages"][-1]["to_bar"] == border
    press(page, "Unlock all")
    expect(second).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_role("radio", name="Sad")).to_be_enabled()


def test_takes_change_at_the_same_moment(page: Page, excerpt: Path) -> None:
    watch(page, excerpt)
    fold(page, "More")
    page.get_by_label("Takes").select_option("2")
    make(page, more=2)
    page.get_by_role("radio", name="Take 2").check()
    press(page, "Play")
    until(page, "begun.length === 1 && document.querySelector('video').currentTime > 0.5")
    page.get_by_role("radio", name="Take 1").check()
    until(page, "begun.length >= 2")
    second = page.evaluate("begun[1]")
    assert second["offset"] == pytest.approx(second["video"], abs=0.1) and second["video"] > 0.4
    page.get_by_role("radio", name="No music").check()
    takes(page).first.get_by_role("button", name="Like Take 2").click()
    expect(page.locator("#switch")).to_contain_text("Take 2 ♥")


def test_what_is_wrong_is_said_beside_its_field(page: Page, excerpt: Path, tmp_path: Path) -> None:
    bad = tmp_path / "holiday; $(rm x) é.mp4"
    bad.write_text("no video")
    page.locator("#file").set_input_files(bad)
    expect(page.locator("#error-video")).to_contain_text("cannot be opened as a video;")
    expect(page.locator(".work")).to_have_count(0)
    watch(page, excerpt)
    expect(page.locator("#error-video")).to_be_empty()
    fold(page, "More")
    chords = page.get_by_label("Chords").last
    chords.fill("Am H7x")
    press(page, "Make music")
    expect(page.locator("#error-chords")).to_contain_text("H7x")
    expect(chords).to_be_focused()
    expect(chords).to_have_attribute("aria-invalid", "true")
    accessible(page)
    chords.fill("Am F")
    make(page)
    expect(page.locator("#error-chords")).to_be_empty()


def test_stop_and_a_reload_in_mid_work(page: Page, excerpt: Path) -> None:
    watch(page, excerpt)
    fold(page, "More")
    page.get_by_label("Takes").select_option("4")
    press(page, "Make music")
    expect(page.locator(".work")).to_be_visible()
    press(page, "Stop")
    expect(page.locator("#slot-music")).to_have_text("Stopped.")
    page.get_by_label("Takes").select_option("2")
    press(page, "Make music")
    expect(page.locator(".work")).to_be_visible()
    page.reload()
    expect(takes(page)).to_have_count(2)
    expect(page.locator("#now")).to_contain_text("Take ")


def test_a_server_that_is_killed_loses_no_take(
    page: Page, server: Server, excerpt: Path, tmp_path: Path
) -> None:
    watch(page, excerpt)
    make(page, "Quick preview (sound only)")
    expect(takes(page).first).to_contain_text("goes on with the same notes")
    expect(takes(page).get_by_role("link", name="Video", exact=True)).to_have_count(0)
    with page.expect_request("**/compose") as caught:
        takes(page).first.get_by_role("button", name="Make the whole of").click()
    assert (caught.value.post_data_json["seed"], caught.value.post_data_json["preview"]) == (
        0,
        False,
    )
    expect(takes(page)).to_have_count(2)
    before = download(page, "Notes (MIDI)", tmp_path).read_bytes()
    server.end(signal.SIGKILL)
    server.start()
    page.reload()
    expect(takes(page)).to_have_count(2)
    assert download(page, "Notes (MIDI)", tmp_path).read_bytes() == before
    make_of_seed(page, 1)
    press(page, "Remove it now")
    expect(page.get_by_role("alert").first).to_contain_text("are removed")
    expect(page.locator("#drop")).to_be_visible()


@pytest.fixture
def talking(film: Path, tmp_path: Path) -> Path:
    """The film, in which somebody speaks from 1.4 to 2.7 s."""
    mux(film, speaking(4, (1.4, 2.7)), tmp_path / "talking.mp4")
    return tmp_path / "talking.mp4"


def test_the_mixer_plays_instruments_together(page: Page, talking: Path) -> None:
    watch(page, talking)
    page.get_by_label("Keep it under the music").check()
    make(page)
    press(page, "Play")
    until(page, "document.querySelector('video').currentTime > 0.2")
    fold(page, "Mixer")
    until(page, "begun.length > 2")
    _, *stems = page.evaluate("begun")
    assert 1 < len(stems) <= 5
    assert len({(stem["when"], stem["offset"]) for stem in stems}) == 1
    assert stems[0]["offset"] == pytest.approx(stems[0]["video"], abs=0.1)
    assert all(stem["duration"] == pytest.approx(4, abs=0.2) for stem in stems)
    # As in the film: the music at half its level, the own sound as it is, and the music steps back
    # as the server says.
    points = page.evaluate(f"fetch({MINE} + '/takes/1').then((a) => a.json())")["ducking"]
    until(page, "document.querySelector('video').currentTime > 1.9")
    at, music, duck, own = page.evaluate(
        "[document.querySelector('video').currentTime, ...levels.slice(0, 3).map((x) => x.value)]"
    )
    assert 1.9 < at < 2.5 and (music, own) == pytest.approx((0.5, 1), abs=0.01)
    assert duck == pytest.approx(np.interp(at, *zip(*points, strict=True)), abs=0.02)
    assert duck < 0.55
    page.get_by_label("Music steps back while somebody speaks").last.uncheck()
    until(page, "levels[1].value > 0.99")
    page.get_by_role("slider", name="Original sound").fill("0")
    until(page, "levels[2].value < 0.01")
    page.evaluate("gains.length = 0")
    drums = page.get_by_role("slider", name="Drums")
    drums.fill("0")
    assert page.evaluate("gains") == [0]
    expect(page.locator(".fader", has_text="Drums").locator("output")).to_have_text("off")
    accessible(page)
    press(page, "All as they were")
    expect(drums).to_have_value("100")
    expect(page.get_by_role("slider", name="All music")).to_have_value("50")
    expect(page.get_by_role("slider", name="Original sound")).to_have_value("100")
    expect(page.get_by_label("Music steps back while somebody speaks").last).to_be_checked()


def test_a_section_is_directed(page: Page, excerpt: Path) -> None:
    watch(page, excerpt)
    fold(page, "More")
    press(page, "Double the tempo")
    page.locator("#sections button").first.click()
    page.get_by_role("button", name="Divide at").click()
    begins = page.get_by_label("Begins at bar")
    bar = int(begins.input_value())
    # Its border is dragged by a bar to the right.
    line = page.locator("#timeline")
    line.scroll_into_view_if_needed()
    box = line.bounding_box()
    assert box
    starts = page.evaluate(
        "fetch(location.hash.replace('#s=', '/api/sessions/') + '/timeline?tempo='"
        " + document.querySelector('#f-tempo').value).then((a) => a.json())"
    )["bars"]
    x, y = (lambda second: box["x"] + 52 + second / 4 * (box["width"] - 52)), box["y"] + 35
    page.mouse.move(x(starts[bar - 1]), y)
    page.mouse.down()
    page.mouse.move(x(starts[bar] - 0.1), y, steps=3)
    page.mouse.up()
    expect(begins).to_have_value(str(bar + 1))
    page.get_by_label("How full").select_option("Rest")
    expect(page.locator("#sections button").nth(1)).to_contain_text("rest")
    accessible(page)
    make(page)
    notes = page.evaluate(
        "fetch(location.hash.replace('#s=', '/api/sessions/') + '/takes/1').then((a) => a.json())"
    )["notes"]
    assert notes and all(start < starts[bar] - 0.01 for start, *_ in notes)


# A microphone before which somebody hums: tones one after the other, in place of what is there.
HUMMING = """
() => { navigator.mediaDevices.getUserMedia = async ({ audio }) => {
  window.wanted = audio;
  const context = new AudioContext();
  const to = context.createMediaStreamDestination();
  const voice = context.createOscillator();
  const level = context.createGain();
  voice.type = "triangle";
  voice.connect(level).connect(to);
  level.gain.value = 0;
  PITCHES.forEach((pitch, k) => {
    const at = context.currentTime + 0.3 + 0.5 * k;
    voice.frequency.setValueAtTime(440 * 2 ** ((pitch - 69) / 12), at);
    level.gain.setTargetAtTime(0.4, at, 0.01);
    level.gain.setTargetAtTime(0, at + 0.42, 0.01);
  });
  voice.start();
  window.lent = to.stream;
  return to.stream;
}; }
"""


def test_a_tune_is_hummed_into_the_microphone(page: Page, excerpt: Path, tmp_path: Path) -> None:
    watch(page, excerpt)
    fold(page, "More")
    for name, words in (
        ("NotAllowed", "does not let this page use"),
        ("NotFound", "is found. Connect"),
    ):
        page.evaluate(
            f"""() => {{ navigator.mediaDevices.getUserMedia = async () => {{
              throw new DOMException("", "{name}Error");
            }}; }}"""
        )
        press(page, "Hum it now")
        expect(page.locator("#error-theme")).to_contain_text(words)
    accessible(page)
    sung = [60, 64, 67, 64, 60]
    page.evaluate(HUMMING.replace("PITCHES", str(sung)))
    press(page, "Hum it now")
    expect(page.locator("#form")).to_contain_text("Listening: hum")
    expect(page.locator("#error-theme")).to_be_hidden()
    page.wait_for_timeout(3_000)
    page.get_by_role("button", name="Stop recording").click()
    expect(page.locator("#form")).to_contain_text(
        "Hummed tune: 5 notes in C major, played by piano"
    )
    assert page.evaluate("wanted.noiseSuppression") is False  # humming is noise to it
    assert page.evaluate("lent.getTracks().every((track) => track.readyState === 'ended')")
    with page.expect_request("**/compose") as caught:
        make(page)
    notes = caught.value.post_data_json["theme"]["notes"]
    assert notes == [[4 * beat, pitch, 4] for beat, pitch in enumerate(sung)]
    press(page, "Leave it out")
    page.evaluate(HUMMING.replace("PITCHES", "[]"))
    press(page, "Hum it now")
    page.wait_for_timeout(500)
    page.get_by_role("button", name="Stop recording").click()
    expect(page.locator("#error-theme")).to_contain_text("nothing is heard in it; hum")


def test_settings_open_again(page: Page, film: Path, tmp_path: Path) -> None:
    watch(page, film)
    fold(page, "More")
    page.locator("#f-chords").fill("Am F")
    page.get_by_label("Seed").fill("7")
    page.get_by_label("Sad").check()
    tune = tmp_path / "tune.mid"
    notes = [(4 * beat, pitch, 4, 2) for beat, pitch in enumerate((69, 72, 76))]
    tune.write_bytes(to_midi(Song(np.array(notes, NOTE_DTYPE), 16), 120))
    page.get_by_label("A tune of your own").set_input_files(tune)
    expect(page.locator("#form")).to_contain_text("tune.mid: 3 notes in A minor, played by piano")
    sound = page.get_by_label("Sound of piano")
    expect(sound).to_contain_text("As it suits: grand")
    sound.select_option("organ")
    page.get_by_label("Drums", exact=True).first.uncheck()
    fold(page, "Hits")
    page.locator("#hits input").first.uncheck()
    make(page)
    played = read_midi(download(page, "Notes (MIDI)", tmp_path)).song.notes
    mine = played[(played["instrument"] == 2) & (played["tick"] < TICKS_PER_BAR)]
    up = (int(mine["pitch"][0]) - 69) % 12  # moved to the chords that are asked for
    assert [(tick, (pitch - up) % 12) for tick, pitch, *_ in mine.tolist()] == [
        (tick, pitch % 12) for tick, pitch, *_ in notes
    ]
    path = download(page, "Settings (JSON)", tmp_path)
    press(page, "Other video")
    page.reload()
    watch(page, film)
    expect(page.locator("#f-seed")).to_have_value("")
    page.locator("#f-settings").set_input_files(path)
    expect(page.locator("#f-seed")).to_have_value("7")
    expect(page.locator("#f-chords")).to_have_value("Am F")
    expect(page.get_by_label("Sad")).to_be_checked()
    expect(page.locator("#form")).to_contain_text("tune.mid: 3 notes in A minor, played by piano")
    expect(sound).to_have_value("organ")
    expect(page.locator("#form").get_by_label("Drums", exact=True)).not_to_be_checked()
    expect(page.locator("#hits-count")).to_contain_text("1 left out")
