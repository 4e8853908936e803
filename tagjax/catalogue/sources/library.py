"""A music library on disk: genre, artist, album from the files' own tags.

A folder, nested in whatever way, of MP3 (ID3 of all versions), FLAC, Ogg Vorbis, Opus, MP4, WMA,
WAV or AIFF files. Libraries kept with beets or MusicBrainz Picard work as they are. Files and
folders whose names begin with a dot are passed over, and links to folders are not followed.
"""

import dataclasses
import functools
import importlib.resources
import os
import pathlib
import re
import warnings
from collections.abc import Iterator, Sequence

import tinytag

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.tables import read_table
from tagjax.catalogue.sources.records import Annotation, Progress, Rejected, Row, plain

_NO_AUDIO = (".ogv", ".wmv", ".m4v", ".aax", ".aaxc")  # Video, and what is encrypted.
_AUDIO = tuple(e for e in tinytag.TinyTag.SUPPORTED_FILE_EXTENSIONS if e not in _NO_AUDIO)
_UNDECODED = (".m4a", ".m4b", ".m4r", ".mp4", ".aac", ".wma", ".asf", ".ape", ".wv")
"""Whose tags are read but whose audio libsndfile cannot decode."""
_VARIOUS = {"various", "various artists", "va", "v.a."}
_RECORDING = ("musicbrainz_trackid", "musicbrainz track id", "ufid")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@functools.cache
def _names_with_separators() -> tuple[str, ...]:
    """Genres and styles of Discogs, which many taggers write, that hold `,`, `;` or `/`."""
    source = importlib.resources.files("tagjax.vocabulary") / "data" / "discogs_taxonomy.csv"
    with importlib.resources.as_file(source) as path:
        table = read_table(path, ["style", "genre"])
    names = dict.fromkeys([*table["style"], *table["genre"]])
    return tuple(name for name in names if re.search("[,;/]", name))


@dataclasses.dataclass(frozen=True)
class Config:
    """How one field becomes several tags. A file's several fields are several tags anyway.

    Attributes:
      separators: library: what separates tags in one field. The comma is beets', the semicolon
        that of most players. A slash separates only between spaces: `Rock/Pop`, `Hip-Hop/Rap`,
        `Singer/Songwriter` and `R&B/Soul` are terms of the shops that wrote them, and in two
        tags each would always be the other's double. `&` and `and` never do: `Drum & Bass`.
      whole: library: names that stay whole though they hold a separator, in any case; beside the
        names of Discogs, such as `Folk, World, & Country` and `Funk / Soul`.
    """

    separators: tuple[str, ...] = (";", "|", ",", " / ")
    whole: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if "" in self.separators:
            raise InputError("--separator: an empty one would separate letters; leave it out")


def size(path: PathLike) -> int:
    """Number of audio files.

    Raises:
      InputError: no such folder, or no audio file in it.
    """
    found = sum(1 for _ in _files(path))
    if not found:
        raise InputError(f"{path}: no audio file in it; of {', '.join(_AUDIO)}")
    return found


def read(path: PathLike, config: Config, progress: Progress) -> Iterator[Row]:
    """One row an audio file, in the order of the paths.

    track_id is the path relative to the folder. artist_id is the name of the album artist, or of
    the artist where that is missing or `Various Artists`, without regard to case: guests
    (`A feat. B`) then do not make another artist. An album is album artist and title. The
    spelling of genres is kept: `Hip Hop` and `hip-hop` are for deduplication to find.

    Args:
      path: of the folder.
      config: how genres are separated.
      progress: told of the files read.

    Raises:
      InputError: no such folder.
    """
    warned = False
    for name in _files(path):
        if name.lower().endswith(_UNDECODED) and not warned:
            warned = True
            warnings.warn(
                f"{path}: {name}, and others like it: launch.build cannot decode its audio "
                "(libsndfile has no AAC, ALAC or WMA); convert such files",
                stacklevel=2,
            )
        yield _row(os.path.join(path, name), name, config)
        progress(1)


def split_genres(text: str, separators: Sequence[str], whole: Sequence[str] = ()) -> list[str]:
    """The tags in one field: `Rock; Folk, World, & Country` to [`Rock`, `Folk, World, & Country`].

    Args:
      text: the field; a zero byte always separates.
      separators: strings that separate.
      whole: names to be kept whole, in any case; the longest that fits is.
    """
    names = {plain(name).casefold() for name in whole}
    longest = max((len(name) for name in names), default=0)
    separator = "|".join(map(re.escape, sorted({*separators, "\0"}, key=len, reverse=True)))
    parts = re.split(f"({separator})", text)  # name, separator, name, ...
    found, begin = [], 0
    while begin < len(parts):
        end = begin + 1
        for further in range(begin + 3, len(parts) + 1, 2):
            name = plain("".join(parts[begin:further])).casefold()
            if len(name) > longest:
                break
            if name in names:
                end = further
        found.append("".join(parts[begin:end]))
        begin = end + 1
    return [name for name in map(plain, found) if name]


def _row(path: str, name: str, config: Config) -> Row:
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(name).decode("utf-8", "backslashreplace")
        return Rejected(shown, 0, "the file's name is not UTF-8")
    try:
        tag = tinytag.TinyTag.get(path)
    except (tinytag.TinyTagException, OSError) as error:
        return Rejected(name, 0, "cannot be read", plain(str(error)))
    if not tag.filesize:
        return Rejected(name, 0, "empty file")
    if not (tag.duration or tag.artist or tag.genre):
        return Rejected(name, 0, "cannot be read", "neither tags nor a length in it")
    artist, albumartist = plain(tag.artist or ""), plain(tag.albumartist or "")
    of_album = albumartist or artist
    owner = artist if not albumartist or albumartist.casefold() in _VARIOUS else albumartist
    album = plain(tag.album or "")
    whole = (*_names_with_separators(), *config.whole)
    fields = [field for field in (tag.genre, *tag.other.get("genre", ())) if field]
    return Annotation(
        name,
        0,
        track_id=name,
        artist_id=owner.casefold(),
        styles=tuple(tag for f in fields for tag in split_genres(f, config.separators, whole)),
        album_id=f"{of_album} / {album}".casefold() if album else "",
        artist=artist or albumartist,
        title=plain(tag.title or ""),
        album=album,
        path=name,
        duration=tag.duration if tag.duration and tag.duration > 0.0 else None,
        recording_id=_recording(tag),
    )


def _recording(tag: tinytag.TinyTag) -> str:
    """MusicBrainz's id of the recording, as Picard and beets write it; "" where there is none."""
    texts = (text for key in _RECORDING for text in tag.other.get(key, ()))
    found = (match[0].lower() for text in texts if (match := _UUID.search(text)))
    return next(found, "")


def _files(path: PathLike) -> Iterator[str]:
    """Paths of the audio files relative to the folder, with `/`, sorted within each folder."""
    if not pathlib.Path(path).is_dir():
        raise InputError(f"{path}: no such folder")
    for folder, below, names in os.walk(path):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(_AUDIO) and not name.startswith("."):
                relative = os.path.relpath(os.path.join(folder, name), path)
                yield relative.replace(os.sep, "/")
