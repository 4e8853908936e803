"""What imports what: the order of the rooms, and what an accelerator machine needs."""

import ast
import importlib.metadata
import os
import pathlib
import re
import subprocess
import sys

import pytest
import structure

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


ROOT = pathlib.Path(__file__).resolve().parents[2]


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
    absent = not_brought_along(["jax", "jaxlib", "flax", "optax", "numpy"])
    absent -= {"tagjax", "launch", "datasets"}
    assert {"tensorflow_datasets", "librosa", "sklearn", "matplotlib", "soundfile"} <= absent
    assert not {"jax", "flax", "optax", "numpy"} & absent
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, ",".join(absent), MODULES],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip() == "fine", done.stderr


ROOMS = (
    *("base", "vocabulary", "catalogue", "manifest", "examples", "network", "run", "similarity"),
    *("evidence", "tasks", "reconcile", "report", "review", "synthetic", "previews"),
)
"""The rooms in the order of the walk: each imports itself and those before it."""

OUTSIDE = {"synthetic", "previews"}
"""Rooms that nothing in the core imports."""


def room_of(module):
    """The room of a module; "" for the package itself, the API over all rooms."""
    return module.split(".")[1] if "." in module else ""


def wrong_ways(root):
    """Imports (module, imported) that go up the walk or, in a room, round in a circle."""
    trees = structure.modules(root, "tagjax")
    edges = {
        (name, other)
        for name, tree in trees.items()
        for other in structure.imported(name, tree, trees)
        if other in trees and room_of(name)
    }
    up = {
        (name, other)
        for name, other in edges
        if not room_of(other)
        or ROOMS.index(room_of(other)) > ROOMS.index(room_of(name))
        or (room_of(other) in OUTSIDE and room_of(other) != room_of(name))
    }
    return up | structure.within_cycles({e for e in edges if room_of(e[0]) == room_of(e[1])})


def test_no_room_imports_one_further_along_the_walk_and_no_modules_each_other():
    assert wrong_ways(ROOT) == set()


def test_every_folder_is_a_room_of_the_walk():
    folders = {path.parent.name for path in (ROOT / "tagjax").glob("*/__init__.py")}
    assert folders <= {*ROOMS}


def test_what_goes_the_wrong_way_is_found_however_it_is_written(tmp_path):
    code = {
        "__init__": "from tagjax.run import directory",
        "base/files": "def lazily():\n    from tagjax.run import directory",
        "base/errors": "import tagjax.base.files\nfrom tagjax import __version__",
        "run/directory": "if TYPE_CHECKING:\n    from tagjax.run.training import train",
        "run/training": "from tagjax.base import files\nfrom tagjax.run.training_steps import x",
        "run/training_steps": "import json, tagjax.run.directory as d",
        "previews/ledger": "from tagjax.synthetic.styles import STYLES",
        "synthetic/styles": "from tagjax.base.files import read_json",
    }
    for name, text in code.items():
        path = tmp_path / "tagjax" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text)
    assert wrong_ways(tmp_path) == {
        ("tagjax.base.errors", "tagjax"),
        ("tagjax.base.files", "tagjax.run.directory"),
        ("tagjax.previews.ledger", "tagjax.synthetic.styles"),
        ("tagjax.run.directory", "tagjax.run.training"),
        ("tagjax.run.training", "tagjax.run.training_steps"),
        ("tagjax.run.training_steps", "tagjax.run.directory"),
    }


def roots(trees, room=""):
    """The packages that the modules of a room (or all) import, standard library left out."""
    names = {
        other.partition(".")[0]
        for name, tree in trees.items()
        if not room or room_of(name) == room
        for other in structure.imported(name, tree, trees)
    }
    return names - sys.stdlib_module_names


def test_the_network_needs_jax_flax_optax_and_numpy_alone():
    trees = structure.modules(ROOT, "tagjax")
    assert roots(trees, "network") <= {"tagjax", "jax", "flax", "optax", "numpy"}
    tagjax_modules = {
        other
        for name, tree in trees.items()
        if room_of(name) == "network"
        for other in structure.imported(name, tree, trees)
        if other in trees
    }
    assert {room_of(other) for other in tagjax_modules} <= {"base", "network"}


def test_the_library_imports_neither_programs_nor_builders():
    assert not roots(structure.modules(ROOT, "tagjax")) & {"launch", "datasets", "absl"}


def test_pmap_and_processes_are_spelled_in_one_module():
    """A later move to jit and shard_map shall change one file."""
    wrappers = re.compile(r"jax\.(pmap|distributed|experimental\.multihost_utils)\b")
    users = [
        name
        for package in ("tagjax", "launch", "datasets")
        for name, tree in structure.modules(ROOT, package).items()
        if any(map(wrappers.match, structure.dotted(tree)))
    ]
    assert users == ["tagjax.run.devices"]


UNPICKLERS = {
    *("pickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jsonpickle"),
    *("yaml", "torch", "tarfile"),
}
EVALUATING = {"eval", "exec", "compile", "__import__"}
UNPACKING = {"extractall", "unpack_archive"}


def unsafe(tree):
    """What in a module could run code out of a file, or unpack one to disk."""
    found = {other for other in structure.imported("", tree, {}) if other in UNPICKLERS}
    for called, words in structure.calls(tree):
        module, _, name = called.rpartition(".")
        if called in EVALUATING or name in UNPACKING:
            found.add(called)
        pickled = words.get("allow_pickle")
        unsaid = pickled is None and name == "load" and module != "json"
        if unsaid or (pickled is not None and getattr(pickled, "value", True) is not False):
            found.add(called)
    return found


def test_nothing_is_unpickled_evaluated_or_unpacked_to_disk():
    for package in ("tagjax", "launch", "datasets"):
        for name, tree in structure.modules(ROOT, package).items():
            assert not unsafe(tree), name


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("np.load(path)", {"np.load"}),
        ("np.load(path, allow_pickle=allowed)", {"np.load"}),
        ("np.save(path, x, allow_pickle=True)", {"np.save"}),
        ("def f():\n    import pickle", {"pickle"}),
        ("from torch import load\nload(path)", {"torch", "load"}),
        ("eval(text)", {"eval"}),
        ("archive.extractall()", {"archive.extractall"}),
        (
            "re.compile(x); step.compile(); json.load(file); np.load(path, allow_pickle=False)",
            set(),
        ),
    ],
)
def test_what_is_unsafe_is_found(code, found):
    assert unsafe(ast.parse(code)) == found
