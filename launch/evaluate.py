"""A run, or a folder of similarities, to the paper's tasks: metrics, lists and figures.

    python -m launch.evaluate --task=translation

    python -m launch.evaluate --task=taxonomy --similarity_dir=release/taxonomy_learning

Without --run_dir or --similarity_dir it takes the newest run under runs/ that suits the task.
The truth is the run's own, unless a flag names another; taxonomy falls back to Discogs's, and
translation to tags of the same name. Results go into RUN_DIR/TASK; those of a folder FOLDER of
similarities into results/FOLDER, or results/FOLDER/TASK if the folder is not named as the task.
"""

import os
import pathlib

from absl import flags

from launch import program
from tagjax import tasks
from tagjax.base.errors import InputError
from tagjax.catalogue import annotations
from tagjax.similarity import embeddings
from tagjax.similarity import run as runs
from tagjax.tasks import evaluation

_TASK = flags.DEFINE_string("task", "taxonomy", f"One of {', '.join(tasks.TASKS)}.")
_RUN_DIR = flags.DEFINE_string("run_dir", None, "A finished run.")
_RUNS_DIR = flags.DEFINE_string("runs_dir", "runs", "Where the newest run is looked for.")
_SIMILARITY_DIR = flags.DEFINE_string(
    "similarity_dir", None, "Folder with {fw,fc,fm,fdist}_tag_similarity.csv, instead of a run."
)
_OUT = flags.DEFINE_string(
    "out", None, "Folder for the results; by default RUN_DIR/TASK, or results/FOLDER/TASK."
)
_TAXONOMY = flags.DEFINE_string("taxonomy", None, "Truth table style,genre.")
_TRANSLATION = flags.DEFINE_string("translation", None, "Truth table source,target,relation.")
_DUPLICATES = flags.DEFINE_string("duplicates", None, "Truth table tag,duplicate.")
_SYSTEMS = flags.DEFINE_list("systems", None, "Prefixes of the tag systems, such as a:,b:")
_ANNOTATIONS = flags.DEFINE_string(
    "annotations", None, "Table track_id,artist_id,album_id,tags with tags the run never saw: fm."
)
_PREFIX = flags.DEFINE_string("prefix", "", "Prefix of the tags of --annotations.")
_FDIST = flags.DEFINE_string(
    "fdist_of",
    None,
    "Tracks that fdist counts: all, or overlap (those in both catalogues); by default overlap "
    "for translation, all otherwise.",
)
_MAP = flags.DEFINE_list(
    "map", None, "Embeddings of Figure 1, side by side, such as fw,fc,fm; by default the first."
)
_EXPERIMENTS = {
    "taxonomy": ("taxonomy", "translation"),
    "deduplication": ("deduplication",),
    "translation": ("translation",),
}
_CONFIG = program.config_flags(tasks.Config, {"": tasks.Config()})


def _run() -> runs.Run:
    if _RUN_DIR.value:
        return runs.read(_RUN_DIR.value)
    experiments = _EXPERIMENTS[_TASK.value]
    command = f"python -m launch.train --dataset=synthetic_split/{experiments[0]} --preset=small"
    path = runs.find(_RUNS_DIR.value, experiments, command)
    print(f"run: {path}")
    return runs.read(path)


def main() -> None:
    """Flags to one task."""
    task = _TASK.value
    if task not in tasks.TASKS:
        raise InputError(f"unknown task {task!r}; one of {', '.join(tasks.TASKS)}")
    if _FDIST.value not in (None, "all", "overlap"):
        raise InputError(f"--fdist_of={_FDIST.value}: one of all, overlap")
    for only, flag in (("translation", _TRANSLATION), ("deduplication", _DUPLICATES)):
        if flag.value and task != only:
            raise InputError(f"--{flag.name} has no use in {task}; leave it out")
    mapped = tuple(dict.fromkeys(_MAP.value or ()))
    for name in mapped:
        if name not in embeddings.NAMES:
            raise InputError(f"--map={name}: unknown; choose from {', '.join(embeddings.NAMES)}")
    config = tasks.Config(**program.given(_CONFIG))
    if _SIMILARITY_DIR.value:
        for flag in (_RUN_DIR, _ANNOTATIONS, _FDIST):
            if flag.value:
                raise InputError(f"--{flag.name} has no use beside --similarity_dir; leave it out")
        source = evaluation.from_folder(_SIMILARITY_DIR.value)
        name = pathlib.Path(_SIMILARITY_DIR.value).resolve().name
        out = _OUT.value or ("results" / pathlib.Path(name) / ("" if name == task else task))
    else:
        run = _run()
        new = None
        if _ANNOTATIONS.value:
            new = annotations.read_catalogue(_ANNOTATIONS.value, _PREFIX.value)
        default = "overlap" if task == "translation" else "all"
        source = evaluation.from_run(run, _FDIST.value or default, new)
        out = _OUT.value or str(run.path / (f"{task}_new_tags" if new else task))
    truth = evaluation.Truth(
        taxonomy=_TAXONOMY.value, translation=_TRANSLATION.value, duplicates=_DUPLICATES.value
    )
    out = pathlib.Path(out)
    evaluation.evaluate(task, source, truth, out, _SYSTEMS.value, config, mapped=mapped)


if __name__ == "__main__":
    os.environ.setdefault("NO_GCE_CHECK", "true")
    program.run(main)
