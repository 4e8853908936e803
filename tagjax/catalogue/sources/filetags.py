"""Reads the tags of one audio file.

mutagen reads ID3 of all versions, APEv2, Vorbis comments (FLAC, Ogg, Opus, Speex), MP4, ASF (WMA),
and ID3 in WAV, AIFF, DSF and DSDIFF. libsndfile reads `LIST INFO` in WAV and CAF, which mutagen
does not read. The names of the fields in each format are those of MediaFile, the library of beets.

mutagen is an optional dependency. It is imported when a library is read.
"""

import dataclasses
import mmap
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tagjax.base import sound, text
from tagjax.base.errors import InputError

FIELDS = {
    "artist": ("tpe1", "\xa9art", "artist", "author"),
    "album_artist": (
        *("tpe2", "aart", "wm/albumartist"),
        *("album artist", "album_artist", "albumartist"),
    ),
    "album": ("talb", "\xa9alb", "album", "wm/albumtitle"),
    "title": ("tit2", "\xa9nam", "title"),
    "genres": ("tcon", "\xa9gen", "genre", "wm/genre"),
    "recording_id": (
        *("ufid:http://musicbrainz.org", "musicbrainz_trackid"),
        *("musicbrainz track id", "musicbrainz/track id"),
    ),
}
"""{field: its names in the formats, case-folded}; the first name that a file has is taken."""

INSTALL = "pip install -e .[library]"

NO_TAGS = "no tags in it"
UNKNOWN_FORMAT = "no format that mutagen knows"
"""Reasons of a `TagError` for files that are not damaged."""

_GNRE_0 = re.compile(rb"gnre.{4}data.{8}\0\0", re.DOTALL)
_INFO = ("artist", "album", "title", "genre")
_DESCRIBED = ("TXXX:", "----:com.apple.iTunes:")

Layer = Mapping[str, Sequence[str]]
"""{case-folded name: values} of one kind of tags in a file."""


class TagError(Exception):
    """The tags cannot be read; the message is the reason, in a few words."""


@dataclasses.dataclass(frozen=True)
class FileTags:
    """The cleaned tags of a file; "" or () if a tag is missing or means "none".

    Attributes:
      artist: artist of the track, as credited.
      album_artist: artist of the album.
      album: title of the album.
      title: title of the track.
      genres: values of the genre field, in order, not yet split.
      recording_id: id of the recording in MusicBrainz, not checked.
      damaged: (field, value) of values that were decoded wrongly and are not taken.
      unset_genre: whether the only genre is the byte 0 of ID3v1, which is `Blues` or was never set.
    """

    artist: str = ""
    album_artist: str = ""
    album: str = ""
    title: str = ""
    genres: tuple[str, ...] = ()
    recording_id: str = ""
    damaged: tuple[tuple[str, str], ...] = ()
    unset_genre: bool = False


def check_installed() -> None:
    """Checks that mutagen is installed.

    Raises:
      InputError: it is not.
    """
    try:
        import mutagen  # noqa: F401
    except ImportError:
        raise InputError(
            f"--source=library: tags of music files are read by mutagen; {INSTALL}"
        ) from None


def read(path: str | os.PathLike[str]) -> FileTags:
    """The tags of a file.

    A file may have several kinds of tags. Each field is taken from the first kind that has it, in
    this order: the file's own format, ID3v2, APEv2, ID3v1, `LIST INFO`. The genre 0 of ID3v1 is not
    taken: it means `Blues`, but in most files it was never set.

    Args:
      path: path of a file, not of a pipe (see `sound.check_file`).

    Raises:
      TagError: no tags are found, because the format is not known or the file is damaged.
    """
    layers = _layers(path)
    values: dict[str, list[str]] = {}
    damaged = []
    for field, names in FIELDS.items():
        found = next((f for layer in layers if (f := _first(layer, names))), ())
        values[field] = []
        for value in found:
            if text.is_damaged(value):
                damaged.append((field.removesuffix("s"), value))
            elif value := text.clean(value):
                values[field].append(value)
    singles = {name: next(iter(values[name]), "") for name in FIELDS if name != "genres"}
    singles |= {name: text.known(singles[name]) for name in ("artist", "album_artist", "album")}
    unset = not values["genres"] and any("genre byte 0" in layer for layer in layers)
    return FileTags(
        **singles, genres=tuple(values["genres"]), damaged=tuple(damaged), unset_genre=unset
    )


def _first(layer: Layer, names: Iterable[str]) -> Sequence[str]:
    """The values of the first name that has any."""
    for name in names:
        values = layer.get(name, ())
        if any(value.strip("\0 \t\r\n") for value in values):
            return values
    return ()


def _layers(path: str | os.PathLike[str]) -> list[Layer]:
    """The kinds of tags in a file, the most trusted first."""
    layers, reasons = [], []
    for kind in (_native, _id3v2, _apev2, _id3v1, _info):
        try:
            layer = kind(path)
        except Exception as error:  # struct.error, ValueError and others, beside mutagen's own.
            reasons.append(" ".join(str(error).split()) or type(error).__name__)
        else:
            reasons.append(NO_TAGS)
            layers += [layer] * bool(layer)
    if not layers:
        raise TagError(reasons[0])
    return layers


def _native(path: str | os.PathLike[str]) -> Layer:
    """Tags in the file's own format; `_id3v2` reads ID3 at its beginning."""
    import mutagen.id3

    file = mutagen.File(path)
    if file is None:
        raise TagError(UNKNOWN_FORMAT)
    if file.tags is None or isinstance(file, mutagen.id3.ID3FileType):
        return {}
    return _layer(file.tags, path)


def _id3v2(path: str | os.PathLike[str]) -> Layer:
    import mutagen.id3

    return _layer(mutagen.id3.ID3(path, load_v1=False), path)


def _apev2(path: str | os.PathLike[str]) -> Layer:
    import mutagen.apev2

    return _layer(mutagen.apev2.APEv2(path), path)


def _id3v1(path: str | os.PathLike[str]) -> Layer:
    import mutagen.id3

    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 128))
        block = file.read()
    frames = mutagen.id3.ParseID3v1(block) if block[:3] == b"TAG" else None
    if not frames:
        return {}
    layer = dict(_layer(frames, path))
    if block[-1] == 0:
        layer["genre byte 0"] = layer.pop("tcon", [])
    return layer


def _info(path: str | os.PathLike[str]) -> Layer:
    """Tags that libsndfile finds in formats that mutagen reads badly."""
    with sound.quiet(), sound.opened(path) as file:
        if file.format in ("MP3", "FLAC", "OGG"):
            return {}
        return {name: [value] for name in _INFO if (value := getattr(file, name))}


def _layer(tags: Any, path: str | os.PathLike[str]) -> Layer:
    """Tags of any of mutagen's formats as {case-folded name: strings}."""
    layer: dict[str, list[str]] = {}
    for key in tags.keys():  # noqa: SIM118 (some formats are lists of pairs)
        for described in _DESCRIBED:
            name = key.removeprefix(described)
            if name != key:
                break
        values = [value for value in _texts(tags[key]) if value]
        layer.setdefault(name.casefold(), []).extend(values)
    if "\xa9gen" in layer and _is_gnre_0(layer["\xa9gen"], path):
        del layer["\xa9gen"]
    return layer


def _texts(value: Any) -> Iterator[str]:
    """The strings in one of mutagen's values: a frame, an attribute, or a list of these."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):  # MP4 tags with free-form names, in UTF-8.
        yield value.decode("utf-8", "replace")
    elif hasattr(value, "genres"):  # TCON, in all its forms.
        yield from swapped(value, value.genres)
    elif hasattr(value, "owner") and hasattr(value, "data"):  # UFID
        yield value.data.decode("ascii", "replace")
    elif hasattr(value, "text") and hasattr(value, "encoding"):
        yield from swapped(value, map(str, value.text))
    elif hasattr(value, "value") and isinstance(value.value, str):
        yield from value.value.split("\0")  # APEv2 separates by NUL; in ASF it ends the text.
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


def swapped(frame: Any, values: Iterable[str]) -> Iterator[str]:
    """Texts of an ID3 frame; the byte order of UTF-16 is corrected.

    Some taggers mark the byte order only before the first of several values. In the wrong order,
    Latin letters become characters whose lower byte is 0. No word of any script has only those.
    """
    for value in values:
        if frame.encoding == 1 and value and all(ord(letter) & 0xFF == 0 for letter in value):
            value = value.encode("utf-16-le").decode("utf-16-be")
        yield value


def _is_gnre_0(values: Sequence[str], path: str | os.PathLike[str]) -> bool:
    """Whether the genre of an MP4 is the number 0, "none", which mutagen reads as its last one."""
    import mutagen.id3

    if list(values) != [mutagen.id3.TCON.GENRES[-1]]:
        return False
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return bool(_GNRE_0.search(data))
