"""Decisions for the programs where the tags live."""

import pathlib
import re
from collections.abc import Collection, Mapping, Sequence

from tagjax.base.files import PathLike
from tagjax.catalogue.annotations import Catalogue
from tagjax.reconcile import beets, names, picard, skos
from tagjax.reconcile.decisions import Decisions


def write_exports(
    folder: PathLike,
    decisions: Decisions,
    artists: Mapping[str, Collection[str]] | None = None,
) -> tuple[list[pathlib.Path], list[str]]:
    """Writes `vocabulary.ttl` (SKOS) and the folders `beets` and `picard`.

    With several tag systems, these have a folder for each, named after its prefix.

    Args:
      folder: made if absent.
      decisions: to be exported.
      artists: {artist id: all tags of the artist}, if ids are names as music files have them; None
        if they are not. Only by such names can beets and Picard tell two senses apart.

    Returns:
      The paths, and what a person has to know, a sentence each.

    >>> from tagjax import Vocabulary
    >>> tags = Vocabulary.of(["Dub", "dub"])
    >>> merged = Decisions(tags, {}, {}, (), {"Dub": "Dub", "dub": "Dub"}, {})
    >>> [path.name for path in write_exports("exported", merged)[0]][:2]
    ['vocabulary.ttl', 'config.yaml']

    Reference: https://beets.readthedocs.io/en/stable/plugins/lastgenre.html and
    https://picard-docs.musicbrainz.org/en/latest/config/options_genres.html
    """
    folder = pathlib.Path(folder)
    systems = [s for s in decisions.vocabulary.systems if decisions.vocabulary.members(s)]
    made = [(folder, skos.export(decisions))]
    for system in systems:
        own = re.sub(r"[^\w.+-]+", "_", system).strip("_.") if len(systems) > 1 else ""
        place = folder / "beets" / own
        made.append((place, beets.export(decisions, place, system, artists)))
        picked = picard.export(decisions, system, artists is not None)
        made.append((folder / "picard" / own, picked))
    paths = [path for place, exported in made for path in names.write(place, exported)]
    notes = [note for _, exported in made for note in exported.notes]
    return paths, list(dict.fromkeys([*notes, *names.split_warnings(decisions)]))


def artists_by_name(catalogues: Sequence[Catalogue]) -> dict[str, set[str]]:
    """{artist id: all tags of the artist}, as `write_exports` wants them.

    >>> catalogue = Catalogue("", ("t", "u"), ("r", "r"), ("", ""), (("dub",), ("ska",)))
    >>> sorted(artists_by_name([catalogue])["r"])
    ['dub', 'ska']
    """
    found: dict[str, set[str]] = {}
    for catalogue in catalogues:
        for artist, tags in zip(catalogue.artist_id, catalogue.tags, strict=True):
            found.setdefault(artist, set()).update(catalogue.prefix + tag for tag in tags)
    return found
