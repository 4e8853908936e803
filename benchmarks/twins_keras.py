"""Table 1 in Keras 3, from the paper: a twin of `tagjax.network.model` with equal results."""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

FILTERS = (64, 128, 256, 512)
POOLS = ((2, 2), (3, 4), (2, 3), (3, 4))


def hard_sigmoid(x):
    """The hard sigmoid of Keras 1 and 2; that of Keras 3 has slope 1/6."""
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def build(num_tags: int, frames: int = 646, dropout: float = 0.5) -> keras.Model:
    """The network: [batch, frames, 96] -> probabilities [batch, num_tags]."""
    layers = keras.layers
    mel = x = keras.Input((frames, 96))
    x = layers.Reshape((frames, 96, 1))(x)
    for i, (filters, pool) in enumerate(zip(FILTERS, POOLS, strict=True)):
        x = layers.Conv2D(filters, 3, padding="same", name=f"conv{i + 1}")(x)
        x = layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"norm{i + 1}")(x)
        x = layers.Activation("relu")(x)
        x = layers.MaxPooling2D(pool)(x)
    x = layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x)
    x = layers.GRU(512, recurrent_activation=hard_sigmoid, reset_after=False, name="gru")(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(mel, layers.Dense(num_tags, activation="softmax", name="tags")(x))


def compile_twin(twin: keras.Model, compiled: bool) -> None:
    """Gives the twin its loss and the paper's optimiser, and compiles it by XLA or as a graph."""
    twin.compile(
        keras.optimizers.Adadelta(1.0, rho=0.95, epsilon=1e-7),
        "sparse_categorical_crossentropy",
        jit_compile=compiled,
    )


_ARRAYS = {
    **{f"conv{i}": ("kernel", "bias") for i in range(1, len(FILTERS) + 1)},
    **{f"norm{i}": ("scale", "bias", "mean", "var") for i in range(1, len(FILTERS) + 1)},
    "gru": ("kernel", "recurrent_kernel", "bias"),
    "tags": ("kernel", "bias"),
}
"""{layer: names of its arrays in a `TagClassifier`, in Keras' order}."""


def set_weights(twin: keras.Model, params: dict, batch_stats: dict) -> None:
    """Copies the variables of a `TagClassifier` to the twin."""
    for layer, names in _ARRAYS.items():
        both = {**params[layer], **batch_stats.get(layer, {})}
        twin.get_layer(layer).set_weights([both[name] for name in names])


def get_weights(twin: keras.Model) -> tuple[dict, dict]:
    """The inverse of `set_weights`; returns (params, batch_stats)."""
    params: dict = {}
    batch_stats: dict = {}
    for layer, names in _ARRAYS.items():
        for name, array in zip(names, twin.get_layer(layer).get_weights(), strict=True):
            kind = batch_stats if name in ("mean", "var") else params
            kind.setdefault(layer, {})[name] = array
    return params, batch_stats


class Twin:
    """Training and prediction as one would write them with Keras."""

    def __init__(self, num_tags: int, frames: int, compiled: bool) -> None:
        """`compiled` says whether XLA compiles the model; else it runs as a TensorFlow graph."""
        self._model = build(num_tags, frames)
        compile_twin(self._model, compiled)

    def train(self, mel: np.ndarray, label: np.ndarray) -> float:
        """Does one step and returns its loss."""
        return float(self._model.train_on_batch(mel, label))

    def predict(self, mel: np.ndarray) -> np.ndarray:
        """Probabilities [batch, num_tags]."""
        return self._model.predict_on_batch(mel)
