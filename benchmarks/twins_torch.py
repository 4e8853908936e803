"""Table 1 in PyTorch: a twin of `tagjax.network.model` for comparing speed.

It uses PyTorch's GRU, which resets after the product and has a second bias. The GRU is 1 % of the
arithmetic.
"""

import functools
import time
from typing import Any

import numpy as np
import torch

FILTERS = (64, 128, 256, 512)
POOLS = ((2, 2), (3, 4), (2, 3), (3, 4))


class Network(torch.nn.Module):
    """[batch, frames, 96] -> logits [batch, num_tags]."""

    def __init__(self, num_tags: int) -> None:
        super().__init__()
        blocks, channels = [], 1
        for filters, pool in zip(FILTERS, POOLS, strict=True):
            blocks += [
                torch.nn.Conv2d(channels, filters, 3, padding=1),
                torch.nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01),
                torch.nn.ReLU(inplace=True),
                torch.nn.MaxPool2d(pool),
            ]
            channels = filters
        self.blocks = torch.nn.Sequential(*blocks)
        self.gru = torch.nn.GRU(512, 512, batch_first=True)
        self.tags = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(512, num_tags))

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Logits."""
        x = self.blocks(mel[:, None])
        x = x.permute(0, 2, 3, 1).flatten(2)
        return self.tags(self.gru(x)[0][:, -1])


class Twin:
    """Training and prediction as one would write them with PyTorch."""

    def __init__(self, num_tags: int, channels_last: bool) -> None:
        """`channels_last` says whether the memory format is channels_last; else it is NCHW."""
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        memory = torch.channels_last if channels_last else torch.contiguous_format
        self._model = Network(num_tags).to(self._device, memory_format=memory)
        self._optimiser = torch.optim.Adadelta(self._model.parameters(), 1.0, 0.95, 1e-7)

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device)

    def train(self, mel: np.ndarray, label: np.ndarray) -> float:
        """Does one step and returns its loss."""
        self._model.train()
        self._optimiser.zero_grad()
        labels = self._tensor(label.astype(np.int64))
        loss = torch.nn.functional.cross_entropy(self._model(self._tensor(mel)), labels)
        loss.backward()
        self._optimiser.step()
        return loss.item()

    def predict(self, mel: np.ndarray) -> np.ndarray:
        """Probabilities [batch, num_tags]."""
        self._model.eval()
        with torch.inference_mode():
            return self._model(self._tensor(mel)).softmax(dim=-1).cpu().numpy()


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
        model = Network(setting.tags).to(self._device, memory_format=torch.channels_last)
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
