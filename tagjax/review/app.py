"""The server of the review: JSON, clips and the page, for one browser on this machine."""

import concurrent.futures
import contextlib
import json
import math
import pathlib
import re
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tagjax.base.errors import InputError
from tagjax.examples.audio import AudioError
from tagjax.review.forms import Form, NoSuchError
from tagjax.review.guard import Guard
from tagjax.review.session import BadRequestError, ConflictError, Session

PAGE = pathlib.Path(__file__).with_name("page")
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_RANGE = re.compile(r"bytes=([0-9]{0,12})-([0-9]{0,12})")
_STATUS = {NoSuchError: 404, BadRequestError: 400, ConflictError: 409, AudioError: 404}


class Server:
    """The server of a review.

    Attributes:
      url: with the token, to be opened once.
    """

    def __init__(self, session: Session, port: int = 8765, token: str | None = None):
        """Takes the port; port 0 takes any that is free.

        Raises:
          InputError: the port is in use, or not allowed.
        """
        self._session, self._socket = session, _listening(port)
        self.port = self._socket.getsockname()[1]
        guard = Guard(make_app(session), self.port, token)
        self.url = f"http://127.0.0.1:{self.port}/?token={guard.token}"
        config = uvicorn.Config(
            guard, log_level="critical", access_log=False, lifespan="off", server_header=False,
            timeout_keep_alive=60, backlog=2048, ws="none", timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(config)

    def run(self) -> None:
        """Serves until it is told to stop, by a signal or by `stop`."""
        with contextlib.suppress(KeyboardInterrupt):
            self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Ends `run`, from another thread."""
        self._server.should_exit = True


def _listening(port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(("127.0.0.1", port))
        found.listen(2048)
    except (OSError, OverflowError) as error:
        found.close()
        why = getattr(error, "strerror", None) or error
        raise InputError(f"--port={port}: {why}; choose another, or 0 for any") from None
    return found


def make_app(session: Session) -> Starlette:
    """The application, without its guard."""
    pages = _Pages(session)
    gets: dict[str, Callable[[Request], Any]] = {
        "/api/state": lambda _: session.state(),
        "/api/next": pages.next,
        "/api/pairs": lambda request: session.pairs(request.query_params),
        "/api/pair/{pair}": lambda r: pages.ahead(session.pair(r.path_params["pair"])),
        "/api/tags": lambda request: session.tags(request.query_params.get("q", "")),
        "/api/tag/{tag}": lambda request: session.tag(request.path_params["tag"]),
        "/api/map": lambda _: session.map(),
        "/api/tree": lambda _: session.tree(),
        "/clip/{track}": pages.clip,
        "/static/{name}": lambda request: _file(request.path_params["name"]),
        "/": lambda _: _file("index.html"),
    }
    posts: dict[str, Callable[[Request, Form], Any]] = {
        "/api/decide": lambda _, body: pages.decide(body),
        "/api/undo": lambda *_: session.undo(),
        "/api/many": lambda _, body: session.many(body),
        "/api/tag/{tag}": lambda r, body: session.choose(r.path_params["tag"], body),
    }
    return Starlette(
        routes=[
            *(Route(path, _get(call), methods=["GET"]) for path, call in gets.items()),
            *(Route(path, _post(call), methods=["POST"]) for path, call in posts.items()),
        ],
        exception_handlers={404: _not_found, 405: _not_found, Exception: _broken},
    )


class _Pages:
    """Answers that decode clips, now or before they are asked for."""

    def __init__(self, session: Session):
        self._session = session
        self._threads = concurrent.futures.ThreadPoolExecutor(1, "clips")

    def ahead(self, form: Form) -> Form:
        """Has the clips of a pair decoded."""
        for clip in (*form["for"], *form["against"]):
            if not clip["reason"]:
                self._threads.submit(_decoded, self._session, clip)
        return form

    def next(self, request: Request) -> Form:
        """The pair that comes next."""
        skip = [text for text in request.query_params.get("skip", "").split(",") if text]
        found = self._session.next(skip)
        return {"pair": found and self.ahead(found)}

    def decide(self, body: Form) -> Form:
        """The state after a decision."""
        found = self._session.decide(body)
        if found["next"]:
            self.ahead(found["next"])
        return found

    def clip(self, request: Request) -> Response:
        """A clip of a track, or a part of one."""
        track = self._session.forms.track_of(request.path_params["track"])
        content = self._session.clips.clip(track, _start(request.query_params.get("start", "")))
        return _ranged(content, request.headers.get("range", ""))


def _get(call: Callable[[Request], Any]) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        return await _answered(call, request)

    return answer


def _post(call: Callable[[Request, Form], Any]) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        try:
            body = json.loads(await request.body() or b"[]")
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            return _error("the body is no JSON object", 400)
        return await _answered(lambda request: call(request, body), request)

    return answer


async def _answered(call: Callable[[Request], Any], request: Request) -> Response:
    try:
        found = await run_in_threadpool(call, request)
    except tuple(_STATUS) as error:
        status = next(s for kind, s in _STATUS.items() if isinstance(error, kind))
        return _error(str(error), status)
    except InputError as error:
        return _error(str(error), 409)
    except OSError as error:
        return _error(f"{error.strerror or error}: {error.filename or ''}", 500)
    return found if isinstance(found, Response) else JSONResponse(found)


def _error(message: str, status: int) -> JSONResponse:
    return JSONResponse({"error": message}, status)


async def _not_found(_: Request, error: Exception) -> Response:
    return _error("there is no such page", getattr(error, "status_code", 404))


async def _broken(_: Request, error: Exception) -> Response:
    return _error(f"{type(error).__name__}; see the terminal", 500)


def _decoded(session: Session, clip: Form) -> None:
    with contextlib.suppress(AudioError, NoSuchError, OSError):
        start = float(clip["url"].rpartition("=")[2])
        session.clips.clip(session.forms.track_of(str(clip["track"])), start)


def _start(text: str) -> float:
    try:
        start = float(text or 0)
    except ValueError:
        start = math.nan
    if not 0 <= start <= 1e6:
        raise BadRequestError("start: seconds are needed")
    return start


def _ranged(content: bytes, wanted: str) -> Response:
    """A clip, or the part of it that is wanted."""
    headers = {"accept-ranges": "bytes", "cache-control": "private, max-age=3600"}
    if not wanted:
        return Response(content, media_type="audio/wav", headers=headers)
    match, size = _RANGE.fullmatch(wanted.strip()), len(content)
    if match is None:  # Of several ranges, or in other units: all is an answer too.
        return Response(content, media_type="audio/wav", headers=headers)
    first, last = match[1], match[2]
    begin, end = (int(first), int(last) if last else size - 1) if first else (-1, size - 1)
    if not first:
        begin = max(0, size - int(last or 0))
    end = min(end, size - 1)
    if begin > end:
        headers["content-range"] = f"bytes */{size}"
        return Response(status_code=416, headers=headers)
    headers["content-range"] = f"bytes {begin}-{end}/{size}"
    return Response(content[begin : end + 1], 206, headers, media_type="audio/wav")


def _file(name: str) -> Response:
    """A file of the page; only those that lie in its folder."""
    found = {path.name: path for path in PAGE.glob("*") if path.suffix in _KINDS}
    if name not in found:
        raise NoSuchError("there is no such page")
    return Response(found[name].read_bytes(), media_type=_KINDS[found[name].suffix])
