"""Exports decisions to beets >= 2.13: its plugins lastgenre and advancedrewrite.

lastgenre replaces merged tags (`aliases`) and drops blocked ones (`ignorelist`). On demand it drops
all genres that are not in `genres.txt`, and adds broader ones (`genres-tree.yaml`). It compares in
lower case. Its tree has one parent for each genre. By default there is no list of genres that are
allowed: it would drop a field such as `Ambient, Electronic`, which is one unknown genre to beets.

advancedrewrite tells the two senses of a tag apart, by artist.
"""

import pathlib
import re
import shlex
from collections.abc import Collection, Iterable, Mapping

from tagjax.base.errors import one_line
from tagjax.base.files import PathLike
from tagjax.base.text import clean
from tagjax.reconcile import names
from tagjax.reconcile.decisions import Decisions

MOST_GENRES = 20
"""How many genres a track keeps; beets' own default of 1 would drop all but the first."""

_CONFIG = """\
# Genres for beets >= 2.13. To see what would change, and then to change it:
#
#     beet -c {config} lastgenre --items --pretend
#     beet -c {config} lastgenre --items
#
# or copy this into your own config.yaml. Tracks that have genres keep them, merged ones under one
# name, but for those of "ignorelist". Last.fm is asked only about tracks without genre. beets
# writes genres in title case. Genres joined by a comma or slash in one field are one genre to it.
#
# These aliases replace the table that comes with beets (its entries for other spellings are then
# unknown). To have that table too, below this one (an entry that both have stays as it is here):
#
#     python -c '
#     import yaml, beetsplug.lastgenre as plugin
#     config = yaml.safe_load(open("config.yaml", encoding="utf-8"))
#     ours = config["lastgenre"]["aliases"]
#     for genre, patterns in yaml.safe_load(open(plugin.ALIASES_FILE, encoding="utf-8")).items():
#         ours.setdefault(genre, patterns)
#     print(yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=1000))
#     ' > with_theirs.yaml
"""

_SETTINGS = """\
plugins: [lastgenre]
lastgenre:
  force: no
  cleanup_existing: yes
  count: {count}
  title_case: yes
  whitelist: no
  canonical: no
  # To drop all genres that are not in genres.txt, and then to add the broader genres of each genre
  # (if this folder moves, mend the paths):
  # whitelist: {whitelist}
  # canonical: {tree}
"""

_SENSES = """\
# Tags that are two things, told apart by artist. To use it, add to your config.yaml:
#
#     plugins: [..., advancedrewrite]
#     include: [{path}]
#
# advancedrewrite replaces all genres of a track, and it finds an artist by a part of the name. So a
# rule is here only if all tracks of the artist have this one genre, and if no other artist's name
# contains this name.
"""


def export(
    decisions: Decisions,
    folder: PathLike,
    system: str | None = None,
    artists: Mapping[str, Collection[str]] | None = None,
) -> names.Exported:
    """The files `config.yaml`, `genres.txt`, `genres-tree.yaml` and, with artists, `senses.yaml`.

    Args:
      decisions: on the tags of one or several systems.
      folder: where the files will be; `config.yaml` names them by absolute paths.
      system: the tag system to export; None if there is only one.
      artists: {artist id: tags of all of the artist's tracks}, if the ids are names as the files
        have them, in any case; None if they are not.

    Raises:
      InputError: as `names.chosen_system`.

    >>> from tagjax.vocabulary.vocabulary import Vocabulary
    >>> tags = Vocabulary.of(["Hip Hop", "hip-hop", "Rap"])
    >>> same = {"Hip Hop": "Hip Hop", "hip-hop": "Hip Hop", "Rap": "Rap"}
    >>> made = export(Decisions(tags, {}, {}, (), same, {"Rap": ("Hip Hop",)}), "beets")
    >>> print(made.files["genres-tree.yaml"], end="")
    - 'hip hop':
        - 'rap'

    Reference: https://beets.readthedocs.io/en/stable/plugins/lastgenre.html
    """
    genres = names.genres(decisions, system)
    system = names.chosen_system(decisions.vocabulary, system)
    folder = pathlib.Path(folder).resolve()
    rules, new, notes = _rules(decisions, system, artists or {})
    files = {
        "config.yaml": _config(genres, new, folder),
        "genres.txt": _whitelist(genres, new),
        "genres-tree.yaml": tree(genres.shown.keys() - genres.blocked.keys(), genres.parent),
    }
    if rules:
        head = _SENSES.format(path=quoted(str(folder / "senses.yaml")))
        files["senses.yaml"] = "".join([head, "advancedrewrite:\n", *rules])
    odd = [name for name in genres.shown if name.startswith("#")]
    notes += [f"{name!r} begins with #, which is a comment in genres.txt" for name in odd]
    return names.Exported(files, (*genres.notes, *notes))


def quoted(text: str) -> str:
    """A YAML scalar that is read as this text, even `no`, `1980` or `# it's`.

    >>> quoted("rock 'n' roll")
    "'rock ''n'' roll'"
    """
    return "'" + text.replace("'", "''") + "'"


def tree(genres: Iterable[str], parent: Mapping[str, str]) -> str:
    """Genres as nested YAML lists; a genre with others below it is a key.

    >>> print(tree(["dub", "rock", "grunge"], {"grunge": "rock"}), end="")
    - 'dub'
    - 'rock':
        - 'grunge'
    """
    below: dict[str | None, list[str]] = {}
    for genre in sorted(genres):
        below.setdefault(parent.get(genre), []).append(genre)
    lines, todo = [], [(genre, 0) for genre in reversed(below.get(None, []))]
    while todo:
        genre, depth = todo.pop()
        narrower = below.get(genre, [])
        lines.append(f"{'    ' * depth}- {quoted(genre)}{':' * bool(narrower)}\n")
        todo += [(name, depth + 1) for name in reversed(narrower)]
    return "".join(lines) or "[]\n"


def _config(genres: names.Genres, new: Iterable[str], folder: pathlib.Path) -> str:
    """config.yaml: each tag of the vocabulary is a pattern, itself included.

    So no table that is appended can change a tag that stays as it is.
    """
    head = _CONFIG.format(config=shlex.quote(str(folder / "config.yaml")))
    head += "".join(f"# Note: {one_line(note)}.\n" for note in genres.notes)
    settings = _SETTINGS.format(
        count=MOST_GENRES,
        whitelist=quoted(str(folder / "genres.txt")),
        tree=quoted(str(folder / "genres-tree.yaml")),
    )
    sources = {name: [name] for name in new} | genres.sources()
    every = [*genres.target]
    odd = [name for name in every if not name.isascii()]
    ignored = [f"      - {quoted(_pattern(name, every))}\n" for name in sorted(genres.blocked)]
    lines = ["  ignorelist:\n    '*':\n", *ignored] if ignored else []
    lines.append("  aliases:\n" if sources else "  aliases: {}\n")
    for target, found in sources.items():
        # The key is a template in which a backslash begins a group.
        lines.append(f"    {quoted(target.replace(chr(92), 2 * chr(92)))}:\n")
        for name in found:
            lines.append(f"      - {quoted(_pattern(name, odd if name.isascii() else every))}\n")
    return head + settings + "".join(lines)


def _pattern(name: str, others: Iterable[str]) -> str:
    """A regular expression that fully matches a name in lower case, and none of the others.

    beets ignores case, by which some different letters are one: `s` and `ſ`, `σ` and `ς`.
    """
    pattern = re.escape(name)
    alike = (re.fullmatch(pattern, other, re.IGNORECASE) for other in others if other != name)
    return f"(?-i:{pattern})" if any(alike) else pattern


def _whitelist(genres: names.Genres, new: Iterable[str]) -> str:
    """genres.txt: a genre a line; blocked ones are comments."""
    lines = [f"{name}\n" for name in sorted({*genres.shown, *new} - genres.blocked.keys())]
    if all(line[0] == "#" for line in lines):
        lines.append("(no genre)\n")  # beets takes an empty list for no list.
    if genres.blocked:
        lines.append("# Not genres, and removed. Delete the # before one that shall stay:\n")
        lines += [f"# {name}\n" for name in sorted(genres.blocked)]
    return "".join(lines)


def _rules(
    decisions: Decisions, system: str, artists: Mapping[str, Collection[str]]
) -> tuple[list[str], list[str], list[str]]:
    """The rules of advancedrewrite, the new names in lower case, and notes."""
    rules, new, notes = [], [], []
    known = {artist.lower(): frozenset(tags) for artist, tags in artists.items()}
    for senses in decisions.senses:
        if decisions.vocabulary.system_of(senses.tag) != system:
            continue
        made = names.sense_names(decisions, senses)
        left = 0
        for tag, ids in zip(made, senses.artists, strict=True):
            name = clean(tag[len(system) :])
            new.append(name.lower())
            for artist in sorted(ids):
                is_safe = known.get(artist.lower()) == {senses.tag}
                if is_safe and not any(artist.lower() in k for k in known if k != artist.lower()):
                    rules.append(_rule(artist, name))
                else:
                    left += 1
        if left:
            notes.append(
                f"{senses.tag!r} is two things; of its {sum(map(len, senses.artists))} artists, "
                f"{left} cannot be told apart by a rule of beets (launch.apply can)"
            )
    return rules, list(dict.fromkeys(new)), notes


def _rule(artist: str, genre: str) -> str:
    match = quoted(shlex.quote(f"artist:{artist}"))
    return f"  - match: {match}\n    replacements:\n      genres: [{quoted(genre)}]\n"
