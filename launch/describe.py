"""What is in a manifest, or in annotations: tags, parts, balance, co-occurrence.

    python -m launch.describe --manifest_dir=data/manifests/mine

    python -m launch.describe --annotations=a.csv,b.csv --prefix=a:,b: --tracks=tracks.csv

Prints tables, and writes tables (CSV), charts (PNG, SVG) and report.html, which opens without
network, into --out. Annotations are described as launch.split would sample them by its defaults;
without --tracks no track's duration is known, and each gives one excerpt.
"""

import pathlib

from absl import flags
from tqdm import tqdm

from launch import program
from tagjax.base.errors import InputError
from tagjax.catalogue import annotations
from tagjax.manifest import lists, sampling
from tagjax.report import describe, page

_MANIFEST_DIR = flags.DEFINE_string("manifest_dir", None, "A manifest.")
_ANNOTATIONS = flags.DEFINE_list("annotations", [], "Annotation tables, one a catalogue, instead.")
_PREFIX = flags.DEFINE_list("prefix", [], "Prefixes of their tags, one a catalogue: a:,b:")
_TRACKS = flags.DEFINE_string("tracks", None, "Table of tracks: track_id,path,duration_s.")
_OUT = flags.DEFINE_string("out", None, "Folder for the report; by default results/NAME/describe.")


def main() -> None:
    """Flags to one description."""
    if bool(_MANIFEST_DIR.value) == bool(_ANNOTATIONS.value):
        raise InputError("name a manifest by --manifest_dir, or tables by --annotations")
    with tqdm(desc="describe", unit=" steps", leave=False, disable=None) as bar:
        if _MANIFEST_DIR.value:
            for flag in (_PREFIX, _TRACKS):
                if flag.value:
                    raise InputError(f"--{flag.name} has no use beside --manifest_dir")
            made, before = lists.read_manifest(_MANIFEST_DIR.value), None
            name = pathlib.Path(_MANIFEST_DIR.value).absolute().name
        else:
            catalogues = annotations.read_catalogues(_ANNOTATIONS.value, _PREFIX.value)
            tracks = annotations.read_tracks(_TRACKS.value) if _TRACKS.value else None
            bar.update()
            made, before = describe.sampled(catalogues, tracks, sampling.SamplingConfig())
            name = "+".join(pathlib.Path(path).stem for path in _ANNOTATIONS.value)
        bar.update()
        described = describe.describe(made, before)
        bar.update()
        taxonomy = made.truth.taxonomy
        parents = describe.genres(described, taxonomy.pairs() if taxonomy else ())
        out = pathlib.Path(_OUT.value or f"results/{name}/describe")
        for _ in page.write_description(out, described, parents, name):
            bar.update()
    for line in describe.lines(described):
        print(line)
    print(f"written: {out / 'report.html'}")
    print(f"written: {out} (tables, charts)")


if __name__ == "__main__":
    program.run(main)
