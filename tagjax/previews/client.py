"""Fetches the metadata and the preview of one track from Deezer's API, and handles its faults.

The API reports errors as an object with HTTP 200. The link of a preview is signed and expires. So
the client follows it at once, and asks for a new one when it is refused.
"""

import asyncio
import dataclasses
import datetime
import io
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import soundfile

from tagjax.previews.ledger import FAILED, FOUND, NO_DATA, NO_PREVIEW, PREVIEW, Record
from tagjax.previews.limiter import Limiter

API = "https://api.deezer.com"
_QUOTA, _NO_DATA = 4, 800
_EXPIRED = 403, 404, 410
_MAX_ANSWER, _MAX_AUDIO = 1 << 20, 1 << 25
"""Largest numbers of bytes of an answer and of a preview."""
_MAX_WAIT = 300.0
"""The longest time that a server may ask us to wait, seconds."""


class FaultError(Exception):
    """A fault that another try may mend; its message is the reason, in a few words."""

    def __init__(self, reason: str, http: int | None = None) -> None:
        super().__init__(reason)
        self.http = http


class QuotaError(FaultError):
    """The API was asked too often; `wait` is the number of seconds that it asks us to wait."""

    def __init__(self, reason: str, http: int | None = None, wait: float = 0.0) -> None:
        super().__init__(reason, http)
        self.wait = wait


class LinkError(FaultError):
    """The link of the preview is refused; a new link may work."""


@dataclasses.dataclass(frozen=True)
class ClientConfig:
    """How requests to the API are made.

    Attributes:
      api: its address.
      timeout: seconds that one request may take, including the body.
      retries: number of further tries for a track after faults.
      refusals: number of refusals because of the quota after which a track is left to the next run.
      backoff: seconds before the first retry. Each retry doubles it; half of it is random.
      max_backoff: the longest backoff, seconds.
    """

    api: str = API
    timeout: float = 30.0
    retries: int = 5
    refusals: int = 20
    backoff: float = 1.0
    max_backoff: float = 60.0


def parse_track(sng_id: str, http: int, body: bytes) -> tuple[Record, str]:
    """Reads the API's answer about a track.

    Returns:
      A record without audio, and the link of the preview ("" unless the status is `FOUND`).

    Raises:
      QuotaError: the answer says that the quota is used up.
      FaultError: the answer is neither a track nor final.
    """
    if http == 429:
        raise QuotaError(f"HTTP {http}", http)
    if http != 200:
        raise FaultError(f"HTTP {http}", http)
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise FaultError("the answer is not JSON", http) from None
    if not isinstance(answer, dict):
        raise FaultError("the answer is not an object", http)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    if "error" in answer:
        reason = _error(answer["error"], http)
        return Record(sng_id, NO_DATA, reason, http, PREVIEW, now), ""
    if _text(answer.get("id")) != sng_id:
        raise FaultError("the answer is not this track", http)
    artist, album = (_object(answer.get(name)) for name in ("artist", "album"))
    seconds = answer.get("duration")
    link = answer.get("preview") or ""
    record = Record(
        sng_id,
        FOUND if link else NO_PREVIEW,
        "" if link else "no link to a preview",
        http,
        PREVIEW,
        now,
        title=_text(answer.get("title")),
        artist=_text(artist.get("name")),
        artist_id=_text(artist.get("id")),
        album=_text(album.get("title")),
        album_id=_text(album.get("id")),
        track_duration_s=float(seconds) if isinstance(seconds, int | float) else None,
    )
    if link and not (isinstance(link, str) and link.startswith(("http://", "https://"))):
        raise FaultError("the preview's link is not a URL", http)
    return record, link


def decoded_duration(body: bytes, whole: bool = True) -> float:
    """Decodes a whole audio file and returns its length in seconds.

    Args:
      body: content of the file.
      whole: whether the content is known to be complete. If not, its sound must be as long as the
        header says.

    Raises:
      FaultError: the file is not audio, has no samples, or is cut off.
    """
    frames = 0
    try:
        with soundfile.SoundFile(io.BytesIO(body)) as file:
            while count := len(file.read(1 << 16, dtype="float32")):
                frames += count
            seconds, promised = frames / file.samplerate, file.frames / file.samplerate
    except (soundfile.LibsndfileError, RuntimeError, TypeError, ZeroDivisionError):
        raise FaultError("the preview is not audio") from None
    if not frames:
        raise FaultError("the preview has no samples")
    if not whole and seconds < promised - 0.1:
        raise FaultError("the preview is cut off")
    return seconds


class Client:
    """Fetches tracks over one `httpx.AsyncClient` and one limiter."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        limiter: Limiter,
        config: ClientConfig,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._http = http
        self._limiter = limiter
        self._config = config
        self._sleep = sleep
        self._draw = draw

    async def fetch(self, sng_id: str) -> tuple[Record, bytes]:
        """Returns a track's record and its audio (b"" unless the status is `FOUND`).

        The status is `FAILED` if all retries of the config fail. It raises nothing.
        """
        config = self._config
        faults = refusals = 0
        record, link = None, ""
        while True:
            try:
                if record is None:
                    record, link = await self._track(sng_id)
                if record.status != FOUND:
                    return record, b""
                body, whole = await self._audio(link)
                seconds = await asyncio.to_thread(decoded_duration, body, whole)
                return dataclasses.replace(record, duration_s=round(seconds, 3)), body
            except FaultError as error:
                quota = isinstance(error, QuotaError)
                refusals += quota
                faults += not quota
                if faults > config.retries or refusals > config.refusals:
                    known = record or Record(sng_id, FAILED, source=PREVIEW)
                    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
                    known = dataclasses.replace(known, status=FAILED, fetched_at=now)
                    return dataclasses.replace(known, reason=str(error), http=error.http), b""
                if isinstance(error, LinkError):
                    record = None
                if not quota and not (isinstance(error, LinkError) and faults == 1):
                    longest = min(config.backoff * 2.0 ** (faults - 1), config.max_backoff)
                    await self._sleep(longest * (0.5 + 0.5 * self._draw()))

    async def _track(self, sng_id: str) -> tuple[Record, str]:
        slot = await self._limiter.acquire()
        http, headers, body = await self._get(
            f"{self._config.api.rstrip('/')}/track/{sng_id}", _MAX_ANSWER
        )
        try:
            found = parse_track(sng_id, http, body)
        except QuotaError as error:
            error.wait = _seconds(headers.get("retry-after"))
            self._limiter.refused(slot, error.wait)
            raise
        self._limiter.answered(slot)
        return found

    async def _audio(self, link: str) -> tuple[bytes, bool]:
        """Returns the audio, and whether HTTP guarantees that it is complete."""
        http, headers, body = await self._get(link, _MAX_AUDIO)
        if http in _EXPIRED:
            raise LinkError(f"HTTP {http} for the preview", http)
        if http != 200:
            raise FaultError(f"HTTP {http} for the preview", http)
        return body, "content-length" in headers or "transfer-encoding" in headers

    async def _get(self, url: str, most: int) -> tuple[int, Mapping[str, str], bytes]:
        """Returns status, headers and the whole body.

        Raises:
          FaultError: the answer is not complete, comes too late, or has more than `most` bytes.
        """
        body = bytearray()
        try:
            async with (
                asyncio.timeout(self._config.timeout),
                self._http.stream("GET", url) as response,
            ):
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > most:
                        raise FaultError(f"more than {most} bytes", response.status_code)
        except TimeoutError:
            raise FaultError(f"no answer in {self._config.timeout:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise FaultError(_text(error) or type(error).__name__) from None
        return response.status_code, response.headers, bytes(body)


def _error(error: Any, http: int) -> str:
    """The reason why the API has no data of a track; raises any other error."""
    error = _object(error)
    message = _text(error.get("message")) or "an error without message"
    code = _text(error.get("code"))
    if code == str(_QUOTA) or (not code and "quota" in message.lower()):
        raise QuotaError(f"API: {message}", http)
    if code == str(_NO_DATA) or (not code and message.lower() == "no data"):
        return message
    raise FaultError(f"API: {message}" + (f" (code {code})" if code else ""), http)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """The value as one line of text that can be encoded as UTF-8; "" for None."""
    text = "" if value is None else str(value)
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())


def _seconds(header: str | None) -> float:
    """`Retry-After` in seconds, at most `_MAX_WAIT`; 0 if it is a date or missing."""
    return min(float(header), _MAX_WAIT) if header and header.isdecimal() else 0.0
