"""Table 1 in PyTorch, the twin of `tagjax.network.model` for its speed.

Its GRU is PyTorch's, which resets after the product and has a second bias; of the arithmetic it
is 1 %.
"""

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
        """`channels_last`: the memory format, instead of NCHW."""
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        memory = torch.channels_last if channels_last else torch.contiguous_format
        self._model = Network(num_tags).to(self._device, memory_format=memory)
        self._optimiser = torch.optim.Adadelta(self._model.parameters(), 1.0, 0.95, 1e-7)

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device)

    def train(self, mel: np.ndarray, label: np.ndarray) -> float:
        """One step; its loss."""
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
