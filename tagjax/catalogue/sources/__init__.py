"""Sources: converts catalogues in common formats to our tables.

Each module reads one source as a stream of rows, and documents the layout that it reads. `write`
makes `annotations.csv` and the other tables that `launch.split` reads. Nothing here uses the
network.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tagjax.base.files import PathLike
from tagjax.catalogue.sources import audioset, discogs, fma, library, mumu
from tagjax.catalogue.sources.records import Progress, Row
from tagjax.catalogue.sources.writing import Counts, Form, report, write

__all__ = ["SOURCES", "CatalogueSource", "Counts", "annotate", "report"]


@dataclasses.dataclass(frozen=True)
class CatalogueSource:
    """One format of catalogue.

    Attributes:
      takes: description of its input.
      config: type of its config.
      size: function that gives the size of an input, in `unit`.
      read: function that gives the rows of an input as a stream.
      taxonomy: function that gives the (style, genre) pairs of an input; None if the source has no
        hierarchy.
      annotates: what its tags describe, "album" or "track".
      columns: further columns of annotations.csv that it fills.
      files: whether it knows where the audio is.
      unit: unit of `size` and of progress.
    """

    takes: str
    config: type
    size: Callable[[PathLike], int]
    read: Callable[[PathLike, Any, Progress], Iterator[Row]]
    taxonomy: Callable[[PathLike, Any], Iterable[tuple[str, str]]] | None = None
    annotates: str = "track"
    columns: tuple[str, ...] = ("artist", "title")
    files: bool = False
    unit: str = "B"


SOURCES: Mapping[str, CatalogueSource] = {
    "discogs": CatalogueSource(
        "a Discogs dump, discogs_*_releases.xml.gz or _masters.xml.gz",
        discogs.Config,
        discogs.size,
        discogs.read,
        annotates="album",
    ),
    "mumu": CatalogueSource(
        "MuMu's folder, or its MuMu_dataset_multi-label.csv",
        mumu.Config,
        mumu.size,
        mumu.read,
        annotates="album",
    ),
    "fma": CatalogueSource(
        "FMA's folder fma_metadata",
        fma.Config,
        fma.size,
        fma.read,
        fma.taxonomy,
        columns=("artist", "title", "album"),
        files=True,
    ),
    "audioset": CatalogueSource(
        "a folder with AudioSet's ontology.json and *_segments.csv",
        audioset.Config,
        audioset.size,
        audioset.read,
        audioset.taxonomy,
        columns=(),
    ),
    "library": CatalogueSource(
        "a folder of audio files with tags",
        library.Config,
        library.size,
        library.read,
        columns=("artist", "title", "album"),
        files=True,
        unit=" files",
    ),
}
"""{name: source}."""


def annotate(
    name: str,
    path: PathLike,
    folder: PathLike,
    config: Any = None,
    progress: Progress = lambda _: None,
    strict: bool = False,
    overwrite: bool = False,
) -> Counts:
    """Reads a source and writes its tables into a folder.

    Args:
      name: name of the source, a key of `SOURCES`.
      path: input of the source.
      folder: folder for the tables; it appears complete or not at all.
      config: config of the source; None for its defaults.
      progress: called with each amount that was read, in the source's unit.
      strict: whether the first row that would be left out is an error.
      overwrite: replace annotations of another source, input or config.

    Raises:
      InputError: as the source's `read` and `taxonomy`, and as `writing.write`.
    """
    source = SOURCES[name]
    config = source.config() if config is None else config
    fields = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in dataclasses.asdict(config).items()
    }
    pairs = source.taxonomy(path, config) if source.taxonomy else ()
    return write(
        folder,
        source.read(path, config, progress),
        Form(source.annotates, source.columns, source.files, pairs),
        {"source": name, "input": str(path), "config": fields},
        strict,
        overwrite,
    )
