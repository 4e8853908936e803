"""A local server that answers like Deezer's API, and plays scripted faults.

Each track has a list of faults for its metadata and one for its audio. The server plays them in
turn, then it behaves. Its log has all requests.
"""

import asyncio
import functools
import io
import json
import random
import threading
import time

import numpy as np
import soundfile

API_FAULTS = (
    *("quota", "quota as text", "no code", "busy", "html", "html 200", "array", "429", "403"),
    *("503", "reset", "half", "slow", "other track", "empty"),
)
AUDIO_FAULTS = (
    "expired",
    "gone",
    "500",
    "reset",
    "half",
    "half, no length",
    "slow",
    "html 200",
    "empty",
)


@functools.cache
def music(seconds: float) -> bytes:
    samples = np.sin(np.arange(int(seconds * 8000)) * 0.3).astype(np.float32) * 0.1
    file = io.BytesIO()
    soundfile.write(file, samples, 8000, format="MP3")
    return file.getvalue()


def audio(sng_id: str, seconds: float = 30.0) -> bytes:
    """An MP3 file that no other track has: its ID3v1 tag names the track."""
    return music(seconds) + b"TAG" + sng_id.encode().ljust(125, b"\0")


def track(sng_id: str, link: str) -> dict:
    number = int(sng_id)
    return {
        "id": number,
        "readable": True,
        "title": f'Étude, "no." {sng_id}',
        "duration": 200 + number % 100,
        "preview": link,
        "artist": {"id": number % 7, "name": f"Artist {number % 7}", "type": "artist"},
        "album": {"id": number % 11, "title": f"Album {number % 11}", "type": "album"},
        "type": "track",
    }


def error(message: str, code: int | None = None) -> dict:
    return {"error": {"type": "Exception", "message": message} | ({"code": code} if code else {})}


class PreviewServer:
    """A context with the running server.

    Its `log` has (time, "track" or "audio", sng_id, fault played) for each request.
    """

    def __init__(
        self,
        api_faults: dict[str, list[str]] | None = None,
        audio_faults: dict[str, list[str]] | None = None,
        seconds: dict[str, float] | None = None,
        no_preview=(),
        no_data=(),
        delay: float = 0.0,
        slow: float = 60.0,
    ) -> None:
        self.log: list[tuple[float, str, str, str]] = []
        self.connections = 0
        self._faults = {
            "track": {name: list(faults) for name, faults in (api_faults or {}).items()},
            "audio": {name: list(faults) for name, faults in (audio_faults or {}).items()},
        }
        self._seconds = seconds or {}
        self._no_preview, self._no_data = set(no_preview), set(no_data)
        self._delay, self._slow = delay, slow
        self._draw = random.Random(0)
        self._links: dict[str, int] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def audio(self, sng_id: str) -> bytes:
        return audio(sng_id, self._seconds.get(sng_id, 30.0))

    def asked(self, kind: str = "track") -> list[str]:
        return [sng_id for _, of, sng_id, _ in self.log if of == kind]

    def __enter__(self):
        self._thread.start()
        start = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result(10)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_):
        async def end():
            self._server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def behave(self) -> None:
        """Ends all faults."""
        for faults in self._faults.values():
            faults.clear()

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if not await self._answer(head.split(b" ")[1].decode(), writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.connections -= 1
            writer.close()

    async def _answer(self, path, writer) -> bool:
        _, kind, name = path.split("/", 2)
        sng_id, _, link = name.partition("?link=")
        faults = self._faults[kind].get(sng_id, [])
        fault = faults.pop(0) if faults else ""
        expired = kind == "audio" and int(link) < self._links[sng_id]
        self.log.append((time.monotonic(), kind, sng_id, "old link" if expired else fault))
        if self._delay:
            await asyncio.sleep(self._delay * self._draw.random())
        status, extra = 200, ""
        if kind == "track":
            self._links[sng_id] = self._links.get(sng_id, 0) + 1
            body = self._metadata(sng_id)
        else:
            body = self.audio(sng_id)
        if fault == "quota":
            body = error("Quota limit exceeded", 4)
        elif fault == "quota as text":
            body = error("Quota limit exceeded")
        elif fault == "no code":
            body = error("An unexpected error occurred")
        elif fault == "busy":
            body = error("Service busy", 700)
        elif fault == "array":
            body = []
        elif fault == "other track":
            body = track("99", f"{self.url}/audio/99?link=1")
        elif fault == "empty":
            body = b""
        elif fault.startswith("html"):
            status, body = (200 if "200" in fault else 502), b"<html><h1>Oops</h1></html>"
        elif fault in ("429", "403", "500", "503"):
            status, extra = int(fault), "Retry-After: 0\r\n"
        elif fault in ("expired", "gone") or expired:
            status = 410 if fault == "gone" else 403
            self._links[sng_id] += fault in ("expired", "gone")
        elif fault == "slow":
            await asyncio.sleep(self._slow)
        elif fault == "reset":
            writer.transport.abort()
            return False
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if fault != "half, no length":
            extra += f"Content-Length: {len(body)}\r\n"
        if fault.startswith("half"):
            body = body[: len(body) // 2]
        writer.write(f"HTTP/1.1 {status} X\r\n{extra}\r\n".encode() + body)
        await writer.drain()
        return not fault.startswith("half")

    def _metadata(self, sng_id):
        if sng_id in self._no_data:
            return error("no data", 800)
        if sng_id in self._no_preview:
            return track(sng_id, "")
        return track(sng_id, f"{self.url}/audio/{sng_id}?link={self._links[sng_id]}")


def script(ids, seed: int, most: int = 2) -> tuple[dict, dict]:
    """Random faults for half of the tracks: (faults of the metadata, faults of the audio)."""
    draw = random.Random(seed)
    return tuple(
        {
            sng_id: draw.choices([f for f in kinds if f != "slow"], k=draw.randint(1, most))
            for sng_id in draw.sample(list(ids), len(ids) // 2)
        }
        for kinds in (API_FAULTS, AUDIO_FAULTS)
    )
