"""Evaluates a run, or a folder of similarities, on the paper's tasks: metrics, lists and figures.

    python -m launch.evaluate --task=translation

    python -m launch.evaluate --task=taxonomy --similarity_dir=release/taxonomy_learning

    python -m launch.evaluate --task=halves --run_dir=runs/catalogue_split/mine

Without --run_dir or --similarity_dir it takes the newest run under runs/ that fits the task. The
truth is that of the run, unless a flag names another. Without any truth, taxonomy uses Discogs's,
and translation uses tags of the same name; halves needs none. Results go into RUN_DIR/TASK. Those
of a folder FOLDER of similarities go into results/FOLDER, or into results/FOLDER/TASK if FOLDER is
not named TASK.
"""

import collections
import dataclasses
import functools
import os
import pathlib
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from absl import flags

from launch import program
from launch.bars import bar
from tagjax import tasks
from tagjax.base.errors import InputError
from tagjax.catalogue import annotations
from tagjax.report import text
from tagjax.similarity import embeddings, tables
from tagjax.similarity import run as runs
from tagjax.similarity.matrix import Similarity
from tagjax.tasks import halves, paper
from tagjax.vocabulary import duplicates, taxonomy, translation
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary

_TASKS = (*tasks.TASKS, tasks.HALVES)
_TASK = flags.DEFINE_string("task", "taxonomy", f"One of {', '.join(_TASKS)}.")
_RUN_DIR = flags.DEFINE_string("run_dir", None, "A finished run.")
_RUNS_DIR = flags.DEFINE_string("runs_dir", "runs", "Folder to search for the newest run.")
_SIMILARITY_DIR = flags.DEFINE_string(
    "similarity_dir",
    None,
    f"Folder with {{{','.join(embeddings.NAMES)}}}_tag_similarity.csv, instead of a run.",
)
_OUT = flags.DEFINE_string(
    "out", None, "Folder for the results; by default RUN_DIR/TASK, or results/FOLDER/TASK."
)
_TAXONOMY = flags.DEFINE_string("taxonomy", None, "Truth table style,genre.")
_TRANSLATION = flags.DEFINE_string("translation", None, "Truth table source,target,relation.")
_DUPLICATES = flags.DEFINE_string("duplicates", None, "Truth table tag,duplicate.")
_SYSTEMS = flags.DEFINE_list(
    "systems",
    None,
    "Prefixes of the tag systems, such as a:,b: (nothing: one system without prefix); by default "
    "as the run recorded them, or as the tags of --similarity_dir suggest.",
)
_ANNOTATIONS = flags.DEFINE_string(
    "annotations",
    None,
    "Table track_id,artist_id,album_id,tags with tags that the run never saw, for fm and fdist.",
)
_PREFIX = flags.DEFINE_string("prefix", "", "Prefix of the tags of --annotations.")
_FDIST = flags.DEFINE_string(
    "fdist_of",
    None,
    "Tracks that fdist counts: all, or overlap (those in both catalogues); by default overlap "
    "for translation, all otherwise.",
)
_MAP = flags.DEFINE_list(
    "map",
    None,
    f"Embeddings that Figure 1 shows side by side, from {','.join(embeddings.NAMES)}; by default "
    "the first.",
)
_PAPER = flags.DEFINE_bool(
    "paper",
    None,
    "Also show the figures printed in the paper; by default only for a folder with exactly the "
    "tags of the authors' release.",
)
_EXPERIMENTS = {
    "taxonomy": ("taxonomy", "translation"),
    "deduplication": ("deduplication",),
    "translation": ("translation",),
    tasks.HALVES: ("translation", "taxonomy", "deduplication"),
}
_TRAINED = program.config_flags(runs.TrainedConfig, {"": runs.TrainedConfig()})
_CONFIG = program.config_flags(tasks.TaskConfig, {"": tasks.TaskConfig()})


@dataclasses.dataclass(frozen=True)
class _Source:
    """The input of an evaluation.

    Attributes:
      path: path of the folder or run.
      similarities: {embedding: similarity}, all with the same tags.
      out: folder for the results.
      truth: truth that belongs to the similarities.
      embedding: function that gives an embedding to write; None if only similarities are known.
      printed: whether the similarities are the authors' release.
      background: what is known beside the similarities.
    """

    path: pathlib.Path
    similarities: Mapping[str, Similarity]
    out: pathlib.Path
    truth: Truth = Truth()
    embedding: Callable[[str], Any] | None = None
    printed: bool = False
    background: tasks.Background = tasks.Background()


def _folder(task: str) -> _Source:
    """The input from a folder with similarities in the form of the release."""
    if task == tasks.HALVES:
        raise InputError("halves: similarities do not name artists; give --run_dir instead")
    for flag in (_RUN_DIR, _ANNOTATIONS, _FDIST, *_TRAINED.values()):
        if flag.value is not None:
            raise InputError(f"--{flag.name} has no use beside --similarity_dir; leave it out")
    path = pathlib.Path(_SIMILARITY_DIR.value)
    similarities = tables.read_similarities(path, _SYSTEMS.value, bar)
    vocabulary = next(iter(similarities.values())).vocabulary
    name = path.resolve().name
    return _Source(
        path,
        similarities,
        pathlib.Path("results", name, "" if name == task else task),
        printed=paper.is_release(task, vocabulary.tags),
        background=tasks.Background(notes=() if _SYSTEMS.value is not None else _guess(vocabulary)),
    )


def _guess(vocabulary: Vocabulary) -> tuple[str, ...]:
    """Notes on what was guessed about tags whose file does not name their systems."""
    found = []
    if vocabulary.systems != ("",):
        counts = collections.Counter(vocabulary.system)
        systems = ", ".join(f"{s!r} ({counts[s]} tags)" for s in vocabulary.systems)
        found.append(
            "The files do not name their tag systems; taken from the tags: "
            f"{systems}; --systems= overrules."
        )
    if any(vocabulary.half):
        found.append("Every tag ends in _1 or _2, so they are taken for halves of a tag.")
    return tuple(found)


def _run(task: str) -> _Source:
    """The input from a run; with --annotations, its fm and fdist with their tags."""
    path = _RUN_DIR.value
    if not path:
        experiments = _EXPERIMENTS[task]
        command = f"python -m launch.train --dataset=synthetic_split/{experiments[0]}"
        path = runs.find(_RUNS_DIR.value, experiments, f"{command} --preset=small")
        print(f"run: {path}")
    run = runs.load_run(path, runs.TrainedConfig(**program.given(_TRAINED)))
    if _SYSTEMS.value is not None:
        run = dataclasses.replace(run, vocabulary=run.vocabulary.regrouped(_SYSTEMS.value))
    if _FDIST.value and not run.multi_label:
        raise InputError(f"--fdist_of has no use: {run.path} was trained only on labels")
    fdist_of = _FDIST.value or ("overlap" if task == "translation" else "all")
    if _ANNOTATIONS.value:
        new = annotations.read_catalogue(_ANNOTATIONS.value, _PREFIX.value)
        tags = dict(zip(new.track_id, new.tags, strict=True))
        found = run.with_new_tags(tags, new.prefix)
        background = tasks.Background.of(run.annotated(tags, new.prefix))
        out = run.path / f"{task}_new_tags"
        return _Source(run.path, found, out, run.truth, background=background)
    if task == tasks.HALVES:
        return _halves(run)
    return _Source(
        run.path,
        run.similarities(fdist_of),
        run.path / task,
        run.truth,
        functools.partial(run.embedding, fdist_of=fdist_of),
        background=tasks.Background.of(run),
    )


def _halves(run: runs.Run) -> _Source:
    """What can be split on finished predictions: fm, fr and the two-covariance score."""
    recovery, similarities = halves.with_score(run.observed, run.recovery)
    background = dataclasses.replace(tasks.Background.of(run), recovery=recovery)
    return _Source(run.path, similarities, run.path / "halves", run.truth, background=background)


def _given_truth(vocabulary: Vocabulary) -> Truth:
    """The tables of truth named by flags."""
    systems = vocabulary.systems
    return Truth(
        taxonomy.read_taxonomy(_TAXONOMY.value) if _TAXONOMY.value else None,
        translation.read_translation(_TRANSLATION.value, systems) if _TRANSLATION.value else None,
        duplicates.read_duplicates(_DUPLICATES.value, systems) if _DUPLICATES.value else (),
    )


def _check_flags(task: str) -> None:
    """Refuses flags that are wrong for any source."""
    if task not in _TASKS:
        raise InputError(f"unknown task {task!r}; one of {', '.join(_TASKS)}")
    if _FDIST.value not in (None, "all", "overlap"):
        raise InputError(f"--fdist_of={_FDIST.value}: one of all, overlap")
    for only, flag in (("translation", _TRANSLATION), ("deduplication", _DUPLICATES)):
        if flag.value and task != only:
            raise InputError(f"--{flag.name} has no use in {task}; leave it out")
    for name in _MAP.value or ():
        if name not in embeddings.NAMES:
            raise InputError(f"--map={name}: unknown; choose from {', '.join(embeddings.NAMES)}")


def main() -> None:
    """Runs the evaluation that the flags describe."""
    task = _TASK.value
    _check_flags(task)
    config = tasks.TaskConfig(**program.given(_CONFIG))
    source = _folder(task) if _SIMILARITY_DIR.value else _run(task)
    mapped = tuple(dict.fromkeys(_MAP.value or ()))
    for name in mapped:
        if name not in source.similarities:
            raise InputError(f"no {name!r} to map; there is {', '.join(source.similarities)}")
    vocabulary = next(iter(source.similarities.values())).vocabulary
    evaluation = tasks.evaluate(
        task,
        source.similarities,
        source.truth.replaced(_given_truth(vocabulary)),
        config,
        source.printed if _PAPER.value is None else _PAPER.value,
        source.background,
        bar,
    )
    named = {"taxonomy": _TAXONOMY, "translation": _TRANSLATION, "deduplication": _DUPLICATES}
    tasks.check_answered(evaluation, named[task].value if task in named else None)
    print(text.format_evaluation(evaluation), flush=True)
    # Imported here because it takes seconds, and the metrics can be printed before.
    from tagjax.report import results

    out = pathlib.Path(_OUT.value or source.out)
    written = results.write_evaluation(
        out, evaluation, source.path, source.embedding, mapped, progress=bar
    )
    for line in results.not_drawn(evaluation):
        print(line)
    for path in written:
        print(f"written: {path}")
    more = ", similarities, embeddings" if source.embedding else ""
    print(f"written: {out} (ranked lists, errors{more})")
    if source.background.recovery is not None:
        run_dir = shlex.quote(f"--run_dir={source.path}")
        print(f"next: python -m launch.evidence {run_dir}")


if __name__ == "__main__":
    os.environ.setdefault("NO_GCE_CHECK", "true")
    program.run(main)
