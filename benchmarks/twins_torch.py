"""Table 1 and the `catalogue` preset in PyTorch, from the paper and Keras' layers.

Twins of `tagjax.network.model` for comparing speed, with equal results.
"""

import dataclasses
import functools
import time
from typing import Any

import numpy as np
import torch


@dataclasses.dataclass(frozen=True)
class Shape:
    """A network and its training; the defaults are Table 1."""

    filters: tuple[int, ...] = (64, 128, 256, 512)
    pools: tuple[tuple[int, int], ...] = ((2, 2), (3, 4), (2, 3), (3, 4))
    units: int = 512
    momentum: float = 0.01
    dropout: float = 0.5
    epsilon: float = 1e-7
    smoothing: float = 0.0


SHAPES = {
    "paper": Shape(),
    "catalogue": Shape(
        (8, 32, 64, 128), ((2, 4), (3, 4), (2, 3), (3, 2)), 128, 0.1, 0.3, 1e-6, 0.1
    ),
}


class Recurrent(torch.nn.Module):
    """Keras' `GRU(reset_after=False)` with hard sigmoid gates; returns its last output alone."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.kernel = torch.nn.Parameter(torch.empty(inputs, 3 * units))
        self.recurrent_kernel = torch.nn.Parameter(torch.empty(units, 3 * units))
        self.bias = torch.nn.Parameter(torch.zeros(3 * units))
        torch.nn.init.xavier_uniform_(self.kernel)
        torch.nn.init.orthogonal_(self.recurrent_kernel)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, time, features] -> [batch, units]."""
        units = len(self.recurrent_kernel)
        of_gates, of_new = self.recurrent_kernel.split([2 * units, units], dim=1)
        projected = x @ self.kernel + self.bias
        state = projected.new_zeros(len(x), units)
        for inputs in projected.unbind(1):
            gates = inputs[:, : 2 * units] + state @ of_gates
            z, r = (0.2 * gates + 0.5).clamp(0, 1).chunk(2, dim=1)
            new = torch.tanh(inputs[:, 2 * units :] + (r * state) @ of_new)
            state = new + z * (state - new)
        return state


class Network(torch.nn.Module):
    """[batch, frames, 96] -> logits [batch, num_tags]."""

    def __init__(self, num_tags: int, shape: Shape = SHAPES["paper"]) -> None:
        super().__init__()
        blocks, channels, bands = [], 1, 96
        for filters, pool in zip(shape.filters, shape.pools, strict=True):
            blocks += [
                torch.nn.Conv2d(channels, filters, 3, padding=1),
                torch.nn.BatchNorm2d(filters, eps=1e-3, momentum=shape.momentum),
                torch.nn.ReLU(inplace=True),
                torch.nn.MaxPool2d(pool),
            ]
            channels, bands = filters, bands // pool[1]
        self.blocks = torch.nn.Sequential(*blocks)
        self.gru = Recurrent(bands * channels, shape.units)
        self.dropout = torch.nn.Dropout(shape.dropout)
        self.tags = torch.nn.Linear(shape.units, num_tags)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Logits."""
        x = self.blocks(mel[:, None])
        x = x.permute(0, 2, 3, 1).flatten(2)
        return self.tags(self.dropout(self.gru(x)))

    def set_weights(self, params: dict, batch_stats: dict) -> None:
        """Takes the variables of a `TagClassifier`."""
        values: dict[str, Any] = {
            "tags.weight": np.transpose(params["tags"]["kernel"]),
            "tags.bias": params["tags"]["bias"],
            **{f"gru.{name}": array for name, array in params["gru"].items()},
        }
        for i in range(len(self.blocks) // 4):
            conv, norm = params[f"conv{i + 1}"], params[f"norm{i + 1}"]
            values |= {
                f"blocks.{4 * i}.weight": np.transpose(conv["kernel"], (3, 2, 0, 1)),
                f"blocks.{4 * i}.bias": conv["bias"],
                f"blocks.{4 * i + 1}.weight": norm["scale"],
                f"blocks.{4 * i + 1}.bias": norm["bias"],
                f"blocks.{4 * i + 1}.running_mean": batch_stats[f"norm{i + 1}"]["mean"],
                f"blocks.{4 * i + 1}.running_var": batch_stats[f"norm{i + 1}"]["var"],
            }
        state = self.state_dict()
        for name, value in values.items():
            state[name].copy_(torch.from_numpy(np.array(value)))


class Twin:
    """Training and prediction as one would write them with PyTorch."""

    def __init__(self, num_tags: int, channels_last: bool, shape: Shape = SHAPES["paper"]) -> None:
        """`channels_last` says whether the memory format is channels_last; else it is NCHW."""
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        memory = torch.channels_last if channels_last else torch.contiguous_format
        self.network = Network(num_tags, shape).to(self._device, memory_format=memory)
        self._optimiser = torch.optim.Adadelta(self.network.parameters(), 1.0, 0.95, shape.epsilon)
        self._loss = torch.nn.CrossEntropyLoss(label_smoothing=shape.smoothing)

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device)

    def train(self, mel: np.ndarray, label: np.ndarray) -> float:
        """Does one step and returns its loss."""
        self.network.train()
        self._optimiser.zero_grad()
        labels = self._tensor(label.astype(np.int64))
        loss = self._loss(self.network(self._tensor(mel)), labels)
        loss.backward()
        self._optimiser.step()
        return loss.item()

    def predict(self, mel: np.ndarray) -> np.ndarray:
        """Probabilities [batch, num_tags]."""
        self.network.eval()
        with torch.inference_mode():
            return self.network(self._tensor(mel)).softmax(dim=-1).cpu().numpy()


class _Fused(torch.nn.GRU):
    """PyTorch's own GRU, which resets after the product; a loop would be slow on a GPU."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, time, features] -> [batch, units]."""
        return super().forward(x)[0][:, -1]


class Resident:
    """The twin on examples that are on the device, with or without `torch.compile`."""

    def __init__(self, setting: Any, batch: int, variant: str, precision: str) -> None:
        """Takes a `benchmarks.gpu.Setting`; `variant` is `eager` or `compiled`."""
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        if self._device == "cuda":
            torch.cuda.set_per_process_memory_fraction(0.4)
            torch.backends.cudnn.benchmark = True
        mel, label = (torch.from_numpy(array).to(self._device) for array in setting.data())
        self._mel, self._label, self._precision = mel, label.long(), precision
        self._places = torch.from_numpy(setting.indices(batch)).to(self._device)
        model = Network(setting.tags)
        model.gru = _Fused(512, 512, batch_first=True)
        model = model.to(self._device, memory_format=torch.channels_last)
        self._optimiser = torch.optim.Adadelta(model.parameters(), 1.0, 0.95, 1e-7)
        self._model = torch.compile(model, dynamic=False) if variant == "compiled" else model

    def run(self, kind: str, calls: int) -> float:
        """Seconds that this number of steps of `train` or `predict` takes."""
        torch.backends.cuda.matmul.allow_tf32 = self._precision != "float32"
        torch.backends.cudnn.allow_tf32 = self._precision != "float32"
        low = torch.autocast(self._device, torch.bfloat16, self._precision == "bfloat16")
        self._model.train(kind == "train")
        self._wait()
        begin, loss = time.perf_counter(), torch.zeros(())
        for call in range(calls):
            places = self._places[call % len(self._places)]
            with torch.set_grad_enabled(kind == "train"), low:
                logits = self._model(self._mel[places].float()).float()
            if kind == "train":
                self._optimiser.zero_grad()
                loss = torch.nn.functional.cross_entropy(logits, self._label[places])
                loss.backward()
                self._optimiser.step()
            else:
                logits.softmax(dim=-1)
        self._wait()
        taken = time.perf_counter() - begin
        if not torch.isfinite(loss):
            raise RuntimeError(f"the twin's loss is {loss.item()}")
        return taken

    def _wait(self) -> None:
        if self._device == "cuda":
            torch.cuda.synchronize()


resident = functools.lru_cache(6)(Resident)
"""Caches the twins, so that those that take turns are made once."""
