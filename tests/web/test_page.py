"""The page in a real browser: Debian's Chromium, or Chrome, without a window."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from cmt.files import EXPERIMENTS, REPOSITORY
from cmt.music.midi import load_score, read_midi
from cmt.web.studio import Studio

gradio = pytest.importorskip("gradio", reason="gradio is not installed (extra `web`)")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect  # noqa: E402

from cmt.web.page import CRASHED, STOPPED, serve  # noqa: E402
from cmt.web.page import Page as CmtPage  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::Warning:gradio.*")  # of what it imports

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 120_000  # ms, on a busy machine
SILENT_NETWORK = ("--disable-quic", "--disable-background-networking", "--disable-component-update")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser here: none of {', '.join(BROWSERS)}")
    with playwright.sync_playwright() as driver:
        try:
            opened = driver.chromium.launch(
                executable_path=found,
                args=[
                    "--no-sandbox",
                    "--autoplay-policy=no-user-gesture-required",
                    *SILENT_NETWORK,
                ],
            )
        except playwright.Error as error:
            pytest.skip(f"{found} does not start: {error}")
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("private")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        yield Studio(folder, EXPERIMENTS / "default", max_minutes=1)


@pytest.fixture(scope="module")
def url(studio: Studio, browser: Browser) -> Iterator[str]:
    blocks = serve(CmtPage(studio), "127.0.0.1", None)
    yield blocks.local_url
    blocks.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context()
    opened.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext, url: str) -> Page:
    return visit(context, url)


def visit(context: BrowserContext, url: str) -> Page:
    opened = context.new_page()
    opened.goto(url)
    return opened


def choose(page: Page, video: Path) -> None:
    page.locator("#upload input[type=file]").set_input_files(video)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def said(page: Page) -> Locator:
    return page.locator("#watching [role=status]")


def make_music(page: Page) -> None:
    expect(page.locator("#watching img")).to_be_visible()
    press(page, "Make music")
    expect(page.locator("#roll img")).to_be_visible()


def player(page: Page, property: str) -> float:
    """A property of the result's player, once it could be played."""
    page.wait_for_function("document.querySelector('#player video')?.readyState >= 3")
    return page.evaluate(f"document.querySelector('#player video').{property}")


def download(page: Page, name: str, folder: Path) -> Path:
    with page.expect_download() as caught:
        page.get_by_role("button", name=name, exact=True).click()
    path = folder / caught.value.suggested_filename
    caught.value.save_as(path)
    return path


def test_a_video_gets_its_music(
    context: BrowserContext, url: str, excerpt: Path, tmp_path: Path, studio: Studio
) -> None:
    asked: set[str | None] = set()
    context.on("request", lambda request: asked.add(urlsplit(request.url).hostname))
    page = visit(context, url)
    choose(page, excerpt)
    expect(said(page)).to_contain_text("4.0 s, ")
    tempo = page.get_by_label("Tempo (BPM)")
    assert f" {float(tempo.input_value()):.1f} BPM" in said(page).inner_text()
    make_music(page)

    assert player(page, "duration") == pytest.approx(4, abs=0.1)
    page.evaluate("document.querySelector('#player video').play()")
    page.wait_for_function("document.querySelector('#player video').currentTime > 0.3")
    assert player(page, "webkitAudioDecodedByteCount") > 0
    scores = page.locator("#scores dd").all_inner_texts()
    assert scores[:4] == ["0.000", "0.000", "0.000", "∞"] and float(scores[4]) < 0

    midi = download(page, "↓ MIDI", tmp_path)
    first = read_midi(midi)
    settled = load_score(midi).tempos[-1].qpm  # the first beat lasts as long as it takes
    assert settled == pytest.approx(float(tempo.input_value()), abs=0.1)
    assert len(first.song.notes) > 0
    assert first.song.length / 4 * 60 / first.tempo == pytest.approx(4, abs=0.2)
    for name, suffix in (
        ("↓ Video", ".mp4"),
        ("↓ Sound (mp3)", ".mp3"),
        ("↓ Settings (JSON)", ".json"),
    ):
        path = download(page, name, tmp_path)
        assert path.suffix == suffix and path.stat().st_size > 500

    # Again: other music for the same analysis.
    analysed = list(studio.folder.glob("*/rhythm.png"))
    source = player(page, "currentSrc")
    press(page, "Again, other takes")
    page.wait_for_function(
        "old => ![old, ''].includes(document.querySelector('#player video')?.currentSrc ?? '')",
        arg=source,
    )
    again = read_midi(download(page, "↓ MIDI", tmp_path))
    assert again.song.notes.tobytes() != first.song.notes.tobytes()
    assert list(studio.folder.glob("*/rhythm.png")) == analysed
    assert asked == {"127.0.0.1", None}  # and pictures that are in the page


def test_a_bad_file_gets_a_sentence_and_the_page_goes_on(
    page: Page, excerpt: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "holiday; $(rm x) é.mp4"
    bad.write_text("no video")
    choose(page, bad)
    expect(said(page)).to_contain_text("This video: cannot be opened as a video")
    assert "/" not in said(page).inner_text() and "Traceback" not in page.content()
    page.get_by_label("Clear").first.click()
    choose(page, excerpt)
    expect(said(page)).to_contain_text("4.0 s, ")
    # A setting that cannot be.
    page.get_by_label("Tempo (BPM)").fill("5")
    press(page, "Make music")
    expect(page.get_by_text("less than minimum value 20")).to_be_visible()
    expect(page.get_by_role("button", name="Make music")).to_be_enabled()


def test_a_crash_gets_a_sentence(
    page: Page, excerpt: Path, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(studio, "analyse", crash)
    choose(page, excerpt)
    expect(said(page)).to_have_text(CRASHED)
    assert "secret" not in page.content()


def test_two_visitors_at_once(
    page: Page, url: str, browser: Browser, excerpt: Path, studio: Studio,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    at_work, most = 0, 0
    lock, analyse = threading.Lock(), studio.analyse

    def counted(*arguments: object) -> object:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        try:
            return analyse(*arguments)
        finally:
            at_work -= 1

    monkeypatch.setattr(studio, "analyse", counted)
    with browser.new_context() as context:
        context.set_default_timeout(PATIENCE)
        other = visit(context, url)
        choose(page, excerpt)
        choose(other, excerpt)
        other.get_by_label("Drums").uncheck()
        make_music(page)
        make_music(other)
        assert most == 1
        sources = {player(visitor, "currentSrc") for visitor in (page, other)}
        assert len(sources) == 2
        assert "drums" not in other.locator("#roll .said").inner_text()


def test_stop_ends_the_work_and_the_page_goes_on(
    page: Page, excerpt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cmt.web.page.LONG", math.inf)
    press(page, "Try it with the sample")
    expect(page.locator("#watching")).to_contain_text("Watching the motion")
    press(page, "Stop")
    expect(said(page)).to_have_text(STOPPED)
    page.get_by_label("Clear").first.click()
    choose(page, excerpt)
    expect(said(page)).to_contain_text("4.0 s, ")


def test_a_long_video_asks_first(
    page: Page, excerpt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cmt.web.page.LONG", 0.0)
    choose(page, excerpt)
    expect(said(page)).to_contain_text("This video is 4 seconds long. Watching it will take about")
    press(page, "Go on")
    expect(said(page)).to_contain_text("4.0 s, ")


def test_the_script_opens_the_page_and_leaves_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), "TMPDIR": str(tmp_path)}
    command = [sys.executable, str(REPOSITORY / "src" / "app.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        line = process.stdout.readline()
        address = urlsplit(line.split()[1])
        assert address.hostname == "127.0.0.1"
        with urlopen(address.geturl()) as answer:
            assert "Music for a silent video" in answer.read().decode()
        (folder,) = tmp_path.glob("cmt-page-*")
        assert folder.stat().st_mode & 0o777 == 0o700
        process.terminate()
        process.wait(60)
    assert not list(tmp_path.iterdir())
