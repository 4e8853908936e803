"""What each tag is to each other tag, and how sure that is: the same, broader, narrower, a sibling.

    python -m launch.evidence --run_dir=runs/catalogue_split/mine

    python -m launch.evidence --annotations=a.csv,b.csv --prefix=a:,b: --features=vectors.npz

    python -m launch.evidence --annotations=a.csv,b.csv --prefix=a:,b:

The first takes the predictions of a finished run; the second any vectors by track, such as
launch.embed makes; the third needs no sound, and asks the tracks that both catalogues share. Nobody
labels a pair: what speaks for the same is learnt on tags split in two. It writes evidence.csv (a
row a pair), senses.csv (tags that may be two things) and evidence.json (the choices, and how far to
trust them) into RUN_DIR/evidence, or results/NAME/evidence.
"""

import pathlib

from absl import flags

from launch import program
from launch.bars import bar
from tagjax.base.errors import InputError
from tagjax.catalogue import annotations
from tagjax.evidence import inputs, summary
from tagjax.evidence.config import EvidenceConfig
from tagjax.evidence.decided import Decided, read_decisions
from tagjax.evidence.weigh import Common, weigh
from tagjax.run.config import replaced
from tagjax.similarity import run as runs
from tagjax.similarity.features import read_all_features
from tagjax.similarity.observations import Observations

_RUN_DIR = flags.DEFINE_string("run_dir", None, "A finished run; by default the newest.")
_RUNS_DIR = flags.DEFINE_string("runs_dir", "runs", "Folder to search for the newest run.")
_ANNOTATIONS = flags.DEFINE_list("annotations", [], "Or annotation tables, one for each catalogue.")
_PREFIX = flags.DEFINE_list("prefix", [], "Prefixes of their tags, one for each catalogue: a:,b:")
_FEATURES = flags.DEFINE_list(
    "features",
    None,
    "Vectors by track of the annotated tracks: .npz, .npy, .parquet or .csv; several, such as one "
    "of each machine, count as one.",
)
_SHARE = flags.DEFINE_float(
    "share_without",
    None,
    "Share of the tags without counterpart; by default that of the halves that taught.",
    lower_bound=0,
    upper_bound=1,
)
_DECISIONS = flags.DEFINE_string(
    "decisions", None, "What people decided: a CSV file with the columns source,target,relation."
)
_LEAST_TRACKS = flags.DEFINE_integer(
    "least_tracks", 1, "Tracks that a tag of --annotations needs.", lower_bound=1
)
_OUT = flags.DEFINE_string("out", None, "Folder for the results.")
_CONFIG = program.config_flags(EvidenceConfig, {"": EvidenceConfig()})


Found = tuple[Observations | None, Common | None, pathlib.Path]


def _from_annotations() -> Found:
    """What the tables have, and the folder for the results."""
    for flag in (_RUN_DIR, _RUNS_DIR):
        if flag.present:
            raise InputError(f"--{flag.name} has no use beside --annotations; leave one out")
    catalogues = annotations.read_catalogues(_ANNOTATIONS.value, _PREFIX.value)
    features = read_all_features(_FEATURES.value, bar) if _FEATURES.value else None
    found = inputs.of_catalogues(catalogues, features, _LEAST_TRACKS.value)
    name = "+".join(pathlib.Path(path).stem for path in _ANNOTATIONS.value)
    return *found, pathlib.Path("results", name, "evidence")


def _from_run() -> Found:
    """What a run has, and the folder for the results."""
    for flag in (_PREFIX, _FEATURES, _LEAST_TRACKS):
        if flag.present:
            raise InputError(f"--{flag.name} needs --annotations")
    run = runs.load_run(
        _RUN_DIR.value
        or runs.find(
            _RUNS_DIR.value,
            ("translation", "taxonomy", "deduplication"),
            "python -m launch.train --dataset=synthetic_split/translation --preset=small",
        )
    )
    return *inputs.of_run(run), run.path / "evidence"


def main() -> None:
    """Flags to evidence on disk."""
    given_out = program.writable(pathlib.Path(_OUT.value)) if _OUT.value else None
    config = replaced(EvidenceConfig(), program.given(_CONFIG))
    observed, common, out = _from_annotations() if _ANNOTATIONS.value else _from_run()
    out = given_out or program.writable(out)
    decisions: tuple[Decided, ...] = ()
    if _DECISIONS.value and (given := observed or common):
        decisions = read_decisions(_DECISIONS.value, given.vocabulary)
    found = weigh(observed, common, config, _SHARE.value, bar, decisions)
    for line in summary.lines(found):
        print(line)
    for path in summary.write_evidence(out, found):
        print(f"written: {path}")


if __name__ == "__main__":
    program.run(main)
