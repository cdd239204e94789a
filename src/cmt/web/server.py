"""The page's server: its routes.

All of `/api/sessions/TOKEN` is that session's alone. What changes something answers with the
session's state; what goes wrong, with `{"field", "message"}` and a status of 4xx.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from cmt.files import VIDEOS, InputError
from cmt.limits import TooMuch
from cmt.rhythm import load_rhythm
from cmt.web import changes, downloads, settings, tunes, uploads, words
from cmt.web.choices import choices
from cmt.web.guard import Guard, Hosts
from cmt.web.queue import Queue
from cmt.web.sessions import Session, Sessions, read_json, remove
from cmt.web.settings import FieldError
from cmt.web.timeline import on_grid
from cmt.web.uploads import MB, max_video, receive, shown_name

STATIC = Path(__file__).with_name("static")
SAMPLE = VIDEOS / "sample.mp4"
ASK = 180.0  # seconds of work before which a visitor is asked
SWEEP = 300.0  # seconds between looks for what is to be removed
PING = 15.0  # seconds between signs of life to those who watch
UNSTORED = {"Cache-Control": "no-store"}

Changing = Callable[[dict[str, Any], Any, int, list[float]], dict[str, Any]]
Answer = Callable[[Request, Session], Coroutine[Any, Any, Response]]


class Page:
    """The routes of the page.

    Args:
        sessions: the visitors' folders.
        queue: does their work.
        max_minutes: of a video.
    """

    def __init__(self, sessions: Sessions, queue: Queue, max_minutes: float) -> None:
        self.sessions = sessions
        self.queue = queue
        self.max_minutes = max_minutes
        self.max_upload = max_video(max_minutes)
        self._tunes = asyncio.Semaphore(tunes.AT_ONCE)
        self._ending = False

    def app(self, hosts: Hosts) -> Starlette:
        """The application."""
        mine: list[tuple[str, str, Answer]] = [
            ("GET", "", self.state),
            ("DELETE", "", self.leave),
            ("GET", "/events", self.events),
            ("GET", "/video", self.video),
            ("PUT", "/video", self.upload),
            ("POST", "/sample", self.sample),
            ("POST", "/analyse", self.analyse),
            ("POST", "/stop", self.stop),
            ("GET", "/timeline", self.timeline),
            ("GET", "/thumbnails", self.thumbnails),
            ("POST", "/compose", self.compose),
            ("POST", "/settings", self.settings),
            ("PUT", "/theme", self.theme),
            ("GET", "/takes/{take:int}", self.take),
            ("POST", "/takes/{take:int}/again", self.again),
            ("POST", "/takes/{take:int}/revise", self.revise),
            ("GET", "/takes/{take:int}/files/{kind:path}", self.file),
        ]
        return Starlette(
            routes=[
                Route("/", self.index),
                Route("/api/limits", self.limits),
                Route("/api/sessions", self.begin, methods=["POST"]),
                *(
                    Route(f"/api/sessions/{{token}}{path}", self._of(answer), methods=[method])
                    for method, path, answer in mine
                ),
                Mount("/static", StaticFiles(directory=STATIC)),
            ],
            middleware=[Middleware(Guard, hosts=hosts)],
            exception_handlers={
                InputError: _refused,
                HTTPException: _no_such,
                ClientDisconnect: _gone,
                Exception: _crashed,
            },
            lifespan=self._life,
        )

    @contextlib.asynccontextmanager
    async def _life(self, app: Starlette) -> AsyncIterator[None]:
        """Work while there is somebody to ask for it, and remove what nobody uses."""
        self.queue.start()
        sweeping = asyncio.create_task(self._sweep())
        yield
        sweeping.cancel()
        await self.queue.end()

    def end(self) -> None:
        """Let those go who watch."""
        self._ending = True
        self.sessions.tell_all()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self.sessions.sweep()

    def _of(self, answer: Answer) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """An endpoint that is told whose session its path names."""

        async def endpoint(request: Request) -> Response:
            session = self.sessions.find(request.path_params["token"])
            if session is None:
                return _error(None, words.GONE, 404)
            return await answer(request, session)

        return endpoint

    async def index(self, request: Request) -> Response:
        """The page."""
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    async def limits(self, request: Request) -> Response:
        """What may be asked for."""
        bounded = not math.isinf(self.max_minutes)
        return JSONResponse(
            {
                "max_minutes": self.max_minutes if bounded else None,
                "max_upload_mb": self.max_upload / MB if bounded else None,
                "sample": SAMPLE.exists(),
                "rights": words.RIGHTS,
                **choices(),
            }
        )

    async def begin(self, request: Request) -> Response:
        """A session for a new visitor."""
        address = request.client.host if request.client else ""
        return JSONResponse({"session": self.sessions.begin(address).token}, 201)

    async def state(self, request: Request, session: Session) -> Response:
        """All that the page shows."""
        return JSONResponse(session.state(), headers=UNSTORED)

    async def leave(self, request: Request, session: Session) -> Response:
        """Remove all that is a visitor's."""
        self.queue.stop(session)
        self.sessions.end(session)
        return JSONResponse({})

    async def events(self, request: Request, session: Session) -> Response:
        """The state at each change, as Server-Sent Events."""

        async def states() -> AsyncIterator[str]:
            told = -1
            while session.folder.exists() and not self._ending:
                session.use()
                if told != session.version:
                    told = session.version
                    yield f"event: state\ndata: {json.dumps(session.state())}\n\n"
                else:
                    yield ": still here\n\n"
                await session.change(told, PING)

        return StreamingResponse(states(), media_type="text/event-stream", headers=UNSTORED)

    async def upload(self, request: Request, session: Session) -> Response:
        """A video, in place of the one before."""
        new = session.new_folder()
        try:
            await receive(request, new / "video", self.max_upload, "video")
            self._open(session, new, shown_name(request, "video"))
        finally:
            remove(new)
        return _begun(session)

    async def sample(self, request: Request, session: Session) -> Response:
        """The sample, in place of the video before."""
        if not SAMPLE.exists():
            raise FieldError("video", "There is no sample here: choose a video of yours.")
        new = session.new_folder()
        shutil.copyfile(SAMPLE, new / "video")
        self._open(session, new, SAMPLE.name)
        return _begun(session)

    def _open(self, session: Session, new: Path, name: str) -> None:
        """Take a new video in, and look at it; watch it, too, unless that takes long."""
        self.queue.stop(session)
        session.forget()
        session.take_in(new)

        def go_on(clip: dict[str, Any]) -> None:
            if clip["estimate_s"] <= ASK:
                self._watch(session, clip)

        self.queue.add(session, {"kind": "open", "name": name}, 0, go_on)

    def _watch(self, session: Session, clip: dict[str, Any]) -> None:
        self.queue.add(session, {"kind": "analyse"}, clip["analysing"])

    async def analyse(self, request: Request, session: Session) -> Response:
        """Go on with a video whose analysis takes long, or was stopped."""
        if session.clip is None:
            raise FieldError("video", "Choose a video first.")
        self._watch(session, session.clip)
        return _begun(session)

    async def stop(self, request: Request, session: Session) -> Response:
        """End what is being done."""
        self.queue.stop(session)
        return JSONResponse(session.state())

    async def video(self, request: Request, session: Session) -> Response:
        """The video, or a copy that browsers can play."""
        copy = session.folder / "playable.mp4"
        return _file(copy if copy.exists() else session.folder / "video", "video/mp4")

    async def timeline(self, request: Request, session: Session) -> Response:
        """What the page draws of a video, at its tempo, or another, or that of a mood."""
        timeline = session.timeline
        if timeline is None:
            raise HTTPException(404)
        if request.query_params:
            tempo = settings.tempo_of(request.query_params.get("tempo", ""))
            mood = settings.mood_of(request.query_params.get("mood", ""))
            rhythm = load_rhythm(session.folder / "rhythm.json")
            timeline |= await run_in_threadpool(on_grid, rhythm, timeline["hits"], tempo, mood)
        url = f"/api/sessions/{session.token}/thumbnails"
        thumbnails = {"url": url, **timeline["thumbnails"]}
        return JSONResponse({**timeline, "thumbnails": thumbnails}, headers=UNSTORED)

    async def thumbnails(self, request: Request, session: Session) -> Response:
        """The strip of thumbnails."""
        return _file(session.folder / "thumbnails.jpg", "image/jpeg")

    async def compose(self, request: Request, session: Session) -> Response:
        """Make takes."""
        return self._begin(session, await uploads.read_json(request))

    async def again(self, request: Request, session: Session) -> Response:
        """Make a take that has another passage, and is else the same as one that is there."""
        return self._begin(session, await self._changed(request, session, changes.again))

    async def revise(self, request: Request, session: Session) -> Response:
        """Make a take that has other sections or hits, and else the same bars as one there."""
        return self._begin(session, await self._changed(request, session, changes.revise))

    async def _changed(self, request: Request, session: Session, change: Changing) -> Any:
        """What to ask for, so that the take that a path names is changed as is asked."""
        take = _take(request, session)
        body = await uploads.read_json(request)
        roll = await run_in_threadpool(read_json, take / "roll.json")
        return change(_given(take), body, request.path_params["take"], roll["bars"])

    def _begin(self, session: Session, content: Any) -> Response:
        asked = settings.read(content)
        clip = session.clip
        if clip is None or session.timeline is None:
            raise FieldError("video", "Choose a video first, and let it be watched.")
        session.room_for(asked.takes)
        length = min(1.0, settings.PREVIEW / clip["duration"]) if asked.preview else 1.0
        seconds = clip["composing"] * asked.takes * length
        self.queue.add(session, {"kind": "compose", "asked": content}, seconds)
        return _begun(session)

    async def settings(self, request: Request, session: Session) -> Response:
        """The values of the form out of a settings file."""
        content = await uploads.read_json(request)
        given = content.get("page") if isinstance(content, dict) else None
        if given is None:
            raise FieldError(
                "settings", "This is no settings file of this page: give the JSON of a take."
            )
        key = settings.read(given).key
        return JSONResponse(given | {"key": str(key)} if key else given)

    async def theme(self, request: Request, session: Session) -> Response:
        """The melody of a MIDI file or of what is hummed, as what is composed may be given it."""
        new = session.new_folder()
        try:
            await receive(request, new / "tune", uploads.MAX_TUNE, "theme")
            found = await tunes.read_tune(new / "tune", self._tunes)
        except FieldError:
            raise
        except InputError as error:
            said = error.reason if isinstance(error, TooMuch) else str(error)
            message = said.partition(": ")[2] or said
            raise FieldError("theme", f"This tune cannot be used: {message}.") from error
        finally:
            remove(new)
        return JSONResponse({"name": shown_name(request, "tune"), **found})

    async def take(self, request: Request, session: Session) -> Response:
        """The notes of a take, and what else is drawn of it."""
        return _file(_take(request, session) / "roll.json", "application/json")

    async def file(self, request: Request, session: Session) -> Response:
        """A file of a take."""
        take, kind = _take(request, session), request.path_params["kind"]
        video = (session.clip or {}).get("name", "")
        if kind == "zip":
            path: Path | None = await run_in_threadpool(downloads.pack, take, video)
        else:
            path = downloads.find(take, kind)
        if path is None:
            raise HTTPException(404)
        return _file(path, None, downloads.name_of(video, take, path))


def _take(request: Request, session: Session) -> Path:
    folder = session.folder / "takes" / str(request.path_params["take"])
    if not (folder / "take.json").exists():
        raise HTTPException(404)
    return folder


def _given(take: Path) -> dict[str, Any]:
    """What a take was made from."""
    given: dict[str, Any] = read_json(take / "take.json")["settings"]
    return given


def _begun(session: Session) -> Response:
    return JSONResponse(session.state(), 202)


def _file(path: Path, media_type: str | None, name: str | None = None) -> Response:
    if not path.is_file():
        raise HTTPException(404)
    return FileResponse(path, media_type=media_type, filename=name, headers=UNSTORED)


def _error(field: str | None, message: str, status: int) -> Response:
    return JSONResponse({"field": field, "message": message}, status)


async def _refused(request: Request, error: Exception) -> Response:
    return _error(getattr(error, "field", None), str(error), 422)


async def _no_such(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return _error(None, "There is no such thing here.", status)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # that nobody reads


async def _crashed(request: Request, error: Exception) -> Response:
    return _error(None, words.CRASHED, 500)
