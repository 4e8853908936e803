"""Keeps what is known of each track, in such a way that a kill at any moment loses nothing.

`previews.jsonl` beside the audio has a line for each answer. A later line about a track replaces an
earlier one. A preview is first written to a temporary file, then its line is written, then the file
gets its name. So a named file is always complete. A line counts if its file exists; or if the
temporary file is complete, which then gets its name.

The ledger is JSON lines, not SQLite: one process writes, everything is read once at the start, a
kill can only cut the last line, locking needs no second file, and any tool reads it.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import math
import os
import pathlib
import re
import threading
from collections.abc import Iterable
from typing import Any

import soundfile

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, atomic_path
from tagjax.examples.provenance import LOCAL

LEDGER = "previews.jsonl"
FOUND, NO_PREVIEW, NO_DATA, FAILED = "found", "no preview", "no data", "failed"
STATUSES = (FOUND, NO_PREVIEW, NO_DATA, FAILED)
PREVIEW = "deezer preview"
_TEMPORARY = re.compile(r"\.(?:([0-9]+)\.mp3|coverage\.csv|provenance\.csv)\.\w+\.tmp")
_SUFFIXES = {".mp3", ".flac", ".ogg", ".opus", ".wav", ".aif", ".aiff", ".au", ".caf"}


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """What is known of one track.

    Attributes:
      sng_id: id of the track.
      status: one of `STATUSES`; all but the last one are final.
      reason: the reason if there is no audio.
      http: status code of the last answer; None if there was none.
      source: `PREVIEW`, or `LOCAL` for a file that was there before.
      fetched_at: time of the answer, UTC, ISO 8601.
      path: path of the audio, relative to the audio folder.
      size: size of the audio, bytes.
      sha256: digest of the audio.
      duration_s: length of the decoded audio, seconds.
      title, artist, artist_id, album, album_id: metadata from Deezer.
      track_duration_s: length of the whole track according to Deezer, seconds.
    """

    sng_id: str
    status: str
    reason: str = ""
    http: int | None = None
    source: str = ""
    fetched_at: str = ""
    path: str = ""
    size: int = 0
    sha256: str = ""
    duration_s: float | None = None
    title: str = ""
    artist: str = ""
    artist_id: str = ""
    album: str = ""
    album_id: str = ""
    track_duration_s: float | None = None


_FIELDS = {field.name: field.default for field in dataclasses.fields(Record)}
_KINDS: dict[str, Any] = {
    "sng_id": str,
    "http": (int, type(None)),
    "size": int,
    "duration_s": (float, int, type(None)),
    "track_duration_s": (float, int, type(None)),
    **dict.fromkeys(("reason", "source", "fetched_at", "path", "sha256"), str),
    **dict.fromkeys(("title", "artist", "artist_id", "album", "album_id"), str),
}


def to_line(record: Record) -> bytes:
    """The line of the ledger for a record."""
    values = {name: getattr(record, name) for name in _FIELDS}
    kept = {name: value for name, value in values.items() if value != _FIELDS[name]}
    return json.dumps(kept, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def from_line(line: bytes) -> Record:
    """The inverse of `to_line`; it leaves out unknown fields.

    Raises:
      TypeError, ValueError: the line is not a record.
    """
    values: Any = json.loads(line)
    if not isinstance(values, dict):
        raise ValueError("not an object")
    record = Record(**{name: values[name] for name in _FIELDS if name in values})
    for name, kinds in _KINDS.items():
        value = getattr(record, name)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise ValueError(f"{name} is not of its type")
        if isinstance(value, float | int) and not 0 <= value < math.inf:
            raise ValueError(f"{name} is not a possible number")
    if record.status not in STATUSES:
        raise ValueError("no such status")
    return record


class Ledger:
    """The records of an audio folder, which is locked until the context ends.

    Attributes:
      folder: the folder with the audio.
      records: {sng_id: its last record}; the file of each found track exists.
    """

    def __init__(self, folder: PathLike) -> None:
        """Opens or makes a folder, and tidies up what a killed process has left.

        Raises:
          InputError: it is not a folder, cannot be written, or is in use by another process; or a
            line of the ledger is not a record.
        """
        self.folder = pathlib.Path(folder)
        self._path = self.folder / LEDGER
        self._lock = threading.Lock()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise InputError(f"{self._path}: {error.strerror}; is --audio_dir right?") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.records = self._read()
            self._settle()
            self._sizes = self._scan()
            self._forget()
        except BlockingIOError:
            os.close(self._file)
            raise InputError(
                f"{self.folder}: another process fetches into this folder; wait for it, or stop it"
            ) from None
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def is_final(self, sng_id: str) -> bool:
        """Whether nothing is left to fetch: the audio is here, or does not exist."""
        record = self.records.get(sng_id)
        return record is not None and record.status != FAILED

    def append(self, record: Record, durable: bool = False) -> None:
        """Adds a record; with `durable` it even survives a power cut.

        Raises:
          OSError: the record could not be written; the ledger is as it was before.
        """
        line = to_line(record)
        with self._lock:
            end = os.fstat(self._file).st_size
            try:
                if os.write(self._file, line) < len(line):
                    raise OSError(f"{self._path}: cannot be written completely; is the disk full?")
            except OSError:
                os.ftruncate(self._file, end)
                raise
            self.records[record.sng_id] = record
        if durable:
            os.fsync(self._file)

    def store(self, record: Record, body: bytes) -> None:
        """Writes the audio of a found track as `<sng_id>.mp3`.

        The record is written before the file gets its name.
        """
        name = f"{record.sng_id}.mp3"
        with atomic_path(self.folder / name) as temporary:
            with temporary.open("wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            digest = _sha256(temporary)
            stored = dataclasses.replace(record, path=name, size=len(body), sha256=digest)
            self.append(stored, durable=True)

    def recognise(self, ids: Iterable[str]) -> int:
        """Adds records for audio files that had none when the ledger was opened.

        They are called `<sng_id>` with any extension of audio, in the folder or below it. Files
        that cannot be opened as audio are ignored.

        Returns:
          The number of records added.
        """
        missing = {sng_id for sng_id in ids if not _is_found(self.records.get(sng_id))}
        count = 0
        for name, size in self._sizes.items():
            stem, suffix = os.path.splitext(name.rpartition("/")[2])
            if stem not in missing or suffix.lower() not in _SUFFIXES:
                continue
            try:
                duration = soundfile.info(self.folder / name).duration
            except (soundfile.LibsndfileError, RuntimeError):
                continue
            missing.discard(stem)
            count += 1
            seconds = round(duration, 3)
            self.append(Record(stem, FOUND, source=LOCAL, path=name, size=size, duration_s=seconds))
        return count

    def _scan(self) -> dict[str, int]:
        """{path relative to the folder: size in bytes} of all files in the folder or below it."""
        sizes = {}
        below = [""]
        for parent in below:
            try:
                entries = sorted(os.scandir(self.folder / parent), key=lambda entry: entry.name)
            except OSError:  # We may not read it, such as lost+found.
                continue
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    below.append(f"{parent}{entry.name}/")
                    continue
                with contextlib.suppress(OSError):  # A link to nowhere.
                    sizes[parent + entry.name] = entry.stat().st_size
        return sizes

    def _read(self) -> dict[str, Record]:
        """Reads the records; removes an incomplete last line."""
        records = {}
        end = 0
        with open(self._file, "rb", closefd=False) as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    os.ftruncate(self._file, end)
                    break
                end += len(line)
                try:
                    record = from_line(line)
                except (ValueError, TypeError):
                    raise InputError(
                        f"{self._path}:{number}: not a record of a track; delete the line, and "
                        "the track is fetched again"
                    ) from None
                records[record.sng_id] = record
        return records

    def _settle(self) -> None:
        """Gives complete temporary files their name, and removes the others."""
        for entry in list(os.scandir(self.folder)):
            match = _TEMPORARY.fullmatch(entry.name)
            if not match:
                continue
            path, final = pathlib.Path(entry.path), self.folder / f"{match[1]}.mp3"
            record = self.records.get(match[1] or "")
            if record is not None and record.sha256 == _sha256(path) and not final.exists():
                with atomic_path(final) as temporary:
                    os.replace(path, temporary)
            path.unlink(missing_ok=True)

    def _forget(self) -> None:
        """Forgets found tracks whose file is missing or has changed its size."""
        for sng_id, record in list(self.records.items()):
            if _is_found(record) and self._sizes.get(record.path) != record.size:
                del self.records[sng_id]


def _sha256(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _is_found(record: Record | None) -> bool:
    return record is not None and record.status == FOUND
