"""Applies decisions to what people have: tables of annotations, and the files of a music library.

The decisions are read from the folder that a reconciliation writes, where people may edit them:

- `vocabulary.csv`, with the columns `tag,canonical`: whole tags.
- `blocked.csv`, with the columns `tag,why`, if there are any: tags that are no genres.
- `senses.csv`, with the columns `tag,sense,artist`, if there are any: tags that are two things, the
  new tag, and the artist id for whose tracks it is; a row for each artist.

In a file, the tags in its genre field are replaced where they stand; what is between them stays.
The first genres are kept in a field of their own (`genretags`), and an undo file brings back each
file byte for byte (`rewriting`).
"""

import collections
import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence

from tagjax.base import sound, text
from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.progress import Progress, silently
from tagjax.base.tables import read_table, write_table
from tagjax.catalogue.sources import filetags, genrefields, library
from tagjax.reconcile import genretags, names, rewriting
from tagjax.reconcile.decisions import Decisions
from tagjax.vocabulary.vocabulary import TAG_SEPARATOR

SENSES = ("tag", "sense", "artist")
"""Columns of senses.csv."""


@dataclasses.dataclass(frozen=True)
class Edits:
    """What becomes of each tag of one system; tags are without prefix.

    Attributes:
      canonical: {tag: the tag that stands for it}.
      blocked: {tag: why it is no genre}; these are dropped.
      senses: {tag: {artist id, case-folded: new tag}}.
    """

    canonical: Mapping[str, str]
    blocked: Mapping[str, str] = dataclasses.field(default_factory=dict)
    senses: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    def new_tag(self, tag: str, artist: str) -> str | None:
        """The tag that takes the place of one of an artist's; None if it is dropped.

        >>> senses = {"Hardcore": {"x": "Rave"}}
        >>> edits = Edits({"DnB": "Drum & Bass"}, {"Other": "no genre"}, senses)
        >>> [edits.new_tag(tag, "X") for tag in ("DnB", "Other", "Hardcore", "Dub")]
        ['Drum & Bass', None, 'Rave', 'Dub']
        """
        to = self.canonical.get(tag, tag)
        if tag in self.blocked or to in self.blocked:
            return None
        return self.senses.get(tag, {}).get(artist.casefold(), to)


def read_edits(
    folder: PathLike, prefix: str = "", drop_blocked: bool = False, split_senses: bool = False
) -> Edits:
    """Reads the decisions on the tags with a prefix.

    Args:
      folder: holds the tables, see above.
      prefix: prefix of the tag system.
      drop_blocked: whether blocked tags are dropped.
      split_senses: whether tags of two senses are told apart.

    Raises:
      InputError: no such folder or table, no tag with the prefix, an empty cell, a tag twice, or a
        canonical tag that is replaced itself, of another system or not there.
    """
    path = pathlib.Path(folder, "vocabulary.csv")
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; --decisions names a folder with vocabulary.csv (tag,canonical)"
        )
    canonical = _canonical(path)
    mine = {tag: to for tag, to in canonical.items() if tag.startswith(prefix)}
    if not mine:
        raise InputError(f"{path}: no tag begins with the prefix {prefix!r}; see --prefix")
    foreign = [tag for tag, to in mine.items() if not to.startswith(prefix)]
    if foreign:
        raise InputError(f"{path}: {foreign[0]!r} is replaced by a tag without prefix {prefix!r}")
    blocked, senses = dict[str, str](), dict[str, dict[str, str]]()
    if drop_blocked:
        table = read_table(pathlib.Path(folder, "blocked.csv"), ("tag", "why"))
        blocked = dict(zip(text.cleaned(table["tag"]), table["why"], strict=True))
    if split_senses:
        table = read_table(pathlib.Path(folder, "senses.csv"), SENSES)
        columns = (text.cleaned(table[name]) for name in SENSES)
        for row, (tag, sense, artist) in enumerate(zip(*columns, strict=True)):
            if not tag.startswith(prefix):
                continue
            if not sense.startswith(prefix) or sense == prefix:
                raise InputError(f"{table.at(row)}: sense={sense!r} lacks the prefix or a name")
            senses.setdefault(tag, {})[artist.casefold()] = sense[len(prefix) :]
    skip = len(prefix)
    return Edits(
        {tag[skip:]: to[skip:] for tag, to in mine.items()},
        {tag[skip:]: why for tag, why in blocked.items() if tag.startswith(prefix)},
        {tag[skip:]: by for tag, by in senses.items() if tag.startswith(prefix)},
    )


def _canonical(path: pathlib.Path) -> dict[str, str]:
    table = read_table(path, ("tag", "canonical"))
    tags, targets = text.cleaned(table["tag"]), text.cleaned(table["canonical"])
    found: dict[str, str] = {}
    for row, (tag, to) in enumerate(zip(tags, targets, strict=True)):
        if not tag or not to:
            raise InputError(f"{table.at(row)}: a tag or canonical is empty; a tag may be its own")
        if TAG_SEPARATOR in to:
            raise InputError(f"{table.at(row)}: canonical={to!r} holds a {TAG_SEPARATOR}")
        if found.setdefault(tag, to) != to:
            raise InputError(
                f"{table.at(row)}: {tag!r} is {found[tag]!r} in a row above; correct one of them"
            )
    for row, to in enumerate(targets):
        if found.get(to, to) != to:
            raise InputError(
                f"{table.at(row)}: canonical={to!r} is itself replaced by {found[to]!r}; write "
                f"{found[to]!r}"
            )
    return found


def sense_rows(decisions: Decisions) -> Iterator[tuple[str, str, str]]:
    """The rows of senses.csv (`SENSES`)."""
    for senses in decisions.senses:
        made = names.sense_names(decisions, senses)
        for sense, artists in zip(made, senses.artists, strict=True):
            for artist in artists:
                yield senses.tag, sense, artist


Replaced = collections.Counter[tuple[str, str | None]]
"""{(tag, its new tag or None): number of tracks or files}."""


@dataclasses.dataclass(frozen=True)
class TableChanges:
    """What was done to a table of annotations.

    Attributes:
      tracks: number of its rows.
      changed: number of rows whose tags changed.
      left_out: number of rows without a tag that is left; they are not in the new table.
      replaced: how often each tag was replaced.
    """

    tracks: int
    changed: int
    left_out: int
    replaced: Replaced


def apply_to_table(path: PathLike, out: PathLike, edits: Edits) -> TableChanges:
    """Writes a table of annotations with other tags; all other columns stay as they are.

    Args:
      path: table with the columns `track_id,artist_id,tags`; tags have no prefix.
      out: the new table.
      edits: what becomes of each tag.

    Raises:
      InputError: a missing column; `out` is the table itself; no tag is in `vocabulary.csv`.

    >>> with open("old.csv", "w") as file:
    ...     print("track_id,artist_id,album_id,tags", "t,r,l,DnB|Dub", sep="\\n", file=file)
    >>> apply_to_table("old.csv", "new.csv", Edits({"DnB": "Drum & Bass"})).replaced
    Counter({('DnB', 'Drum & Bass'): 1})
    >>> open("new.csv").read().splitlines()[1]
    't,r,l,Drum & Bass|Dub'
    """
    if os.path.realpath(path) == os.path.realpath(out):
        raise InputError(f"--out={out}: is the table itself; keep it, and name another file")
    table = read_table(path, ("track_id", "artist_id", "tags"))
    replaced, cells, seen = Replaced(), list[str](), set[str]()
    for cell, artist in zip(table["tags"], text.cleaned(table["artist_id"]), strict=True):
        tags = [tag for tag in map(text.clean, cell.split(TAG_SEPARATOR)) if tag]
        seen.update(tags)
        new = {tag: edits.new_tag(tag, artist) for tag in tags}
        pairs = [(tag, to) for tag, to in new.items() if to != tag]
        replaced.update(pairs)
        kept = dict.fromkeys(to for to in new.values() if to is not None)
        cells.append(TAG_SEPARATOR.join(kept) if pairs else cell)
    if not seen & edits.canonical.keys():
        raise InputError(f"{path}: none of its tags is in the vocabulary.csv; see --prefix")
    header = list(table)
    rows = zip(*(cells if name == "tags" else table[name] for name in header), strict=True)
    place = header.index("tags")
    write_table(out, header, (row for row in rows if row[place]))
    changed = sum(new != old for new, old in zip(cells, table["tags"], strict=True))
    return TableChanges(len(cells), changed, cells.count(""), replaced)


@dataclasses.dataclass(frozen=True)
class Change:
    """What is to become of one file.

    Attributes:
      path: relative to the library.
      before: the values of its genre field, as they are in the file.
      after: the values that it is to have.
      tags: the tags that are read from `after`.
      replaced: (tag, its new tag or None), ....
    """

    path: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    tags: tuple[str, ...]
    replaced: tuple[tuple[str, str | None], ...]


@dataclasses.dataclass(frozen=True)
class Left:
    """A file that stays as it is although it has genres to replace, or that cannot be read."""

    path: str
    reason: str


def plan(
    folder: PathLike,
    edits: Edits,
    config: library.Config = library.Config(),  # noqa: B008 (frozen)
    progress: Progress = silently,
) -> Iterator[Change | Left]:
    """Looks at each file of a library; those without anything to replace are not mentioned.

    Args:
      folder: of the music.
      edits: what becomes of each tag.
      config: how genres are separated in one field; texts that are no genres are left alone.
      progress: gets the paths.

    Raises:
      InputError: no such folder, or mutagen is not installed.
    """
    filetags.check_installed()
    paths = list(library.audio_files(folder))
    for path in progress(paths, "look at tags", len(paths)):
        found = _look(pathlib.Path(folder, path), path, edits, config)
        if found is not None:
            yield found


def _look(
    file: pathlib.Path, path: str, edits: Edits, config: library.Config
) -> Change | Left | None:
    try:
        path.encode()
        sound.check_file(file)
        tags = filetags.read(file)
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        return Left(shown, "the file's name is not UTF-8")
    except sound.SoundError as error:
        return Left(path, str(error))
    except filetags.TagError as error:
        known = str(error) in (filetags.NO_TAGS, filetags.UNKNOWN_FORMAT)
        return None if known else Left(path, f"its tags cannot be read: {error}")
    artist = library.owner(tags)
    if not _replaced(tags.genres, artist, edits, config)[2]:
        return None
    try:
        raw = genretags.opened(file).genres
    except genretags.GenreTagError as error:
        return Left(path, str(error))
    readable = [value for value in raw if not text.is_damaged(value)]
    if tuple(filter(None, map(text.clean, readable))) != tags.genres:
        return Left(path, "its genre is in tags of another kind (APEv2, LIST INFO)")
    after, new, replaced = _replaced(raw, artist, edits, config)
    found = [tag for value in after for tag in _split(value, config)]
    if found != new:
        targets = [to for _, to in replaced if to is not None] or ["; ".join(after)]
        odd = next((to for to in targets if _split(to, config) != [to]), targets[0])
        return Left(path, f"{odd!r} would be read as several genres; say --whole={odd!r}")
    return Change(path, tuple(raw), tuple(after), tuple(new), tuple(replaced))


def _whole(config: library.Config) -> tuple[str, ...]:
    return (*genrefields.names_with_separators(), *config.whole)


def _split(value: str, config: library.Config) -> list[str]:
    """The tags in one value of a genre field, as the library's reader finds them."""
    if text.is_damaged(value):
        return []
    return genrefields.split_genres(value, config.separators, _whole(config))


def _replaced(
    values: Sequence[str], artist: str, edits: Edits, config: library.Config
) -> tuple[list[str], list[str], list[tuple[str, str | None]]]:
    """New values of a genre field, the tags in them, and what was replaced.

    A tag that is there already is not written again.
    """
    seen: dict[str, None] = {}
    pairs: dict[tuple[str, str | None], None] = {}

    def replace(tag: str) -> str | None:
        to = edits.new_tag(tag, artist)
        if to != tag:
            pairs[tag, to] = None
        if to is None or to in seen:
            return None
        seen[to] = None
        return to

    after = []
    for value in values:
        if not text.is_damaged(value):
            new = genrefields.replace_genres(value, config.separators, _whole(config), replace)
            if text.clean(value) and not text.clean(new):
                continue
            value = new
        after.append(value)
    return after, list(seen), list(pairs)


def write(
    folder: PathLike,
    change: Change,
    undo: rewriting.UndoFile,
    config: library.Config = library.Config(),  # noqa: B008 (frozen)
) -> None:
    """Writes new genres into a file, and before that how to undo it.

    Raises:
      NotWrittenError: the file stays as it was.
      OSError: as the system says, such as for a full disk; the file stays as it was.
    """
    root = os.path.abspath(folder)
    file = pathlib.Path(root, change.path)
    original: list[list[str] | None] = []

    def new_content(copy: pathlib.Path) -> None:
        with _as_not_written():
            tags = genretags.opened(file, copy)
            if tuple(tags.genres) != change.before:
                raise rewriting.NotWrittenError("another program changed it meanwhile")
            original.append(tags.original)
            tags.save(change.after, tags.original or change.before)
            found = filetags.read(copy).genres
        if tuple(tag for value in found for tag in _split(value, config)) != change.tags:
            raise rewriting.NotWrittenError(f"would be read back as {', '.join(found)}")

    def record(old: pathlib.Path, new: pathlib.Path) -> None:
        undo.append(
            rewriting.Record(
                root,
                change.path,
                list(change.before),
                original[-1],
                rewriting.checksum(old),
                rewriting.checksum(new),
                rewriting.delta_of(old, new),
            )
        )

    rewriting.rewrite(file, new_content, record)


@contextlib.contextmanager
def _as_not_written() -> Iterator[None]:
    """Turns what mutagen raises into `NotWrittenError`, but for errors of the system."""
    try:
        yield
    except (OSError, rewriting.NotWrittenError):
        raise
    except Exception as error:  # struct.error, ValueError and others, beside mutagen's own.
        system = error.__cause__ or error.__context__
        if isinstance(system, OSError):
            raise system from None
        raise rewriting.NotWrittenError(f"cannot be written: {error}") from None


EXACT, GENRES_ONLY, NOTHING = "restored", "genres restored", "as it was"
"""What became of a file: byte for byte as before; another program has changed it since, so that
only its genre fields are as before; or it is as before already."""


def undo(records: Sequence[rewriting.Record], folder: PathLike | None = None) -> str:
    """Brings one file back to what it was before it was changed.

    The changes are undone one after the other, back to the last one that found no `ORIGINALGENRE`
    in the file: what was before that is older than the file that people saw.

    Args:
      records: all records of the file, the last one first.
      folder: of the music, if it was moved.

    Returns:
      `EXACT`, `GENRES_ONLY` or `NOTHING`.

    Raises:
      NotWrittenError: no such file, or it cannot be written.
    """
    path = pathlib.PurePosixPath(records[0].path)
    if path.is_absolute() or ".." in path.parts:
        raise rewriting.NotWrittenError("its path is not below the library")
    first = next((k for k, r in enumerate(records) if r.original is None), len(records) - 1)
    records, oldest = records[: first + 1], records[first]
    file = pathlib.Path(folder or oldest.library, path)
    if not file.is_file():
        kept = "; ".join(oldest.genres)
        raise rewriting.NotWrittenError(f"no such file; its genres were: {kept} (moved? --library)")
    rewriting.leftover(file).unlink(missing_ok=True)
    found = rewriting.checksum(file)
    if found == oldest.old:
        return NOTHING
    for record in records:
        if record.new == found and found != oldest.old:
            rewriting.restore(record, file)
            found = record.old
    if found == oldest.old:
        return EXACT
    _restore_genres(file, oldest)
    return GENRES_ONLY


def _restore_genres(file: pathlib.Path, record: rewriting.Record) -> None:
    """Makes the genre fields of a file what they were before a change."""

    def change(copy: pathlib.Path) -> None:
        with _as_not_written():
            genretags.opened(file, copy).save(record.genres, record.original)

    rewriting.rewrite(file, change)
