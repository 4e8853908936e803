"""Every reader of text that is not ours, with valid files; and what makes them hostile."""

import bz2
import contextlib
import dataclasses
import gzip
import io
import json
import lzma
import pathlib
import re
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import mutagen
import numpy as np
import soundfile
from mutagen import id3

from tagjax.base import files, sound
from tagjax.base.errors import InputError
from tagjax.base.tables import read_table
from tagjax.catalogue import annotations
from tagjax.catalogue.sources import audioset, discogs, filetags, fma, library, mumu, xmlbytes
from tagjax.catalogue.sources.records import tags_of
from tagjax.manifest import lists
from tagjax.previews import ids, ledger
from tagjax.run import predictions
from tagjax.similarity import tables as similarity
from tagjax.similarity.features import read_features
from tagjax.vocabulary import taxonomy
from tagjax.vocabulary.duplicates import read_duplicates
from tagjax.vocabulary.translation import read_translation
from tagjax.vocabulary.vocabulary import Vocabulary

FIXTURES = (
    pathlib.Path(__file__).resolve().parents[1] / "tagjax" / "catalogue" / "sources" / "fixtures"
)


@dataclasses.dataclass(frozen=True)
class Parser:
    """A reader of a folder, and the files of a folder that it takes.

    Text that is spoilt a little is sometimes refused and sometimes not; of other files nothing is
    said of how often.
    """

    content: Mapping[str, bytes]
    read: Callable[[pathlib.Path], Any]
    is_text: bool = True


def _table(header: str, *rows: str) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def _array(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _arrays(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _zipped(data: bytes, name: str = "a.csv") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def _one(data: bytes, read: Callable[[pathlib.Path], Any], name: str = "a.csv") -> Parser:
    return Parser({name: data}, lambda folder: read(folder / name))


def _binary(data: bytes, read: Callable[[pathlib.Path], Any], name: str) -> Parser:
    return dataclasses.replace(_one(data, read, name), is_text=False)


def _source(names: list[str], module: Any, at: str = "", below: str = "", **config: Any) -> Parser:
    def read(folder: pathlib.Path) -> Any:
        rows = module.read(folder / at, module.Config(**config), lambda _: None)
        rows = [row for row in rows if not hasattr(row, "genres") or tags_of(row) is not None]
        return rows, [*getattr(module, "taxonomy", lambda *_: ())(folder / at, module.Config())]

    return Parser({name: (FIXTURES / below / name).read_bytes() for name in names}, read)


def _forms(name: str, pack: Callable[[bytes], bytes]) -> Parser:
    """A dump of Discogs, packed."""
    data = pack((FIXTURES / name).read_bytes())
    return _binary(data, lambda path: _rows(discogs, path), name)


def _rows(module: Any, path: pathlib.Path) -> Any:
    return list(module.read(path, module.Config(), lambda _: None))


def _mended(path: pathlib.Path) -> Any:
    """A file in pieces of a few bytes; what is mended has the length that it had."""
    mender, length = xmlbytes.Mender(), path.stat().st_size
    pieces = []
    with path.open("rb") as file:
        while piece := file.read(7):
            pieces.append(mender.feed(piece))
    pieces.append(mender.close())
    whole = xmlbytes.Mender()
    data = whole.feed(path.read_bytes()) + whole.close()
    assert b"".join(pieces) == data, "the size of the pieces makes a difference"
    assert len(data) == length
    return mender.found()


def _ledger(folder: pathlib.Path) -> Any:
    with ledger.Ledger(folder) as one:
        return one.records


_LONGEST_SOUND = 1e7
"""Seconds of the longest sound that a file of a few kB may have."""


def _played(form: str, subtype: str) -> bytes:
    """A short file with all its tags."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "a")
        wave = 0.1 * np.sin(0.05 * np.arange(6000))
        soundfile.write(path, wave, 24000, subtype, format=form)
        try:
            tags = mutagen.File(path)
        except mutagen.MutagenError:
            tags = None
        if tags is None:  # Formats whose tags mutagen does not know.
            return path.read_bytes()
        if tags.tags is None:
            tags.add_tags()
        if isinstance(tags.tags, id3.ID3):
            tags.tags.add(id3.TPE1(1, ["Ärtist"]))
            tags.tags.add(id3.TCON(3, ["(17)(6)", "Dub"]))
            tags.tags.add(id3.UFID("http://musicbrainz.org", b"0" * 36))
        else:
            tags.tags["artist"] = ["Ärtist"]
            tags.tags["genre"] = ["Dub", "Ska; Rock"]
        tags.save()
        return path.read_bytes()


def _heard(path: pathlib.Path) -> Any:
    """Tags, duration and rows of a file of sound."""
    with contextlib.suppress(filetags.TagError):
        filetags.read(path)
    rows = _rows(library, path.parent)
    try:
        seconds = sound.duration(path)
    except sound.SoundError as error:
        if re.match(r"\w+Error: ", str(error)):
            raise  # Nobody has foreseen it.
        raise InputError(f"{path}: {error}") from None
    assert 0 < seconds < _LONGEST_SOUND, seconds
    return rows


_PLAYED = {
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "wav": ("WAV", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "rf64": ("RF64", "PCM_16"),
}
_PART = _table(
    "sng_id,label,seg_start,seg_duration,artist_id,album_id,tags,path",
    "1,rock,0.5,30,r1,l1,rock|pop,x/1.mp3",
    '2,pop,12.25,30,r2,,"pop",2.mp3',
    "3,rock,1e1,30.0,r3,l3,rock,3.mp3",
)
_SQUARE = _table(",a,b,ü", "a,1,0.5,-0.25", "b,0.5,1.0,1e-3", "ü,-0.25,0.001,1")
_VECTORS = _table("a,b,ü", "0.5,1,-2e-3", "1,,4")
_FEATURES = _table("track_id,0,1", "1,0.5,-2e-3", "ü,1,4")
_TRUTH = _table("style,genre", "Deep House,genre:Electronic", '"Folk, World",genre:Folk')
_TRANSLATION = _table("source,target,relation", "b:x,a:y,exact", "b:z,a:w,broad")
_DUPLICATES = _table("tag,duplicate", "Hip Hop,hip-hop", "rnb,R&B")
_RECORD = {
    "experiment": "taxonomy",
    "seed": 3,
    "folds": 0,
    "config": {"min": 1.5},
    "counts": {"tracks": 3},
}
_LEDGER = b"".join(
    ledger.to_line(ledger.Record(f"{k}", ledger.NO_DATA, "gone", 200, duration_s=1.5))
    for k in (1, 2, 3)
)
_CATALOGUE = _table(
    "track_id,artist_id,album_id,tags,artist,title",
    "1,r1,l1,rock|pop,Ä,One",
    '2,r2,,"pop","B, C","T ""q"""',
)

PARSERS: Mapping[str, Parser] = {
    "catalogue": _one(_CATALOGUE, annotations.read_catalogue),
    "tracks": _one(
        _table("track_id,path,duration_s", "1,a/1.mp3,30.5", "2,2.mp3,"), annotations.read_tracks
    ),
    "part": _one(_PART, lists.read_part),
    **{
        name: Parser(
            {
                "train.csv": _PART,
                "split.json": json.dumps(record).encode(),
                "taxonomy.csv": _TRUTH,
            },
            lists.read_manifest,
        )
        for name, record in {
            "manifest": {
                **_RECORD,
                "vocabulary": Vocabulary.of(["a:pop", "pop", "rock"], ["", "a:"]).record(),
            },
            "manifest without vocabulary": {**_RECORD, "systems": [""], "tags": ["pop", "rock"]},
        }.items()
    },
    "similarity": _one(_SQUARE, similarity.read_similarity),
    **{
        f"{form} of a similarity": _one(pack(_SQUARE), similarity.read_similarity, "a.csv.zip")
        for form, pack in {
            "zip": _zipped,
            "gzip": gzip.compress,
            "xz": lzma.compress,
            "bzip2": bz2.compress,
        }.items()
    },
    "embedding": _one(_VECTORS, similarity.read_embedding),
    "features": _one(_FEATURES, read_features),
    "arrays of features": _one(
        _arrays(ids=np.array(["1", "ü"]), vectors=np.eye(2, dtype=np.float32)),
        read_features,
        "a.npz",
    ),
    "array of features": Parser(
        {"a.npy": _array(np.eye(2, dtype=np.float32)), "a.ids.txt": "1\nü\n".encode()},
        lambda folder: read_features(folder / "a.npy"),
    ),
    "taxonomy": _one(_TRUTH, taxonomy.read_taxonomy),
    "translation": _one(_TRANSLATION, read_translation),
    "duplicates": _one(_DUPLICATES, read_duplicates),
    "table": _one(_CATALOGUE, lambda path: read_table(path, ("track_id",))),
    "json": _one(json.dumps(_RECORD).encode(), files.read_json, "a.json"),
    "predictions": Parser(
        {
            "tags.txt": b"rock\npop\n",
            "excerpts.csv": _table(
                "sng_id,label,part,artist_id,album_id,tags", "1,rock,test,r,l,rock|pop"
            ),
            "probabilities.npy": _array(np.array([[0.25, 0.75]], np.float32)),
            "occurrences.npy": _array(np.ones((1, 2), np.uint8)),
        },
        predictions.read,
    ),
    "ids": _one(b"3135556\n3135557\n", ids.read_ids, "a.txt"),
    "ids of a table": _one(_PART, ids.read_ids),
    "ledger": Parser({ledger.LEDGER: _LEDGER}, _ledger),
    "discogs": _source(
        ["discogs_20260101_releases.xml"], discogs, at="discogs_20260101_releases.xml"
    ),
    **{
        f"{form} of a dump": _forms("discogs_20260101_masters.xml", pack)
        for form, pack in {
            "zip": lambda data: _zipped(data, "a.xml"),
            "gzip": gzip.compress,
            "xz": lzma.compress,
            "bzip2": bz2.compress,
        }.items()
    },
    "mended XML": _binary(
        b"<releases>\n<release id='1'>\x07&#7;&amp;<title>caf\xc3\xa9\xef\xbf\xbf</title>"
        b"</release>&#x1F;&#65;\n</releases>",
        _mended,
        "a.xml",
    ),
    "mumu": _source([mumu.LABELS, mumu.METADATA], mumu, below="MuMu_dataset"),
    **{
        f"{name} with tags": _binary(_played(*form), _heard, f"a.{name}")
        for name, form in _PLAYED.items()
    },
    "joined FLAC": _binary(2 * _played("FLAC", "PCM_16"), _heard, "a.flac"),
    "joined Ogg": _binary(2 * _played("OGG", "VORBIS"), _heard, "a.ogg"),
    "fma": _source(["tracks.csv", "genres.csv"], fma, below="fma_metadata", subset="full"),
    "audioset": _source(
        ["ontology.json", "eval_segments.csv"], audioset, below="audioset", root=""
    ),
}
"""{what: parser}."""

TOKENS = tuple(
    text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    for text in [
        *("1e400", "-1e400", "NaN", "nan", "inf", "-Infinity", "0x10", "1_000", "１２", "٣", "1,5"),
        *("1e-400", "-0", "+5", " 7", "7 ", "9" * 5000, "0." + "1" * 5000, "1e999999999", "--1"),
        *(
            "\0",
            "\r",
            "\n",
            "\r\n",
            "\n\n",
            '"',
            '""',
            '"\n"',
            ",",
            ";",
            "|",
            "||",
            "\t",
            "\x1b[2J",
        ),
        *("=1+1", "+1", "-1", "@SUM(A1)", "../../etc/passwd", "/etc/passwd", "..", "C:\\x"),
        *("<script>alert(1)</script>", "'", "&lt;", "\u2028", "\u202e", "\ufeff", "\ud800", "𝟙"),
        *("a" * 200_000, "[" * 3000, "{" * 3000, "null", "true", "[]", "{}", "1" * 400, "é", "ü"),
        *("<!DOCTYPE x [<!ENTITY a 'b'>]>&a;", "<release>", "</release>", "&#0;", "]]>", "<!--"),
        *(b"\xff", b"\xff\xfe", b"\x00\x01", b"\xc3", b"\xf0\x9f", b"\x93NUMPY", b"PK\x03\x04"),
        *(b"PK\x05\x06", b"\x1f\x8b\x08", b"\xfd7zXZ\x00", b"BZh91AY&SY"),
    ]
)
KINDS = (
    *("insert", "cell", "flip", "cut", "drop", "repeat line", "drop line", "swap lines"),
    *("utf-16", "utf-16 without mark", "mark", "crlf", "cr", "double column", "empty", "latin"),
)


def mutate(data: bytes, kind: str, place: int, token: bytes) -> bytes:
    """A file spoilt at a place (any number, taken modulo what there is)."""
    at = place % (len(data) + 1)
    lines = data.splitlines(keepends=True)
    row = place % max(len(lines), 1)
    if kind == "insert":
        return data[:at] + token + data[at:]
    if kind == "cell":
        begin = max(data.rfind(sign, 0, at) for sign in (b",", b"\n", b":", b">")) + 1
        ends = [end for sign in (b",", b"\n", b"}", b"<") if (end := data.find(sign, at)) >= 0]
        return data[:begin] + token + data[min(ends, default=len(data)) :]
    if kind == "flip" and data:
        at %= len(data)
        return data[:at] + bytes([data[at] ^ 1 << place % 8]) + data[at + 1 :]
    if kind == "cut":
        return data[:at]
    if kind == "drop":
        return data[:at] + data[at + 1 + place % 7 :]
    if kind == "repeat line":
        return b"".join([*lines[: row + 1], *lines[row:]])
    if kind == "drop line":
        return b"".join([*lines[:row], *lines[row + 1 :]])
    if kind == "swap lines":
        return b"".join([*lines[row:], *lines[:row]])
    if kind in ("utf-16", "utf-16 without mark"):
        return data.decode("latin-1").encode("utf-16" if kind == "utf-16" else "utf-16-le")
    if kind == "mark":
        return b"\xef\xbb\xbf" + data
    if kind == "crlf":
        return data.replace(b"\n", b"\r\n")
    if kind == "cr":
        return data.replace(b"\n", b"\r")
    if kind == "double column" and lines:
        return b"".join(
            line.rstrip(b"\r\n") + b"," + line.partition(b",")[0].strip() + b"\n" for line in lines
        )
    if kind == "latin":
        return data.replace("ü".encode(), b"\xfc")
    return b"" if kind == "empty" else data


def finite(value: Any) -> bool:
    """Whether there is no infinity in what was read, however deep (NaN stands for no number)."""
    if isinstance(value, float):
        return value not in (float("inf"), float("-inf"))
    if isinstance(value, np.ndarray):
        return value.dtype.kind != "f" or not np.isinf(value).any()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return all(finite(getattr(value, f.name)) for f in dataclasses.fields(value))
    if isinstance(value, Mapping):
        return all(map(finite, value.values()))
    return not isinstance(value, list | tuple) or all(map(finite, value))


def attempt(name: str, folder: pathlib.Path, spoilt: Mapping[str, bytes]) -> str:
    """Reads a parser's folder with some files replaced: "" or the one line of its refusal.

    Any other exception passes through.
    """
    parser = PARSERS[name]
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in {**parser.content, **spoilt}.items():
        (folder / file).write_bytes(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = parser.read(folder)
    except InputError as error:
        told = str(error)
        assert told.strip(), name
        assert told.isprintable(), told
        assert len(told) < 3000, told
        return told
    assert name == "json" or finite(found), found
    return ""
