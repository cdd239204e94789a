"""Who may ask the page's server for what: hosts, origins, and what browsers are told to refuse."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cmt.files import InputError

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
READING = frozenset({"GET", "HEAD"})
# The browser itself refuses to fetch anything from elsewhere, or to be shown inside another page.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
        " media-src 'self' blob:; connect-src 'self'; font-src 'self'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Hosts:
    """The names that the server answers to.

    A page from elsewhere can have its own name lead here (DNS rebinding), and would then read what
    this server says: so only names that are known to be ours get an answer. An address is no name.

    Attributes:
        names: in small letters.
        given: those of them that the operator named; a proxy may pass them on as origins.
        addresses: whether any address will do, as on a network.
    """

    names: frozenset[str]
    given: frozenset[str] = frozenset()
    addresses: bool = False

    @classmethod
    def of(cls, host: str, given: Sequence[str] = ()) -> Hosts:
        """Those of a server that listens on `host`; `given` are names that it has besides.

        Raises:
            InputError: `host` is no address or name of this computer.
        """
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError as error:
            raise InputError(
                f"--host {host}: not known here ({error.strerror}); give an address of this"
                " computer, such as 127.0.0.1, or 0.0.0.0 for all of them"
            ) from error
        besides = frozenset(map(str.lower, given))
        listening = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        names = LOOPBACK | {host.lower()} | besides
        if all(address.is_loopback for address in listening):
            return cls(names, besides)
        own = socket.gethostname().lower()
        return cls(names | {own, f"{own}.local"}, besides, addresses=True)

    def allow(self, host: str) -> bool:
        """Whether a Host header names this server."""
        name = _name(host)
        return name in self.names or (self.addresses and _is_address(name))

    def allow_origin(self, origin: str, host: str) -> bool:
        """Whether a page from `origin` may change something on this server, called `host`."""
        _, _, theirs = origin.partition("://")
        return bool(theirs) and (theirs == host or _name(theirs) in self.given)


def _name(host: str) -> str:
    """The name or address in a Host header, "" where there is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """Lets through to an application what names this server and comes from its own page."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on, one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._refusal(scope["method"], headers)
        app = JSONResponse({"field": None, "message": refusal}, 403) if refusal else self.app
        await app(scope, receive, guarded)

    def _refusal(self, method: str, headers: Headers) -> str | None:
        """Why a request gets no answer."""
        host = headers.get("host", "")
        if not self.hosts.allow(host):
            return (
                f"This server does not answer to the name {_name(host)!r}; whoever started it can"
                f" add it: --allow-host NAME."
            )
        origin = headers.get("origin")
        strange = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if method not in READING and (
            strange if origin is None else not self.hosts.allow_origin(origin, host)
        ):
            return "This was asked for by a page from elsewhere, which may not do that."
        return None
