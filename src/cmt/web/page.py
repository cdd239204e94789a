"""The page in the browser: a video in, the video with music made for it out.

The layout and the events of Gradio; what they do is done by `cmt.web.studio`.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import gradio as gr

from cmt.compose import Settings
from cmt.decoding.style import Style
from cmt.files import VIDEOS, InputError
from cmt.music.keys import KEYS
from cmt.music.vocabulary import DEFAULT_TEMPO, GENRES, INSTRUMENT_CLASS, MAX_TEMPO, MIN_TEMPO
from cmt.web import text as page_text
from cmt.web.studio import Clip, Result, Studio, Telling, Watched
from cmt.web.style import CSS, HEAD, THEME
from cmt.web.text import CRASHED, STOPPED, WELCOME, picture, told
from cmt.web.visits import Stopped, Visits

SAMPLE = VIDEOS / "sample.mp4"
LONG = 180.0  # seconds of work before which a visitor is asked
MAX_TAKES = 6
MAX_SEED = 2**32 - 2 * MAX_TAKES
KEPT = 3600.0  # seconds that a video, and what was made of it, is kept after its last use
SWEEP = 300.0  # seconds between looks for what is to be removed
UPLOAD_RATE = 500  # MB/minute that a video may have; a phone's 4K has 400
ANY = "any"

log = logging.getLogger(__name__)

Update = dict[Any, Any]  # component → its new value
T = TypeVar("T")


class Page:
    """The page of a studio; each visitor's state is in the browser's session."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.visits = Visits()

    def build(self) -> gr.Blocks:
        """Lay out the page, connect its events, and see that old files are removed."""
        with gr.Blocks(
            title="Music for a silent video", analytics_enabled=False, fill_width=True
        ) as blocks:
            self.clip = gr.State(time_to_live=KEPT)
            self.analysis = gr.State(time_to_live=KEPT)
            self.results = gr.State([], time_to_live=KEPT)
            gr.Markdown(
                "# Music for a silent video\nIts motion becomes rhythm, and the rhythm becomes"
                " music. All of it happens on this computer.",
                elem_id="title",
            )
            self._lay_out_video()
            self._lay_out_settings()
            self._lay_out_results()
            self._connect()
            blocks.unload(self.left)
        threading.Thread(target=self._sweep, daemon=True).start()
        return blocks

    def _lay_out_video(self) -> None:
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                self.upload = gr.Video(
                    label="Video", sources=["upload"], height=270, elem_id="upload"
                )
                self.sample = gr.Button(
                    "Try it with the sample", size="sm", elem_id="sample", visible=SAMPLE.exists()
                )
            with gr.Column(scale=3, min_width=300):
                self.watching = gr.HTML(told(WELCOME, "tall"), elem_id="watching")
                self.go_on = gr.Button("Go on", visible=False, elem_id="go_on")
                self.stop_watching = gr.Button("Stop", visible=False, size="sm")

    def _lay_out_settings(self) -> None:
        with gr.Group():
            with gr.Row():
                self.genre = gr.Dropdown([ANY, *GENRES], label="Genre", min_width=140)
                self.tempo = gr.Number(
                    label="Tempo (BPM)", value=DEFAULT_TEMPO, minimum=MIN_TEMPO,
                    maximum=MAX_TEMPO, precision=1, min_width=140,
                )  # fmt: skip
                self.takes = gr.Slider(
                    1, MAX_TAKES, 2, step=1, label="Takes", min_width=180, buttons=[]
                )
                self.degree = gr.Slider(
                    0, 1, 1, step=0.05, label="Follow the video (C)", min_width=180, buttons=[]
                )
            self.instruments = gr.CheckboxGroup(
                list(INSTRUMENT_CLASS),
                value=list(INSTRUMENT_CLASS),
                label="Instruments",
                info="With all of them, those that fit will play; of fewer, each will.",
            )
        with gr.Accordion("More settings", open=False), gr.Row():
            self.key = gr.Dropdown([ANY, *map(str, KEYS)], label="Key", min_width=140)
            self.seed = gr.Number(
                label="Seed", value=0, minimum=0,
                maximum=MAX_SEED, precision=0, min_width=140,
            )  # fmt: skip
            self.keep = gr.Checkbox(
                label="Keep the video's own sound", interactive=False, min_width=180
            )
            self.balance = gr.Slider(
                0, 1, 0.5, step=0.05, label="Volume of the music", min_width=180, buttons=[]
            )
        with gr.Row():
            self.make = gr.Button("Make music", variant="primary", interactive=False)
            self.again = gr.Button("Again, other takes", interactive=False)
            self.stop = gr.Button("Stop", visible=False)
        self.making = gr.HTML(elem_id="making", min_height=90, visible=False)

    def _lay_out_results(self) -> None:
        with gr.Column(visible=False) as self.shown:
            self.take = gr.Radio([], label="Takes, from the best", elem_id="take")
            with gr.Row():
                with gr.Column(scale=2, min_width=300):
                    self.player = gr.Video(
                        label="The video with its music", interactive=False, height=270,
                        elem_id="player", buttons=[],
                    )  # fmt: skip
                    self.scores = gr.HTML(elem_id="scores")
                with gr.Column(scale=3, min_width=300):
                    self.roll = gr.HTML(elem_id="roll")
            with gr.Row():
                self.downloads = [
                    gr.DownloadButton(label, size="md", min_width=140)
                    for label in ("↓ Video", "↓ Sound (mp3)", "↓ MIDI", "↓ Settings (JSON)")
                ]

    def _connect(self) -> None:
        # One at a time, whoever asks: others see their place in the queue.
        work: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "work"}
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
        for kind in (work, quick):
            kind["api_visibility"] = "private"
        found = [
            self.clip, self.analysis, self.watching, self.go_on, self.stop_watching,
            self.tempo, self.keep, self.make, self.again, self.shown,
        ]  # fmt: skip
        watching = {"outputs": found, "show_progress_on": self.watching, **work}
        watches = [self.go_on.click(self.analyse, self.clip, **watching)]
        shown = self.sample.click(lambda: SAMPLE, None, self.upload, **quick)
        for event in (self.upload.upload, shown.then):
            # What a visitor still does with the video before is over.
            ended = event(self.left, None, None, **quick)
            watches.append(ended.then(self.look, self.upload, **watching))
        self.upload.clear(self.forget, None, found, cancels=[*watches], **quick)
        self.stop_watching.click(self.stopped_watching, None, found, cancels=[*watches], **quick)

        asked = [
            self.analysis, self.genre, self.tempo, self.takes, self.degree, self.instruments,
            self.key, self.seed, self.keep, self.balance,
        ]  # fmt: skip
        buttons = [self.make, self.again, self.stop, self.making]
        making = {"show_progress_on": self.making, **work}
        made = [self.results, self.take, self.shown, *buttons]
        makes = []
        reseeded = self.again.click(self.reseed, [self.seed, self.takes], self.seed, **quick)
        for event in (self.make.click, reseeded.then):
            begun = event(self.begin, None, buttons, **quick)
            makes.append(begun.then(self.compose, asked, made, **making))
        self.stop.click(self.stopped_making, None, buttons, cancels=[*makes], **quick)
        one = [self.player, self.roll, self.scores, *self.downloads]
        for finished in makes:
            finished.success(self.show, [self.results, self.take], one, **quick)
            # Gradio has told what is wrong with a setting.
            finished.failure(self.failed, None, buttons, **quick)
        self.take.input(self.show, [self.results, self.take], one, **quick)

    def look(
        self, upload: str | None, request: gr.Request, bar: gr.Progress = gr.Progress()
    ) -> Iterator[Update]:
        """Check a video that was chosen; analyse it unless that takes long."""
        if upload is None:
            return
        yield {**self.forget(request), self.stop_watching: gr.Button(visible=True)}
        clip = self._tried(self.watching, lambda: self.studio.open(upload))
        if isinstance(clip, dict):
            yield {**clip, self.stop_watching: gr.Button(visible=False)}
            return
        yield {self.clip: clip, self.keep: gr.Checkbox(value=False, interactive=clip.has_sound)}
        if clip.analysing + clip.composing <= LONG:
            yield from self.analyse(clip, request, bar)
            return
        yield {
            self.watching: told(page_text.of_clip(clip), "tall"),
            self.go_on: gr.Button(visible=True),
            self.stop_watching: gr.Button(visible=False),
        }

    def analyse(
        self, clip: Clip, request: gr.Request, bar: gr.Progress = gr.Progress()
    ) -> Iterator[Update]:
        """Find the rhythm of a video, and draw it."""
        yield {
            self.watching: told("", "tall"),
            self.go_on: gr.Button(visible=False),
            self.stop_watching: gr.Button(visible=True),
        }
        progress = self._progress(request, bar)
        analysis = self._tried(self.watching, lambda: self.studio.analyse(clip, progress))
        ended = {self.stop_watching: gr.Button(visible=False)}
        if isinstance(analysis, dict):
            yield {**analysis, **ended}
            return
        yield {
            **ended,
            self.analysis: analysis,
            self.watching: picture(analysis.picture, page_text.of_rhythm(analysis)),
            self.tempo: round(analysis.rhythm.tempo, 1),
            self.make: gr.Button(interactive=True),
        }

    def compose(
        self,
        analysis: Watched | None,
        genre: str,
        tempo: float | None,
        takes: int,
        degree: float,
        instruments: list[str],
        key: str,
        seed: float | None,
        keep: bool,
        balance: float,
        request: gr.Request,
        bar: gr.Progress = gr.Progress(),
    ) -> Update:
        """Make the takes."""

        def make() -> list[Result]:
            if analysis is None or not analysis.clip.path.exists():
                raise InputError("The video is no longer here: choose it again")
            if not instruments:
                raise InputError("Choose at least one instrument")
            unchanged = tempo is None or tempo == round(analysis.rhythm.tempo, 1)
            everyone = len(instruments) == len(INSTRUMENT_CLASS)
            settings = Settings(
                takes=takes,
                degree=degree,
                tempo=None if unchanged else tempo,
                style=Style(
                    genre=None if genre == ANY else genre,
                    instruments=None if everyone else tuple(instruments),
                    key=next((entry for entry in KEYS if str(entry) == key), None),
                ),
                seed=int(seed or 0),
            )
            progress = self._progress(request, bar)
            return self.studio.compose(analysis, settings, balance if keep else None, progress)

        results = self._tried(self.making, make)
        if isinstance(results, dict):
            return {**self._idle(), **results}
        choices = [
            (f"Take {number}{', the best' if number == 1 < len(results) else ''}", number)
            for number in range(1, len(results) + 1)
        ]
        return {
            **self._idle(),
            self.making: gr.HTML(visible=False),
            self.results: results,
            self.take: gr.Radio(choices, value=1, visible=len(results) > 1),
            self.shown: gr.Column(visible=True),
        }

    def show(self, results: list[Result], take: int | None) -> Update:
        """Show one of the takes."""
        if not results:
            return {self.player: gr.skip()}
        result = results[(take or 1) - 1]
        files = (result.video, result.sound, result.midi, result.report)
        return {
            self.player: result.preview,
            self.roll: picture(result.picture, page_text.of_piece(result.piece)),
            self.scores: page_text.scores(result.piece),
            **{
                button: gr.DownloadButton(value=file)
                for button, file in zip(self.downloads, files, strict=True)
            },
        }

    def begin(self, request: gr.Request) -> Update:
        """Music is asked for, now or when its turn comes."""
        self.visits.begin(request.session_hash)
        return {
            self.make: gr.Button(interactive=False),
            self.again: gr.Button(interactive=False),
            self.stop: gr.Button(visible=True),
            self.making: gr.HTML(told(""), visible=True),
        }

    def reseed(self, seed: float | None, takes: int) -> int:
        """The seed of the first take that has not been heard."""
        return (int(seed or 0) + takes) % MAX_SEED

    def forget(self, request: gr.Request) -> Update:
        """Forget the video before."""
        self.left(request)
        self.visits.begin(request.session_hash)
        return {
            self.clip: None,
            self.analysis: None,
            self.watching: told(WELCOME, "tall"),
            self.go_on: gr.Button(visible=False),
            self.stop_watching: gr.Button(visible=False),
            self.make: gr.Button(interactive=False),
            self.again: gr.Button(interactive=False),
            self.shown: gr.Column(visible=False),
        }

    def stopped_watching(self, request: gr.Request) -> Update:
        """A visitor stops the analysis."""
        return {**self.forget(request), self.watching: told(STOPPED, "tall")}

    def stopped_making(self, request: gr.Request) -> Update:
        """A visitor stops the music's making; what was made before stays."""
        self.left(request)
        return {**self._idle(), self.making: told(STOPPED)}

    def failed(self) -> Update:
        """The music was never begun."""
        return {**self._idle(), self.making: gr.HTML(visible=False)}

    def left(self, request: gr.Request) -> None:
        """End a visitor's work."""
        self.visits.end(request.session_hash)

    def _idle(self) -> Update:
        """The buttons when nothing is being made."""
        return {
            self.make: gr.Button(interactive=True),
            self.again: gr.Button(interactive=True),
            self.stop: gr.Button(visible=False),
        }

    def _progress(self, request: gr.Request, bar: gr.Progress) -> Telling:
        """Reports to the page; raises `Stopped` once the visitor wants that."""
        return self.visits.progress(
            request.session_hash, lambda share, doing: bar(share, desc=doing)
        )

    def _tried(self, place: gr.HTML, work: Callable[[], T]) -> T | Update:
        """The result of some work, or what to tell the visitor in its place."""
        try:
            return work()
        except Stopped:
            text, kinds = STOPPED, []
        except InputError as error:
            text, kinds = f"{str(error).rstrip('.')}.", ["wrong"]
        except Exception:
            log.exception("the page")
            text, kinds = CRASHED, ["wrong"]
        if place is self.watching:
            kinds.append("tall")
        return {place: gr.HTML(told(text, *kinds), visible=True)}

    def _sweep(self) -> None:
        while True:
            time.sleep(SWEEP)
            self.studio.sweep(KEPT)


def serve(page: Page, host: str, port: int | None) -> gr.Blocks:
    """Start to answer browsers, in threads of its own.

    Raises:
        OSError: the port is taken.
    """
    minutes = page.studio.max_minutes
    blocks = page.build().queue(api_open=False)
    blocks.launch(
        server_name=host,
        server_port=port,
        theme=THEME,
        css=CSS,
        head=HEAD,
        footer_links=[],
        ssr_mode=False,
        quiet=True,
        prevent_thread_lock=True,
        allowed_paths=[str(SAMPLE)],
        max_file_size=None if math.isinf(minutes) else f"{math.ceil(UPLOAD_RATE * minutes)}mb",
    )
    return blocks
