"""What an accelerator machine needs: jax, flax, optax, numpy and what these bring along."""

import importlib.metadata
import os
import pathlib
import re
import subprocess
import sys

import tagjax

MODULES = (
    "base.errors,vocabulary.tags,vocabulary.taxonomy,network.augment,network.model,network.step,"
    "examples.loader,run.devices,similarity.embeddings,similarity.tables,tasks.metrics,"
    "tasks.deduplication,tasks.taxonomy,tasks.translation"
)

SCRIPT = """
import sys

absent = set(sys.argv[1].split(","))

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ImportError(f"{name} is not there", name=name)

sys.meta_path.insert(0, Blocker())

import importlib
for module in sys.argv[2].split(","):
    importlib.import_module(f"tagjax.{module}")

import jax
import numpy as np
from tagjax.network import model, step
from tagjax.similarity import embeddings

config = step.StepConfig(model.ModelConfig(filters=(2,), pools=((3, 4),), gru_units=2))
batch = {
    "mel": np.zeros((2, 6, 8), np.float16),
    "label": np.zeros(2, np.int32),
    "weight": np.ones(2, np.float32),
    "position": np.arange(2, dtype=np.int32),
}

def a_step(batch):
    state = step.initial_state(config, 3, (6, 8))
    return step.train_step(state, batch, config)[1]["loss"]

assert jax.eval_shape(a_step, batch).shape == ()
assert embeddings.cosine(embeddings.fc(np.eye(3))).shape == (3, 3)
print("fine")
"""


def not_brought_along(roots):
    """Top-level modules of what is installed but some distributions and all that they require."""
    names, todo = set(), list(roots)
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in names:
            continue
        names.add(name)
        try:
            required = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        todo += [re.match(r"[\w.-]+", line)[0] for line in required if "extra ==" not in line]
    return {
        module
        for module, distributions in importlib.metadata.packages_distributions().items()
        if not names & {re.sub(r"[-_.]+", "-", each).lower() for each in distributions}
    }


def test_the_core_runs_with_jax_flax_optax_and_numpy_alone():
    root = pathlib.Path(tagjax.__file__).parents[1]
    absent = not_brought_along(["jax", "jaxlib", "flax", "optax", "numpy"])
    absent -= {"tagjax", "launch", "datasets"}
    assert {"tensorflow_datasets", "librosa", "sklearn", "matplotlib", "soundfile"} <= absent
    assert not {"jax", "flax", "optax", "numpy"} & absent
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, ",".join(absent), MODULES],
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip() == "fine", done.stderr


def test_the_library_imports_neither_programs_nor_builders():
    folder = pathlib.Path(tagjax.__file__).parent
    for path in folder.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) (launch|datasets)\b", text, re.M), path
        assert not re.search(r"^\s*(from|import) absl\b", text, re.M), path
