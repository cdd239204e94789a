"""Where the page's server listens, and how it begins and ends."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from cmt.files import InputError

PORTS = range(7860, 7960)  # of which the first free one is taken
FAREWELL = 1  # seconds that answers may still take at the end


def listen(host: str, port: int | None) -> socket.socket:
    """A socket on a port, by default the first free one of `PORTS`.

    Raises:
        InputError: no such port is free, or the host is no address of this computer.
    """
    problem = ""
    for each in [port] if port else PORTS:
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, each, type=socket.SOCK_STREAM)[0]
            opened = socket.socket(family, kind)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(address)
            opened.listen()
            return opened
        except OSError as error:
            problem = error.strerror or str(error)
    raise InputError(f"{host}:{port or PORTS.start}: {problem}; choose another --port or --host")


def address(opened: socket.socket) -> str:
    """The host and port that a socket listens on, as URLs have it."""
    host, port = opened.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Server(uvicorn.Server):
    """One that says beforehand that it ends, so that those who watch can be told good-bye."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending()
        await super().shutdown(sockets)


def serve(app: ASGIApp, opened: socket.socket, ending: Callable[[], None]) -> None:
    """Answer browsers until Ctrl-C; `ending` is then called, before the last answers end."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=FAREWELL,
    )
    _Server(config, ending).run(sockets=[opened])
