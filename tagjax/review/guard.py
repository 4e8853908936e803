"""Who may speak to the server: this machine's browser, with the token, from our own page."""

import hmac
import http.cookies
import json
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

LARGEST_BODY = 64 << 10
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Refuses what is not from our own page, before anything is read of it.

    It is an ASGI application around another one.
    """

    def __init__(self, app: Any, port: int, token: str | None = None):
        self._app, self.token = app, token or secrets.token_urlsafe(32)
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.cookie = f"tagjax_review_{port}"

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Answers a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def sending(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                known = {name.lower() for name, _ in message["headers"]}
                added = [
                    (name.encode(), value.encode())
                    for name, value in HEADERS.items()
                    if name.encode() not in known
                ]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin1").lower(), []).append(value.decode("latin1"))
        status, said = self._refusal(scope, headers)
        if status == 303:
            cookie = f"{self.cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/"
            await _answer(sending, 303, "", [(b"location", b"/"), (b"set-cookie", cookie.encode())])
        elif status:
            await _answer(sending, status, said, [(b"connection", b"close")])
        elif scope["method"] != "POST":
            await self._app(scope, receive, sending)
        elif (body := await _body(receive)) is None:
            said = f"more than {LARGEST_BODY >> 10} KiB"
            await _answer(sending, 413, said, [(b"connection", b"close")])
        else:
            await self._app(scope, _received(body, receive), sending)

    def _refusal(self, scope: Mapping[str, Any], headers: dict[str, list[str]]) -> tuple[int, str]:
        """(status, why) of a request that is refused; 303 if it brings the token; 0 if none."""
        if len(hosts := headers.get("host", [])) != 1 or hosts[0].lower() not in self._hosts:
            return 403, "of another host"
        origin = headers.get("origin")
        if origin is not None and origin != [f"http://{hosts[0]}"]:
            return 403, "of another origin"
        start = scope["path"] == "/" and scope["method"] == "GET"
        site = headers.get("sec-fetch-site", ["none"])[-1]
        if not start and site not in ("same-origin", "none"):
            return 403, "of another site"
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return 405, "no such method"
        if not self._known(headers):
            query = parse_qs(scope["query_string"].decode("latin1"))
            if start and self._right(query.get("token", [""])[0]):
                return 303, ""
            return 403, "open the address that launch.review printed"
        if start and b"token=" in scope["query_string"]:
            return 303, ""
        return _refused_post(headers) if scope["method"] == "POST" else (0, "")

    def _known(self, headers: dict[str, list[str]]) -> bool:
        try:
            jar = http.cookies.SimpleCookie("; ".join(headers.get("cookie", [])))
        except http.cookies.CookieError:
            return False
        return self.cookie in jar and self._right(jar[self.cookie].value)

    def _right(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())


def _refused_post(headers: dict[str, list[str]]) -> tuple[int, str]:
    """(status, why) of what would change something; 0 if it may."""
    if headers.get("x-tagjax") != ["1"]:
        return 403, "not of the page"
    kind = headers.get("content-type", [""])[0].partition(";")[0].strip().lower()
    if kind != "application/json":
        return 415, "not JSON"
    size = headers.get("content-length", ["0"])[0]
    if not size.isdecimal() or int(size[:12]) > LARGEST_BODY:
        return 413, f"more than {LARGEST_BODY >> 10} KiB"
    return 0, ""


async def _body(receive: Any) -> bytes | None:
    """The body of a request; None if it is too large."""
    parts, size = list[bytes](), 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LARGEST_BODY:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def _received(body: bytes, receive: Any) -> Any:
    """Gives out a body that was read already."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> dict[str, Any]:
        return left.pop() if left else await receive()

    return receiving


async def _answer(
    send: Any,
    status: int,
    error: str,
    headers: list[tuple[bytes, bytes]] = [],  # noqa: B006
) -> None:
    body = json.dumps({"error": error}).encode() if error else b""
    length = str(len(body)).encode()
    kind = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": status, "headers": [*kind, *headers]})
    await send({"type": "http.response.body", "body": body})
