"""tagjax: understand and reconcile music genre tags by listening.

A JAX implementation and extension of Hennequin, Royo-Letelier and Moussallam, "Audio based
disambiguation of music genre tags", ISMIR 2018. The programs of `launch` are thin over what stands
here:

    run = tagjax.load_run("runs/catalogue_split/mine")
    run.predict("song.mp3")                     # tags and probabilities, highest first
    sim = run.similarity("fc")                  # or tagjax.read_similarity("fc_tag_similarity.csv")
    sim.nearest("bebop", 5); sim.to_frame(); tagjax.plot_map(sim)
    tagjax.tasks.translate(sim, truth).to_frame()
    tagjax.Similarity.from_predictions(probabilities, tags)

and from annotations to a run:

    catalogue = tagjax.Catalogue.from_frame(frame)
    manifest = tagjax.make_manifest([catalogue], tracks)
    dataset = tagjax.build(manifest, "music", "data/tfds", "catalogue_split/mine")
    tagjax.train(tagjax.PRESETS["small"], dataset, "runs/mine", on_progress=print)

Each name is imported when it is first used, so `import tagjax` is quick.
"""

import importlib
from typing import Any

from tagjax.base.version import VERSION

__version__ = VERSION

_PLACES = {
    "Catalogue": "catalogue.annotations",
    "InputError": "base.errors",
    "Manifest": "manifest.lists",
    "PRESETS": "run.config",
    "Relation": "vocabulary.translation",
    "Run": "similarity.run",
    "SamplingConfig": "manifest.sampling",
    "Similarity": "similarity.matrix",
    "Taxonomy": "vocabulary.taxonomy",
    "Tracks": "catalogue.annotations",
    "TrainConfig": "run.config",
    "Truth": "vocabulary.truth",
    "Vocabulary": "vocabulary.vocabulary",
    "build": "examples.build",
    "evidence": "",
    "find_dataset": "examples.dataset:find",
    "load_run": "similarity.run",
    "make_manifest": "manifest.sampling",
    "plot_heat_map": "report.figures",
    "plot_map": "report.figures",
    "read_catalogue": "catalogue.annotations",
    "read_duplicates": "vocabulary.duplicates",
    "read_manifest": "manifest.lists",
    "read_similarities": "similarity.tables",
    "read_similarity": "similarity.tables",
    "read_taxonomy": "vocabulary.taxonomy",
    "read_tracks": "catalogue.annotations",
    "read_translation": "vocabulary.translation",
    "read_truth": "vocabulary.truth",
    "tasks": "",
    "train": "run.training:train_run",
    "write_manifest": "manifest.lists",
    "write_similarity": "similarity.tables",
}
"""{name: module below `tagjax`, and after a colon the name there if it differs}."""
__all__ = ["__version__", *_PLACES]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'tagjax' has no attribute {name!r}")
    module, _, there = _PLACES[name].partition(":")
    if not module:
        return importlib.import_module(f"tagjax.{name}")
    return getattr(importlib.import_module(f"tagjax.{module}"), there or name)


def __dir__() -> list[str]:
    return sorted(__all__)
