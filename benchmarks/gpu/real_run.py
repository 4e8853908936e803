"""Training at the paper's scale from the first step to early stopping, and the three tasks."""

import dataclasses
import functools
import itertools
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from benchmarks.gpu import resident, synthesis
from benchmarks.gpu.rows import Row
from benchmarks.gpu.speed import Setting
from tagjax import tasks
from tagjax.network import step
from tagjax.network.augment import AugmentConfig
from tagjax.similarity import embeddings
from tagjax.similarity.matrix import Similarity
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary

_POINTS = 10  # Of the loss curve an epoch.


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How long, and with what.

    Attributes:
      batch: examples of a step, over all devices.
      epochs: at most so many.
      patience: epochs without a better validation loss.
      budget: seconds after which no new epoch begins.
      epsilon: of Adadelta.
      augment: of tiled data, whose excerpts come several times; none where each is rendered.
    """

    batch: int = 256
    epochs: int = 100
    patience: int = 5
    budget: float = 400.0
    epsilon: float = 1e-6
    augment: AugmentConfig = AugmentConfig()


TILED = AugmentConfig(gain_db=6.0, mask_bands=8, mask_frames=40)


class _Model:
    """The mapped steps of a configuration over all devices."""

    def __init__(
        self, setting: Setting, precision: str, schedule: Schedule, pool: Any, labels: Any
    ) -> None:
        config = dataclasses.replace(
            setting.config(precision), epsilon=schedule.epsilon, augment=schedule.augment
        )
        self.devices = jax.devices()
        self.batch = schedule.batch - schedule.batch % len(self.devices)
        self._precision, self._pool, self._labels = precision, pool, labels
        self.state = resident.put(step.initial_state(config, setting.shape), self.devices)
        self._train = resident.train_step(config, self.devices)
        self._eval = resident.eval_step(config, self.devices)
        self._predict = resident.predict_step(config, self.devices)

    def _mapped(self, run: Callable, state: Any, indices: np.ndarray) -> Any:
        with resident.products(self._precision):
            return run(state, self._pool, self._labels, resident.shards(indices, self.devices))

    def train(self, indices: np.ndarray) -> jax.Array:
        """One step; its mean loss, not waited for."""
        self.state, sums = self._mapped(self._train, self.state, indices)
        return sums["loss"] / sums["examples"]

    def _batches(self, rows: np.ndarray) -> Any:
        for first in range(0, len(rows), self.batch):
            chosen = rows[first : first + self.batch]
            yield np.pad(chosen, (0, self.batch - len(chosen)), constant_values=-1)

    def evaluate(self, rows: np.ndarray) -> dict[str, float]:
        """Mean loss and accuracy."""
        sums = [self._mapped(self._eval, self.state, each) for each in self._batches(rows)]
        total = {name: sum(float(one[name]) for one in sums) for name in sums[0]}
        return {name: total[name] / total["examples"] for name in ("loss", "correct")}

    def predict(self, state: Any, rows: np.ndarray) -> np.ndarray:
        """float32 [rows, tags]."""
        found = [
            np.asarray(self._mapped(self._predict, state, each)) for each in self._batches(rows)
        ]
        return np.concatenate([each.reshape(self.batch, -1) for each in found])[: len(rows)]


def _trained(model: _Model, rows: dict[str, np.ndarray], schedule: Schedule) -> dict[str, Any]:
    """Trains to early stopping; leaves the best state in the model."""
    learnt, batch = rows["train"], model.batch
    steps = max(1, len(learnt) // batch)
    best, kept, curve, compiled = (math.inf, 0), jax.device_get(model.state), [], 0.0
    begin = time.perf_counter()
    for epoch in range(schedule.epochs):
        started, losses = time.perf_counter(), []
        order = np.random.default_rng([0, epoch]).permutation(learnt)
        for number in range(steps):
            losses.append(model.train(order[number * batch : (number + 1) * batch]))
            if epoch == number == 0:
                jax.block_until_ready(losses)
                compiled = time.perf_counter() - begin
                started = time.perf_counter()
        points = np.array_split(np.array(jax.device_get(losses), np.float64), _POINTS)
        seconds = time.perf_counter() - started
        seen = model.evaluate(rows["validation"])
        curve.append(
            {
                "epoch": epoch + 1,
                "train_loss": [float(point.mean()) for point in points if len(point)],
                "validation_loss": seen["loss"],
                "validation_accuracy": seen["correct"],
                "examples_per_second": steps * batch / seconds,
                "seconds": time.perf_counter() - begin,
            }
        )
        print(
            f"epoch {epoch + 1}: loss {curve[-1]['train_loss'][-1]:.3f}, validation "
            f"{seen['loss']:.3f}, accuracy {seen['correct']:.3f}, "
            f"{curve[-1]['examples_per_second']:.0f} examples/s",
            flush=True,
        )
        if not math.isfinite(seen["loss"]):
            raise RuntimeError(f"the validation loss of epoch {epoch + 1} is {seen['loss']}")
        if seen["loss"] < best[0]:
            best, kept = (seen["loss"], epoch + 1), jax.device_get(model.state)
        ended = epoch + 1 - best[1] >= schedule.patience
        if ended or time.perf_counter() - begin > schedule.budget:
            break
    model.state = resident.put(kept, model.devices)
    return {
        "seconds": time.perf_counter() - begin,
        "compile_seconds": compiled,
        "ended": "early stopping" if ended else "budget or epochs",
        "best_epoch": best[1],
        "best_loss": best[0],
        "curve": curve,
    }


def measured(
    tags: tuple[str, ...], kernel: np.ndarray, probabilities: np.ndarray, occurrences: np.ndarray
) -> dict[str, Any]:
    """{task: {embedding: {metric: {mean, ci95, n}}}} of predictions."""
    vectors = {
        "fw": embeddings.fw(kernel),
        "fc": embeddings.fc(probabilities),
        "fm": embeddings.fm(probabilities, occurrences),
        "fdist": embeddings.fdist(occurrences),
    }
    cosines = {name: embeddings.cosine(each) for name, each in vectors.items()}
    truth = Truth(synthesis.taxonomy(), synthesis.translation())
    found = {}
    for task in tasks.TASKS:
        vocabulary = Vocabulary.of(tags, ("a:", "b:"), halves=task == "deduplication")
        similar = {name: Similarity(vocabulary, each) for name, each in cosines.items()}
        results = tasks.evaluate(task, similar, truth).results
        found[task] = {
            name: {key: dict(value) for key, value in one.metrics.items()}
            for name, one in results.items()
        }
    return found


def run(
    setting: Setting, precision: str, schedule: Schedule, plan: synthesis.Plan, data: Any, row: Any
) -> dict[str, Any]:
    """One run: how long, its curve, and its metrics; `data` and `row` from `synthesis.load`."""
    pool, labels = resident.put((data, _labels(plan, row, len(data))), jax.devices())
    model = _Model(setting, precision, schedule, pool, labels)
    places = {
        name: row[(plan.part == number) & (row >= 0)]
        for number, name in enumerate(("train", "validation", "test"))
    }
    found = _trained(model, places, schedule)
    kernel = np.asarray(model.state.params["tags"]["kernel"])
    probabilities = model.predict(model.state, places["test"])
    tested = plan.occurrences[(plan.part == 2) & (row >= 0)]
    begin = time.perf_counter()
    metrics = measured(plan.tags, kernel, probabilities, tested)
    return {
        **found,
        "examples": {name: len(each) for name, each in places.items()},
        "rendered": len(data),
        "schedule": dataclasses.asdict(schedule),
        "test": model.evaluate(places["test"]),
        "tasks_seconds": time.perf_counter() - begin,
        "metrics": metrics,
    }


def _labels(plan: synthesis.Plan, row: np.ndarray, rows: int) -> np.ndarray:
    """int32 [rows]: a rendered excerpt keeps its label; tiles have the same."""
    labels = np.zeros(rows, np.int32)
    shown = row >= 0
    labels[row[shown]] = plan.label[shown]
    return labels


def rows_of(precision: str, found: Mapping[str, Any]) -> list[Row]:
    """Rows of a run."""
    make = functools.partial(Row, f"train {precision}", precision=precision)
    batch, curve = found["schedule"]["batch"], found["curve"]
    note = f"{len(curve)} epochs, best {found['best_epoch']}, ended by {found['ended']}"
    rates = sorted(epoch["examples_per_second"] for epoch in curve)
    shown = found["examples"]["train"]
    test = found["test"]
    rows = [
        make(what="wall", batch=batch, value=found["seconds"], unit="s", note=note),
        make(
            what="epochs",
            batch=batch,
            value=rates[len(rates) // 2],
            unit="examples/s",
            note=f"{shown} examples of {found['rendered']} rendered",
        ),
        make(what="test accuracy", batch=0, value=100 * test["correct"], unit="%"),
    ]
    for task, name in itertools.product(found["metrics"], ("fw", "fc", "fm")):
        for key in ("hr@1", "map"):
            value = found["metrics"][task][name][key]
            if value["mean"] is not None:
                told = f"± {100 * value['ci95']:.1f}, n {value['n']}"
                what = f"{task}, {name}, {key}"
                rows.append(
                    make(what=what, batch=0, value=100 * value["mean"], unit="%", note=told)
                )
    return rows


def agreement(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Whether two runs' metrics agree: of each pair one interval holds the other's mean."""
    apart, compared = [], 0
    for task, several in one["metrics"].items():
        for name in ("fw", "fc", "fm"):
            for key, first in several[name].items():
                second = other["metrics"][task][name][key]
                if first["mean"] is None or second["mean"] is None:
                    continue
                compared += 1
                if abs(first["mean"] - second["mean"]) > max(first["ci95"], second["ci95"]):
                    apart.append([task, name, key, first, second])
    return {"compared": compared, "apart": apart}
