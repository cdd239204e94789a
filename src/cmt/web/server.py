"""The page's server: its routes, and how it begins and ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from cmt.files import VIDEOS, InputError
from cmt.music.keys import KEYS
from cmt.music.vocabulary import GENRES, INSTRUMENT_CLASS, MAX_TEMPO, MIN_TEMPO
from cmt.rhythm import load_rhythm
from cmt.web import settings, words
from cmt.web.guard import Guard, Hosts
from cmt.web.queue import Queue
from cmt.web.sessions import Session, Sessions, read_json, remove
from cmt.web.settings import FieldError
from cmt.web.timeline import on_grid

STATIC = Path(__file__).with_name("static")
SAMPLE = VIDEOS / "sample.mp4"
PORTS = range(7860, 7960)  # of which the first free one is taken
ASK = 180.0  # seconds of work before which a visitor is asked
UPLOAD_RATE = 500  # MB/minute that a video may have; a phone's 4K has 400
MB = 1_000_000
ROOM = 1000 * MB  # bytes that are left free on the disk
MAX_JSON = 1 * MB  # bytes of what is asked
SWEEP = 300.0  # seconds between looks for what is to be removed
PING = 15.0  # seconds between signs of life to those who watch
KINDS = {"mp4", "wav", "mp3", "mid", "json"}  # of files of a take

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
        megabytes = UPLOAD_RATE * max_minutes
        self.max_upload_mb = None if math.isinf(megabytes) else math.ceil(megabytes)

    def app(self, hosts: Hosts) -> Starlette:
        """The application."""
        mine = "/api/sessions/{token}"
        routes: list[tuple[str, str, Answer]] = [
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
            ("GET", "/takes/{take:int}", self.take),
            ("GET", "/takes/{take:int}/files/{kind:path}", self.file),
        ]
        return Starlette(
            routes=[
                Route("/", self.index),
                Route("/api/limits", self.limits),
                Route("/api/sessions", self.begin, methods=["POST"]),
                *(
                    Route(mine + path, self._of_session(answer), methods=[method])
                    for method, path, answer in routes
                ),
                Mount("/static", StaticFiles(directory=STATIC, check_dir=False)),
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

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self.sessions.sweep()

    def _of_session(self, answer: Answer) -> Callable[[Request], Coroutine[Any, Any, Response]]:
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
        return JSONResponse(
            {
                "max_minutes": None if math.isinf(self.max_minutes) else self.max_minutes,
                "max_upload_mb": self.max_upload_mb,
                "max_takes": settings.MAX_TAKES,
                "max_seed": settings.MAX_SEED,
                "tempo": [MIN_TEMPO, MAX_TEMPO],
                "preview_s": settings.PREVIEW,
                "sample": SAMPLE.exists(),
                "rights": words.RIGHTS,
                "moods": [],
                "genres": list(GENRES),
                "instruments": list(INSTRUMENT_CLASS),
                "keys": list(map(str, KEYS)),
                "timbres": {},
            }
        )

    async def begin(self, request: Request) -> Response:
        """A session for a new visitor."""
        return JSONResponse({"session": self.sessions.begin().token}, 201)

    async def state(self, request: Request, session: Session) -> Response:
        """All that the page shows."""
        return JSONResponse(session.state())

    async def leave(self, request: Request, session: Session) -> Response:
        """Remove all that is a visitor's."""
        self.queue.stop(session)
        self.sessions.end(session)
        return JSONResponse({})

    async def events(self, request: Request, session: Session) -> Response:
        """The state at each change, as Server-Sent Events."""

        async def states() -> AsyncIterator[str]:
            told = -1
            while session.folder.exists():
                session.use()
                if told != session.version:
                    told = session.version
                    yield f"event: state\ndata: {json.dumps(session.state())}\n\n"
                else:
                    yield ": still here\n\n"
                await session.change(told, PING)

        return StreamingResponse(
            states(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    async def upload(self, request: Request, session: Session) -> Response:
        """A video, in place of the one before."""
        name = Path(request.query_params.get("name") or "video").name
        new = session.new_folder()
        try:
            await self._receive(request, new / "video")
            self._open(session, new, name)
        except BaseException:
            remove(new)
            raise
        return JSONResponse(session.state(), 202)

    async def sample(self, request: Request, session: Session) -> Response:
        """The sample, in place of the video before."""
        if not SAMPLE.exists():
            raise FieldError("video", "There is no sample here: choose a video of yours.")
        new = session.new_folder()
        shutil.copyfile(SAMPLE, new / "video")
        self._open(session, new, SAMPLE.name)
        return JSONResponse(session.state(), 202)

    async def _receive(self, request: Request, path: Path) -> None:
        """Write the body of a request to a file, as long as it may be."""
        limit = math.inf if self.max_upload_mb is None else self.max_upload_mb * MB
        too_large = FieldError(
            "video",
            f"This file has more than {self.max_upload_mb} MB, the most taken here.",
        )
        declared = int(request.headers.get("content-length") or 0)
        if declared > limit:
            raise too_large
        if shutil.disk_usage(path.parent).free < declared + ROOM:
            raise FieldError("video", "There is no room here for this file now: try again later.")
        size = 0
        with path.open("wb") as file:
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise too_large
                await run_in_threadpool(file.write, part)
        if not size:
            raise FieldError("video", "This file is empty: choose a video.")

    def _open(self, session: Session, new: Path, name: str) -> None:
        """Take a new video in, and look at it."""
        self.queue.stop(session)
        session.forget()
        session.take_in(new)

        def go_on(clip: dict[str, Any]) -> None:
            if clip["estimate_s"] <= ASK:
                self._analyse(session)

        self.queue.add(session, {"kind": "open", "name": name}, 0, go_on)

    def _analyse(self, session: Session) -> None:
        assert session.clip
        self.queue.add(session, {"kind": "analyse"}, session.clip["analysing"])

    async def analyse(self, request: Request, session: Session) -> Response:
        """Go on with a video whose analysis takes long, or was stopped."""
        if session.clip is None:
            raise FieldError("video", "Choose a video first.")
        self._analyse(session)
        return JSONResponse(session.state(), 202)

    async def stop(self, request: Request, session: Session) -> Response:
        """End what is being done."""
        self.queue.stop(session)
        return JSONResponse(session.state())

    async def video(self, request: Request, session: Session) -> Response:
        """The video, or a copy that browsers can play."""
        copy = session.folder / "playable.mp4"
        return _file(copy if copy.exists() else session.folder / "video", "video/mp4")

    async def timeline(self, request: Request, session: Session) -> Response:
        """What the page draws of a video, at its tempo or another."""
        timeline = read_json(session.folder / "timeline.json")
        if timeline is None:
            raise HTTPException(404)
        if "tempo" in request.query_params:
            with contextlib.suppress(ValueError):
                tempo = float(request.query_params["tempo"])
                asked = settings.read({"tempo": tempo}).tempo
                rhythm = load_rhythm(session.folder / "rhythm.json")
                timeline |= on_grid(rhythm, timeline["hits"], asked)
        url = f"/api/sessions/{session.token}/thumbnails"
        return JSONResponse({**timeline, "thumbnails": {"url": url, **timeline["thumbnails"]}})

    async def thumbnails(self, request: Request, session: Session) -> Response:
        """The strip of thumbnails."""
        return _file(session.folder / "thumbnails.jpg", "image/jpeg")

    async def compose(self, request: Request, session: Session) -> Response:
        """Make takes."""
        content = await _json(request)
        asked = settings.read(content)
        clip = session.clip
        if clip is None or not (session.folder / "timeline.json").exists():
            raise FieldError("video", "Choose a video first, and let it be watched.")
        seconds = clip["composing"] * asked.takes
        self.queue.add(session, {"kind": "compose", "asked": content}, seconds)
        return JSONResponse(session.state(), 202)

    async def settings(self, request: Request, session: Session) -> Response:
        """The values of the form out of a settings file."""
        content = await _json(request)
        given = content.get("page") if isinstance(content, dict) else None
        if given is None:
            raise FieldError(
                "settings", "This is no settings file of this page: give the JSON of a take."
            )
        settings.read(given)
        return JSONResponse(given)

    async def take(self, request: Request, session: Session) -> Response:
        """The notes of a take, and what else is drawn of it."""
        return JSONResponse(read_json(_take(request, session) / "roll.json"))

    async def file(self, request: Request, session: Session) -> Response:
        """A file of a take."""
        take, kind = _take(request, session), request.path_params["kind"]
        found = {path.suffix[1:]: path for path in take.glob("music.*")}
        found["json"] = take / "music.mid.json"
        found.setdefault("mp4", found.get("mkv", take / "none"))
        if kind not in KINDS:
            raise HTTPException(404)
        clip = session.clip or {}
        stem = re.sub(r"[^\w\- ]+", "_", Path(clip.get("name", "")).stem).strip("_ ") or "video"
        path = found[kind]
        name = f"{stem}_music_{take.name}{path.suffix}"
        return _file(path, None, name)


def _take(request: Request, session: Session) -> Path:
    folder = session.folder / "takes" / str(request.path_params["take"])
    if not (folder / "take.json").exists():
        raise HTTPException(404)
    return folder


def _file(path: Path, media_type: str | None, name: str | None = None) -> Response:
    if not path.exists():
        raise HTTPException(404)
    return FileResponse(
        path, media_type=media_type, filename=name, headers={"Cache-Control": "no-store"}
    )


async def _json(request: Request) -> Any:
    """The JSON in a request's body."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_JSON:
            raise FieldError("settings", "This file is too large to be settings.")
    try:
        return json.loads(body)
    except ValueError as error:
        raise FieldError("settings", "This is no JSON: give a settings file.") from error


def _error(field: str | None, message: str, status: int) -> Response:
    return JSONResponse({"field": field, "message": message}, status)


async def _refused(request: Request, error: Exception) -> Response:
    return _error(getattr(error, "field", None), str(error), 422)


async def _no_such(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return _error(None, "There is no such thing here.", status)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=499)


async def _crashed(request: Request, error: Exception) -> Response:
    return _error(None, words.CRASHED, 500)


def listen(host: str, port: int | None) -> socket.socket:
    """A socket on a port, by default the first free one of `PORTS`.

    Raises:
        InputError: the port is taken, or the host is no address of this computer.
    """
    problem = ""
    for each in [port] if port else PORTS:
        try:
            family, kind, _, _, address = socket.getaddrinfo(
                host, each, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            opened = socket.socket(family, kind)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(address)
            opened.listen()
            return opened
        except OSError as error:
            problem = error.strerror or str(error)
    raise InputError(f"{host}:{port or PORTS.start}: {problem}; choose another --port or --host")


def serve(page: Page, hosts: Hosts, sockets: Sequence[socket.socket]) -> None:
    """Answer browsers until Ctrl-C."""
    config = uvicorn.Config(
        page.app(hosts),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=list(sockets))


def address(opened: socket.socket) -> str:
    """The host and port that a socket listens on, as URLs have it."""
    host, port = opened.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
