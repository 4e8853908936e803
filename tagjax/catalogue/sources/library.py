"""A music library on disk: genre, artist, album from the files' own tags.

A folder, nested in whatever way, of audio files; libraries kept with beets or MusicBrainz Picard
work as they are. Tags are read by mutagen (`filetags`), lengths are measured (`sound.duration`).
Hidden files and folders, and those of network drives and wastebaskets, are passed over, and links
to folders are not followed. Every other file whose name says that it is audio is either annotated
or listed with its reason.
"""

import collections
import dataclasses
import hashlib
import os
import pathlib
import re
from collections.abc import Iterable, Iterator

from tagjax.base import sound, text
from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.catalogue.sources import filetags, genrefields
from tagjax.catalogue.sources.filetags import FileTags
from tagjax.catalogue.sources.records import Annotation, NoGenre, Noted, Progress, Rejected, Row

_DECODED = {
    **dict.fromkeys((".mp3", ".mp2", ".mp1", ".mpga"), "MPEG audio"),
    **dict.fromkeys((".flac", ".fla"), "FLAC"),
    **dict.fromkeys((".ogg", ".oga", ".opus"), "Ogg"),
    **dict.fromkeys((".wav", ".wave", ".bwf", ".rf64"), "WAV"),
    **dict.fromkeys((".aif", ".aiff", ".aifc", ".afc"), "AIFF"),
    **dict.fromkeys((".au", ".snd"), "AU"),
    **{".caf": "CAF", ".w64": "Wave64", ".voc": "VOC", ".8svx": "IFF", ".svx": "IFF"},
}
"""{extension: format} of what libsndfile decodes, mostly."""

_UNDECODED = {
    **dict.fromkeys((".m4a", ".m4b", ".m4r", ".mp4", ".alac", ".3ga"), "AAC or ALAC in MP4"),
    **dict.fromkeys((".m4p", ".aa", ".aax", ".aaxc"), "encrypted audio"),
    **dict.fromkeys((".aac", ".adts"), "AAC"),
    **dict.fromkeys((".wma", ".asf"), "WMA"),
    **dict.fromkeys((".wv", ".wvc"), "WavPack"),
    **dict.fromkeys((".ape", ".mac", ".apl"), "Monkey's Audio"),
    **dict.fromkeys((".mpc", ".mpp", ".mp+"), "Musepack"),
    **dict.fromkeys((".mka", ".webm", ".weba"), "Matroska or WebM"),
    **dict.fromkeys((".ofr", ".ofs"), "OptimFROG"),
    **dict.fromkeys((".dsf", ".dff", ".dsd"), "DSD"),
    **dict.fromkeys((".ac3", ".eac3", ".dts", ".mlp", ".thd", ".truehd"), "AC-3, DTS or MLP"),
    **dict.fromkeys((".ra", ".ram", ".rm"), "RealAudio"),
    **dict.fromkeys((".mid", ".midi", ".kar", ".rmi"), "MIDI (notes, no sound)"),
    **dict.fromkeys(
        (
            *(".mod", ".xm", ".s3m", ".it", ".mptm", ".stm", ".669", ".mtm", ".umx", ".ult"),
            *(".okt", ".mo3", ".ahx", ".hvl", ".sid", ".nsf", ".nsfe", ".spc", ".vgm", ".vgz"),
            *(".gbs", ".ay", ".ym", ".psf", ".minipsf", ".usf", ".hes", ".kss", ".sap"),
        ),
        "tracker module or chip tune",
    ),
    **{".tta": "True Audio", ".tak": "TAK", ".spx": "Speex", ".amr": "AMR", ".awb": "AMR"},
    **{".shn": "Shorten", ".la": "LA", ".qoa": "QOA"},
}
"""{extension: format} of audio that libsndfile does not decode."""

_FORMATS = _DECODED | _UNDECODED
_VARIOUS = {
    *("various", "various artists", "various artist", "va", "v.a.", "v/a", "v. a.", "[various]"),
    *("diverse", "diverse interpreten", "verschiedene interpreten", "artistes variés", "divers"),
    *("varios", "varios artistas", "vários artistas", "artisti vari", "aa.vv.", "compilation"),
}
_GUEST = re.compile(r"\s+[(\[]?(?:feat\.?|featuring)\s.*", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


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
      keep_non_genres: library: take for a tag what is certainly no genre, too: years, ratings,
        `Other`, `Unknown`, addresses, the artist's name.
    """

    separators: tuple[str, ...] = (";", "|", ",", " / ")
    whole: tuple[str, ...] = ()
    keep_non_genres: bool = False

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
        raise InputError(f"{path}: no audio file in it; of {', '.join(_FORMATS)}")
    return found


def read(path: PathLike, config: Config, progress: Progress) -> Iterator[Row]:
    """The rows of each audio file, in the order of the paths.

    track_id is the path relative to the folder, cleaned. artist_id is the name of the album
    artist, or of the artist where that is missing or `Various Artists`, without regard to case
    and without guests (`A feat. B`), who would make another artist of it. An album is album
    artist and title. The spelling of genres is kept: `Hip Hop` and `hip-hop` are for
    deduplication to find.

    A file whose audio libsndfile cannot decode is listed. If it has its tags, it is annotated
    all the same, but has no path. Values with control characters or U+FFFD are listed and not
    taken.

    Args:
      path: of the folder.
      config: how genres are separated, and which texts are none.
      progress: told of the files read.

    Raises:
      InputError: no such folder, or mutagen is not installed.
    """
    filetags.check_installed()
    names = list(_files(path))
    ids = _track_ids(names)
    for name in names:
        yield from _rows(os.path.join(path, name), name, ids.get(name, name), config)
        progress(1)


def _track_ids(names: Iterable[str]) -> dict[str, str]:
    """Ids of the files whose path is not their id, as it has to be cleaned.

    Where cleaning makes one id of several paths (`a b.flac`, `a  b.flac`), those that were not
    clean end in eight digits of their checksum.
    """
    changed = {name: tidied for name in names if (tidied := text.clean(name)) != name}
    if not changed:
        return {}
    times = collections.Counter(text.clean(name) for name in names)
    for name, tidied in changed.items():
        if times[tidied] > 1:
            digits = hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
            changed[name] = f"{tidied} [{digits}]"
    return changed


def _rows(path: str, name: str, track_id: str, config: Config) -> Iterator[Row]:
    """What is to be said of one file."""
    reason = _unusable_name(name)
    if reason:
        yield Rejected(os.fsencode(name).decode("utf-8", "backslashreplace"), 0, reason)
        return
    try:
        sound.check_file(path)
    except sound.SoundError as error:
        reason = str(error)
        known = reason in ("empty file", "not a file")
        yield Rejected(name, 0, *((reason,) if known else ("cannot be read", reason)))
        return
    form = _FORMATS[os.path.splitext(name)[1].lower()]
    try:
        tags = filetags.read(path)
    except filetags.TagError as error:
        yield _without_tags(path, name, form, str(error))
        return
    for field, value in tags.damaged:
        reason = f"{field.replace('_', ' ')} with control characters or U+FFFD, not taken"
        yield Noted(name, 0, reason, repr(value))
    genres, no_genres = _genres(tags, config)
    yield from no_genres
    missing = _missing(tags, genres, no_genres)
    if missing:
        yield Rejected(name, 0, *missing)
        return
    try:
        seconds = sound.duration(path)
    except sound.SoundError as error:
        reason = f"annotated, but its audio cannot be decoded here: {form}"
        yield Noted(name, 0, reason, f"{error}; convert it, and annotate again")
        yield _annotation(name, track_id, tags, genres, None)
    else:
        yield _annotation(name, track_id, tags, genres, seconds)


def _unusable_name(name: str) -> str:
    """Why a file of this name cannot be in our tables; "" if it can."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "the file's name is not UTF-8"
    return "a backslash in the file's name; rename it" if "\\" in name else ""


def _without_tags(path: str, name: str, form: str, why: str) -> Rejected:
    """Why a file is of no use of which no tags can be read."""
    detail = "" if why in (filetags.NO_TAGS, filetags.UNKNOWN_FORMAT) else why
    try:
        sound.duration(path)
    except sound.SoundError as error:
        if os.path.splitext(name)[1].lower() in _UNDECODED:
            reason = f"no tags that can be read, and audio that cannot be decoded here: {form}"
            return Rejected(name, 0, reason, detail)
        return Rejected(name, 0, "cannot be read", f"{error}; {why}")
    return Rejected(name, 0, "no tags", detail)


def _genres(tags: FileTags, config: Config) -> tuple[list[str], list[NoGenre]]:
    """The genres of a file, and what is none in its genre field."""
    whole = (*genrefields.names_with_separators(), *config.whole)
    genres, no_genres = [], []
    for field in tags.genres:
        for name in genrefields.split_genres(field, config.separators, whole):
            reason = genrefields.no_genre(name, (tags.artist, tags.album_artist))
            if reason and not (config.keep_non_genres and reason != genrefields.NO_WORD):
                no_genres.append(NoGenre(name, reason))
            else:
                genres.append(name)
    return genres, no_genres


def _missing(tags: FileTags, genres: list[str], no_genres: list[NoGenre]) -> tuple[str, str] | None:
    """Reason and detail, if a file has no artist or no genre."""
    reasons = ["no artist"] * (not _owner(tags)) + ["no genre"] * (not genres)
    if not reasons:
        return None
    details = [f"{none.name!r} is {none.reason}" for none in no_genres]
    if tags.unset_genre:
        details.append("0 in ID3v1 is Blues, or was never set")
    return " and ".join(reasons), "" if genres else ", ".join(details)


def _is_various(name: str) -> bool:
    return name.casefold() in _VARIOUS


def _owner(tags: FileTags) -> str:
    """Whose music it is, for all that may not be in several parts of a split; "" if unknown."""
    if tags.album_artist and not _is_various(tags.album_artist):
        return tags.album_artist
    return "" if _is_various(tags.artist) else _GUEST.sub("", tags.artist)


def _annotation(
    name: str, track_id: str, tags: FileTags, genres: list[str], seconds: float | None
) -> Annotation:
    of_album = tags.album_artist or tags.artist
    of_album = "various artists" if _is_various(of_album) else of_album
    recording = _UUID.search(tags.recording_id)
    return Annotation(
        name,
        0,
        track_id=track_id,
        artist_id=_owner(tags).casefold(),
        styles=tuple(genres),
        album_id=f"{of_album} / {tags.album}".casefold() if tags.album else "",
        artist=tags.artist or tags.album_artist,
        title=tags.title,
        album=tags.album,
        path="" if seconds is None else name,
        duration=seconds,
        recording_id=recording[0].lower() if recording else "",
    )


def _files(path: PathLike) -> Iterator[str]:
    """Paths of the audio files relative to the folder, with `/`, sorted within each folder."""
    if not pathlib.Path(path).is_dir():
        raise InputError(f"{path}: no such folder")
    for folder, below, names in os.walk(path):
        below[:] = sorted(name for name in below if not sound.is_hidden(name))
        for name in sorted(names):
            if os.path.splitext(name)[1].lower() in _FORMATS and not sound.is_hidden(name):
                relative = os.path.relpath(os.path.join(folder, name), path)
                yield relative.replace(os.sep, "/")
