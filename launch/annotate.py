"""Converts a catalogue to annotations: Discogs, MuMu, FMA, AudioSet, or a music library.

    python -m launch.annotate --source=discogs --input=discogs_20260101_releases.xml.gz \\
        --out=data/annotations/discogs

    python -m launch.annotate --source=library --input=music --out=data/annotations/library

Writes annotations.csv and, if the source has them, tracks.csv and taxonomy.csv, which launch.split
reads. Rows that cannot be used are listed with a reason in rejected.csv. Texts in genre fields that
are not genres are listed in non_genres.csv. Large inputs are streamed. The folder appears complete
or not at all.
"""

import dataclasses
import os
import shlex
from collections.abc import Iterator
from typing import Any

from absl import flags
from tqdm import tqdm

from launch import program
from tagjax.base.errors import InputError
from tagjax.catalogue import sources

_SOURCE = flags.DEFINE_string(
    "source",
    None,
    "; ".join(f"{name}: {source.takes}" for name, source in sources.SOURCES.items()) + ".",
)
_INPUT = flags.DEFINE_string("input", None, "File or folder to read, see --source.")
_OUT = flags.DEFINE_string("out", None, "Folder for the tables.")
_STRICT = flags.DEFINE_boolean("strict", False, "Stop at the first row that would be left out.")
_OVERWRITE = flags.DEFINE_boolean("overwrite", False, "Replace other annotations in --out.")

_CONFIG: dict[str, flags.FlagHolder] = {
    "subset": flags.DEFINE_string(
        "subset", None, "fma: small, medium, large (clips of 30 s) or full; by default large."
    ),
    "root": flags.DEFINE_string(
        "root",
        None,
        "audioset: class of the ontology below which labels are tags; by default 'Music genre', "
        "empty for all.",
    ),
    "separators": flags.DEFINE_multi_string(
        "separator",
        None,
        "library: string that separates genres in one field; may be repeated; by default ; | , and "
        "a slash between spaces.",
    ),
    "whole": flags.DEFINE_multi_string(
        "whole",
        None,
        "library: a genre that is not split although it holds a separator, as those of Discogs; "
        "may be repeated.",
    ),
    "keep_non_genres": flags.DEFINE_boolean(
        "keep_non_genres",
        None,
        "library: keep texts that are certainly not genres as tags: years and other numbers, "
        "ratings, Other, Unknown, addresses, the artist's name.",
    ),
}


def main() -> None:
    """Writes the folder of tables that the flags describe."""
    name = _SOURCE.value or ""
    source = sources.SOURCES.get(name)
    if source is None:
        raise InputError(f"--source={_SOURCE.value}: one of {', '.join(sources.SOURCES)}")
    if not _INPUT.value:
        raise InputError(f"--input: name {source.takes}")
    if not _OUT.value:
        raise InputError("--out: name the folder for the tables")
    config = _config(source)
    with tqdm(
        desc=f"annotate {_SOURCE.value}",
        total=source.size(_INPUT.value),
        unit=source.unit,
        unit_scale=source.unit == "B",
        mininterval=0.5,
    ) as bar:
        counts = sources.annotate(
            name,
            _INPUT.value,
            _OUT.value,
            config,
            bar.update,
            _STRICT.value,
            _OVERWRITE.value,
        )
    for line in sources.report(counts):
        print(line)
    print(f"written: {_OUT.value}")
    print(f"next: {' '.join(_next(_OUT.value, counts.tracks))}")


def _next(folder: str, tracks: int) -> Iterator[str]:
    """The words of the command that makes a manifest of the tables in a folder."""
    yield "python -m launch.split"
    for name in ("annotations", "tracks", "taxonomy"):
        path = os.path.join(folder, f"{name}.csv")
        if os.path.exists(path):
            yield shlex.quote(f"--{name}={path}")
    if tracks < program.SMALL:
        yield "--folds=5"
    yield shlex.quote(f"--out=data/manifests/{os.path.basename(os.path.abspath(folder))}")


def _config(source: sources.CatalogueSource) -> Any:
    """The source's config; refuses a flag of another source."""
    given = program.given(_CONFIG)
    fields = {field.name for field in dataclasses.fields(source.config)}
    for name in given:
        if name not in fields:
            flag = _CONFIG[name].name
            raise InputError(f"--{flag}: is not for --source={_SOURCE.value}; leave it out")
    return source.config(**given)


if __name__ == "__main__":
    program.run(main)
