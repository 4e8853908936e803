"""Writes the genres of one audio file: the inverse of `catalogue.sources.filetags`.

mutagen writes ID3 (MP3, WAV, AIFF), Vorbis comments (FLAC, Ogg Vorbis, Opus) and MP4. The first
genres that a file ever had stay in a field of their own: `ORIGINALGENRE` in Vorbis comments,
`TXXX:ORIGINALGENRE` in ID3, `----:com.apple.iTunes:ORIGINALGENRE` in MP4.
"""

import abc
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from tagjax.catalogue.sources import filetags

ORIGINAL = "ORIGINALGENRE"
_MP4_ORIGINAL = f"----:com.apple.iTunes:{ORIGINAL}"
_JOINER = "; "


class GenreTagError(Exception):
    """The genres of a file cannot be written; the message is the reason, in a few words."""


class GenreTags(abc.ABC):
    """The genre field of one file.

    Attributes:
      genres: the values of the field as they are in the file, not cleaned and not split.
      original: the values of `ORIGINALGENRE`; None if the file has no such field.
    """

    genres: list[str]
    original: list[str] | None

    @abc.abstractmethod
    def save(self, genres: Sequence[str], original: Sequence[str] | None) -> None:
        """Writes both fields into the file, in place; other tags and the sound stay."""


def opened(path: str | os.PathLike[str], beside: str | os.PathLike[str] = "") -> GenreTags:
    """The genre field of a file.

    Args:
      path: the file; its name and content say what format it is.
      beside: a copy of it to open in its place.

    Raises:
      GenreTagError: a format that is not written here, or a damaged file.
    """
    import mutagen
    import mutagen.aiff
    import mutagen.flac
    import mutagen.mp3
    import mutagen.mp4
    import mutagen.oggopus
    import mutagen.oggvorbis
    import mutagen.wave

    writers: dict[type, Callable[..., GenreTags]] = {
        mutagen.mp3.MP3: _Id3,
        mutagen.wave.WAVE: _Id3,
        mutagen.aiff.AIFF: _Id3,
        mutagen.flac.FLAC: _Vorbis,
        mutagen.oggvorbis.OggVorbis: _Vorbis,
        mutagen.oggopus.OggOpus: _Vorbis,
        mutagen.mp4.MP4: _Mp4,
    }
    try:
        kind = type(mutagen.File(path))
        if kind not in writers:
            form = "its format" if kind is type(None) else kind.__name__
            raise GenreTagError(f"genres are not written to {form}")
        return writers[kind](kind, beside or path)
    except GenreTagError:
        raise
    except Exception as error:  # struct.error, ValueError and others, beside mutagen's own.
        raise GenreTagError(f"cannot be opened: {error}") from None


class _Vorbis(GenreTags):
    def __init__(self, kind: Any, path: str | os.PathLike[str]) -> None:
        self._file = kind(path)
        if self._file.tags is None:
            self._file.add_tags()
        self.genres = self._values("genre") or []
        self.original = self._values(ORIGINAL)

    def _values(self, name: str) -> list[str] | None:
        values = [value for key, value in self._file.tags if key.lower() == name.lower()]
        return values or None

    def save(self, genres: Sequence[str], original: Sequence[str] | None) -> None:
        tags, spelt, place = self._file.tags, "GENRE", None
        kept = list[tuple[str, str]]()
        for key, value in tags[:]:
            if key.lower() == "genre":
                spelt, place = (key, len(kept)) if place is None else (spelt, place)
            elif key.lower() != ORIGINAL.lower():
                kept.append((key, value))
        place = len(kept) if place is None else place
        kept[place:place] = [(spelt, genre) for genre in genres]
        tags[:] = kept + [(ORIGINAL, value) for value in original or ()]
        self._file.save()


class _Mp4(GenreTags):
    def __init__(self, kind: Any, path: str | os.PathLike[str]) -> None:
        self._file = kind(path)
        if self._file.tags is None:
            self._file.add_tags()
        self.genres = list(self._file.tags.get("\xa9gen", ()))
        original = self._file.tags.get(_MP4_ORIGINAL)
        self.original = original and [bytes(v).decode("utf-8", "replace") for v in original]

    def save(self, genres: Sequence[str], original: Sequence[str] | None) -> None:
        import mutagen.mp4

        tags = self._file.tags
        tags["\xa9gen"] = list(genres)
        if original:
            tags[_MP4_ORIGINAL] = [mutagen.mp4.MP4FreeForm(v.encode()) for v in original]
        for key, values in (("\xa9gen", genres), (_MP4_ORIGINAL, original)):
            if not values:
                tags.pop(key, None)
        self._file.save()


class _Id3(GenreTags):
    """ID3 keeps its version, but 2.2, which mutagen cannot write, and 1 become 2.3.

    Frames are not translated to another version, so all but the two fields stay as they are.
    """

    def __init__(self, kind: Any, path: str | os.PathLike[str]) -> None:
        import mutagen.id3
        import mutagen.mp3

        self._path = pathlib.Path(path)
        self._has_v1 = kind is mutagen.mp3.MP3
        reader = mutagen.id3.ID3 if self._has_v1 else lambda *a, **more: kind(*a, **more).tags
        try:
            tags = reader(path, translate=False, load_v1=False)
            is_current = tags is not None and tags.version[:2] in ((2, 3), (2, 4))
        except mutagen.id3.ID3NoHeaderError:
            is_current, tags = False, None
        if not is_current and (self._has_v1 or tags is not None):
            try:
                tags = reader(path, v2_version=3)
            except mutagen.id3.ID3NoHeaderError:
                tags = None
        if tags is None:
            raise GenreTagError("no ID3 tags in it")
        self._tags = tags
        self._version = 4 if is_current and tags.version[1] == 4 else 3
        frames = tags.getall("TCON")
        self.genres = [value for f in frames for value in filetags.swapped(f, f.genres)]
        self._is_list = self._version == 4 or any(len(frame.text) > 1 for frame in frames)
        self._encoding = max((frame.encoding for frame in frames), default=0)
        kept = tags.getall(f"TXXX:{ORIGINAL}")
        self.original = [str(value) for frame in kept for value in frame.text] or None

    def save(self, genres: Sequence[str], original: Sequence[str] | None) -> None:
        import mutagen.id3

        self._tags.delall("TCON")
        self._tags.delall(f"TXXX:{ORIGINAL}")
        if genres:
            self._tags.add(mutagen.id3.TCON(**self._text([_unambiguous(g) for g in genres])))
        if original:
            self._tags.add(mutagen.id3.TXXX(desc=ORIGINAL, **self._text(original)))
        block = self._v1_block()
        self._tags.save(self._path, v2_version=self._version, v23_sep=None)
        if block:
            # mutagen writes this block anew from ID3v2; all but the genre shall stay.
            with self._path.open("r+b") as file:
                file.seek(-128, os.SEEK_END)
                file.write(block[:127])

    def _text(self, values: Sequence[str]) -> dict[str, Any]:
        """Encoding and text of a frame: several values, or one in 2.3 where it had only one."""
        text = list(values) if self._is_list else [_JOINER.join(values)]
        encoding = self._encoding
        if encoding == 0 and any(ord(letter) > 255 for value in text for letter in value):
            encoding = 3 if self._version == 4 else 1
        return {"encoding": encoding, "text": text}

    def _v1_block(self) -> bytes:
        if not self._has_v1 or self._path.stat().st_size < 128:
            return b""
        with self._path.open("rb") as file:
            file.seek(-128, os.SEEK_END)
            block = file.read()
        return block if block.startswith(b"TAG") else b""


def _unambiguous(genre: str) -> str:
    """A genre as ID3 has it: a bracket at the start would begin a number of ID3v1."""
    return f"({genre}" if genre.startswith("(") else genre
