"""Exports decisions to MusicBrainz Picard: a genre filter, and a script that needs no plugin.

The filter drops the blocked tags and nothing else. A list of the genres that are allowed would drop
each genre of MusicBrainz that the library does not have yet, and the spellings that the script is
there to replace, because Picard filters before its scripts run.

The script has one line for each genre, as Picard's parser cannot nest hundreds of functions. Each
line replaces the spellings of one genre, in any case. No line undoes another: a genre that stands
for others is replaced by none.
"""

import re

from tagjax.base.text import clean
from tagjax.reconcile import names
from tagjax.reconcile.decisions import Decisions

_JOINER = "; "
"""Between the values of a tag in a script."""

_FILTER = """\
# Options > Metadata > Genres: switch on "Use genres from MusicBrainz", and copy the lines with - to
# "Genres or folksonomy tags to include or exclude".
"""

_SCRIPT = """\
$noop(Options > Scripting > Add new script: copy all of this. Each line gives one genre its name.)
"""


def export(
    decisions: Decisions, system: str | None = None, artists: bool = False
) -> names.Exported:
    """The files `genre_filter.txt` and `tagger_script.txt`.

    Args:
      decisions: on the tags of one or several systems.
      system: the tag system to export; None if there is only one.
      artists: whether artist ids are the names of album artists, in any case; then tags of two
        senses are told apart by artist.

    Raises:
      InputError: as `names.chosen_system`.

    >>> from tagjax.vocabulary.vocabulary import Vocabulary
    >>> tags = Vocabulary.of(["IDM", "Braindance", "Other"])
    >>> same = {"IDM": "IDM", "Braindance": "IDM", "Other": "Other"}
    >>> made = export(Decisions(tags, {}, {}, (), same, {}, blocked={"Other": "a word for none"}))
    >>> made.files["genre_filter.txt"].splitlines()[-1]
    '-other'
    >>> made.files["tagger_script.txt"].splitlines()[1]
    '$setmulti(genre,$map(%genre%,$if($or($eq($lower(%_loop_value%),idm),$eq($lower(\
%_loop_value%),braindance)),IDM,%_loop_value%)))'

    Reference: https://picard-docs.musicbrainz.org/en/functions/list_by_type.html
    """
    genres = names.genres(decisions, system)
    system = names.chosen_system(decisions.vocabulary, system)
    notes = list(genres.notes)
    lines = [_SCRIPT]
    for target, found in genres.sources().items():
        shown = genres.shown[target]
        odd = [name for name in (*found, shown) if _JOINER in name]
        notes += [f"{name!r} holds {_JOINER!r}, at which Picard's scripts split" for name in odd]
        found = [name for name in found if _JOINER not in name]
        if found and _JOINER not in shown and target not in genres.blocked:
            lines.append(_mapped(_any("%_loop_value%", found), shown))
    if artists:
        lines += _senses(decisions, system)
    lines.append("$setmulti(genre,$unique(%genre%))\n")
    blocked = [f"-{_literal(name)}\n" for name in genres.blocked]
    files = {"genre_filter.txt": _FILTER + "".join(blocked), "tagger_script.txt": "".join(lines)}
    return names.Exported(files, tuple(dict.fromkeys(notes)))


def escaped(text: str) -> str:
    r"""Text as a script has it.

    >>> print(escaped("R&B (soul), 50%"))
    R&B \(soul\)\, 50\%
    """
    return re.sub(r"[\\$%(),]", r"\\\g<0>", text)


def _any(variable: str, names_: list[str]) -> str:
    """The condition that a variable is one of some names in lower case."""
    equal = [f"$eq($lower({variable}),{escaped(name)})" for name in names_]
    return equal[0] if len(equal) == 1 else f"$or({','.join(equal)})"


def _mapped(condition: str, name: str) -> str:
    """The line that gives each genre for which a condition holds another name."""
    return f"$setmulti(genre,$map(%genre%,$if({condition},{escaped(name)},%_loop_value%)))\n"


def _senses(decisions: Decisions, system: str) -> list[str]:
    """Lines that rename tags of two senses by artist."""
    lines = []
    for senses in decisions.senses:
        if decisions.vocabulary.system_of(senses.tag) != system:
            continue
        made = names.sense_names(decisions, senses)
        tag = _any("%_loop_value%", [names.called(decisions, senses.tag).lower()])
        for name, ids in zip(made, senses.artists, strict=True):
            by = _any("$if2(%albumartist%,%artist%)", sorted(artist.lower() for artist in ids))
            lines.append(_mapped(f"$and({tag},{by})", clean(name[len(system) :])))
    return lines


def _literal(name: str) -> str:
    """A line of the filter that fits one name: signs of wildcards are escaped, and no `/` is first.

    Between two `/` there would be a regular expression.
    """
    name = re.sub(r"[\\*?\[\]]", r"\\\g<0>", name)
    return f"[/]{name[1:]}" if name.startswith("/") else name
