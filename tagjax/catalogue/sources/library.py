"""A music library on disk: genre, artist and album come from the files' own tags.

The input is a folder of audio files, nested in any way. Libraries kept with beets or MusicBrainz
Picard work as they are. mutagen reads the tags (`filetags`), and the lengths are measured
(`sound.duration`). Hidden files and folders, and those of network drives and wastebaskets, are
skipped. Links to folders are not followed. Every other file with the extension of an audio format
is either annotated or listed with the reason why it is not.
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
from tagjax.base.folders import is_hidden
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
"""{extension: format} of files that libsndfile can usually decode."""

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
"""{extension: format} of audio files that libsndfile cannot decode."""

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
    """How a genre field is split into tags. If a file has several fields, each gives its own tags.

    Attributes:
      separators: library: strings that separate tags in one field. beets writes a comma, most
        players a semicolon. A slash separates only with spaces around it. Shops write `Rock/Pop`,
        `Hip-Hop/Rap`, `Singer/Songwriter` and `R&B/Soul` as one term; two tags that always occur
        together would be duplicates. `&` and `and` never separate: `Drum & Bass`.
      whole: library: names that are not split although they hold a separator, in any case. Discogs'
        names, such as `Folk, World, & Country` and `Funk / Soul`, are never split.
      keep_non_genres: library: keep texts that are certainly not genres as tags: years, ratings,
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
    found = sum(1 for _ in audio_files(path))
    if not found:
        raise InputError(f"{path}: no audio file in it; of {', '.join(_FORMATS)}")
    return found


def read(path: PathLike, config: Config, progress: Progress) -> Iterator[Row]:
    """The rows of each audio file, in the order of the paths.

    track_id is the path relative to the folder, cleaned. artist_id is the name of the album artist.
    If that is missing or `Various Artists`, it is the name of the artist, without guests (`A feat.
    B`), who would make it another artist. Case is ignored. An album is known by its album artist
    and title. The spelling of genres is kept, so that deduplication can find `Hip Hop` and
    `hip-hop`.

    A file whose audio libsndfile cannot decode is listed. If its tags can be read, it is annotated
    without a path. Values with control characters or U+FFFD are listed and not taken.

    Args:
      path: path of the folder.
      config: how genres are separated, and whether texts that are not genres are kept.
      progress: called with the number of files read.

    Raises:
      InputError: no such folder, or mutagen is not installed.
    """
    filetags.check_installed()
    names = list(audio_files(path))
    ids = _track_ids(names)
    for name in names:
        yield from _rows(os.path.join(path, name), name, ids.get(name, name), config)
        progress(1)


def _track_ids(names: Iterable[str]) -> dict[str, str]:
    """{path: id} of the files whose path has to be cleaned to become an id.

    Several paths may be the same once cleaned (`a b.flac`, `a  b.flac`). The ids of those that were
    not clean then end in eight digits of a checksum of the path.
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
    """The rows of one file."""
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
    """The rejection of a file whose tags cannot be read."""
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
    """The genres of a file, and the texts in its genre field that are not genres."""
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
    reasons = ["no artist"] * (not owner(tags)) + ["no genre"] * (not genres)
    if not reasons:
        return None
    details = [f"{none.name!r} is {none.reason}" for none in no_genres]
    if tags.unset_genre:
        details.append("0 in ID3v1 is Blues, or was never set")
    return " and ".join(reasons), "" if genres else ", ".join(details)


def _is_various(name: str) -> bool:
    return name.casefold() in _VARIOUS


def owner(tags: FileTags) -> str:
    """The artist whose tracks must all be in one part of a split; "" if unknown."""
    if tags.album_artist and not _is_various(tags.album_artist):
        return tags.album_artist
    return "" if _is_various(tags.artist) else _GUEST.sub("", tags.artist)


def _annotation(
    name: str, track_id: str, tags: FileTags, genres: list[str], seconds: float | None
) -> Annotation:
    album_artist = tags.album_artist or tags.artist
    album_artist = "various artists" if _is_various(album_artist) else album_artist
    recording = _UUID.search(tags.recording_id)
    return Annotation(
        name,
        0,
        track_id=track_id,
        artist_id=owner(tags).casefold(),
        styles=tuple(genres),
        album_id=f"{album_artist} / {tags.album}".casefold() if tags.album else "",
        artist=tags.artist or tags.album_artist,
        title=tags.title,
        album=tags.album,
        path="" if seconds is None else name,
        duration=seconds,
        recording_id=recording[0].lower() if recording else "",
    )


def audio_files(path: PathLike) -> Iterator[str]:
    """Paths of the audio files relative to the folder, with `/`, sorted within each folder."""
    if not pathlib.Path(path).is_dir():
        raise InputError(f"{path}: no such folder")
    for folder, below, names in os.walk(path):
        below[:] = sorted(name for name in below if not is_hidden(name))
        for name in sorted(names):
            if os.path.splitext(name)[1].lower() in _FORMATS and not is_hidden(name):
                relative = os.path.relpath(os.path.join(folder, name), path)
                yield relative.replace(os.sep, "/")
