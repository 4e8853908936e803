"""Floating-point operations of Table 1, counted by hand."""

from tagjax.network.model import ModelConfig


def forward(model: ModelConfig, frames: int, bands: int, tags: int) -> dict[str, int]:
    """Operations of an example by layer; a multiply-add is two. Full convolutions only."""
    counts, channels = {}, 1
    for i, (filters, pool) in enumerate(zip(model.filters, model.pools, strict=True), start=1):
        counts[f"conv{i}"] = 2 * 9 * channels * filters * frames * bands
        frames, bands, channels = frames // pool[0], bands // pool[1], filters
    inputs = bands * channels
    counts["gru"] = 2 * frames * 3 * model.gru_units * (inputs + model.gru_units)
    counts["tags"] = 2 * model.gru_units * tags
    return counts


def training(model: ModelConfig, frames: int, bands: int, tags: int) -> int:
    """Forward, the gradients of weights and of inputs; the first layer needs none of its input."""
    counts = forward(model, frames, bands, tags)
    return 3 * sum(counts.values()) - counts["conv1"]
