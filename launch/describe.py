"""Describes a manifest or annotations: tags, parts, balance, co-occurrence.

    python -m launch.describe --manifest_dir=data/manifests/mine

    python -m launch.describe --annotations=a.csv,b.csv --prefix=a:,b: --tracks=tracks.csv

Prints tables, and writes tables (CSV), charts (PNG, SVG) and report.html, which opens without
network, into --out. Annotations are sampled as launch.split does by default. Without --tracks the
durations are not known, and each track gives one excerpt.
"""

import dataclasses
import pathlib
import shlex

from absl import flags
from tqdm import tqdm

from launch import program
from tagjax.base.errors import InputError
from tagjax.catalogue import annotations
from tagjax.manifest import lists, sampling
from tagjax.manifest.lists import Manifest
from tagjax.report import describe, description

_MANIFEST_DIR = flags.DEFINE_string("manifest_dir", None, "A manifest.")
_ANNOTATIONS = flags.DEFINE_list("annotations", [], "Or annotation tables, one for each catalogue.")
_PREFIX = flags.DEFINE_list("prefix", [], "Prefixes of their tags, one for each catalogue: a:,b:")
_TRACKS = flags.DEFINE_string("tracks", None, "Table of tracks: track_id,path,duration_s.")
_OUT = flags.DEFINE_string("out", None, "Folder for the report; by default results/NAME/describe.")


@dataclasses.dataclass(frozen=True)
class _Source:
    """The input of a description.

    Attributes:
      name: name of the report.
      manifest: the manifest, after balancing.
      before: the manifest without balancing; None if it is not known.
    """

    name: str
    manifest: Manifest
    before: Manifest | None = None


def _manifest() -> _Source:
    for flag in (_PREFIX, _TRACKS):
        if flag.value:
            raise InputError(f"--{flag.name} has no use beside --manifest_dir")
    name = pathlib.Path(_MANIFEST_DIR.value).absolute().name
    return _Source(name, lists.read_manifest(_MANIFEST_DIR.value))


def _annotations() -> _Source:
    catalogues = annotations.read_catalogues(_ANNOTATIONS.value, _PREFIX.value)
    tracks = annotations.read_tracks(_TRACKS.value) if _TRACKS.value else None
    name = "+".join(pathlib.Path(path).stem for path in _ANNOTATIONS.value)
    return _Source(name, *describe.sampled(catalogues, tracks, sampling.SamplingConfig()))


def main() -> None:
    """Writes the description that the flags ask for."""
    if bool(_MANIFEST_DIR.value) == bool(_ANNOTATIONS.value):
        raise InputError("name a manifest by --manifest_dir, or tables by --annotations")
    with tqdm(desc="describe", unit=" steps", leave=False, disable=None) as bar:
        source = _manifest() if _MANIFEST_DIR.value else _annotations()
        bar.update()
        described = describe.describe(source.manifest, source.before)
        bar.update()
        parents = describe.genres(described, source.manifest.truth)
        out = pathlib.Path(_OUT.value or f"results/{source.name}/describe")
        for _ in description.write_description(out, described, parents, source.name):
            bar.update()
    for line in describe.lines(described):
        print(line)
    print(f"written: {out / 'report.html'}")
    print(f"written: {out} (tables, charts)")
    print(f"next: {_next(source)}")


def _next(source: _Source) -> str:
    """The command that goes on from here."""
    if _MANIFEST_DIR.value:
        dataset = shlex.quote(f"--dataset=catalogue_split/{source.name}")
        folder = shlex.quote(f"--manifest_dir={_MANIFEST_DIR.value}")
        return f"python -m launch.build {dataset} {folder} --audio_dir=FOLDER"
    named = [flag for flag in (_ANNOTATIONS, _PREFIX) if flag.value]
    given = [f"--{flag.name}={','.join(flag.value)}" for flag in named]
    tracks = f"--tracks={_TRACKS.value or 'FILE'}"
    return f"python -m launch.split {shlex.join([*given, tracks])} --out=data/manifests/mine"


if __name__ == "__main__":
    program.run(main)
