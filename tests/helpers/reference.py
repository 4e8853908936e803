"""The network, its loss and its optimiser in NumPy and float64, written from the paper.

Table 1 is from Hennequin et al. (2018), batch normalisation from Ioffe and Szegedy (2015), the
gated recurrent unit from Cho et al. (2014), and Adadelta from Algorithm 1 of Zeiler (2012).
"""

import numpy as np


def convolve(x, kernel, bias):
    """Convolves [b, t, f, c], padded by zeros, with a kernel [3, 3, c, k]."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.einsum("btfcij,ijck->btfk", windows, kernel, optimize=True) + bias


def pool(x, window):
    """Maxima of windows without overlap; a remainder at the end is dropped."""
    b, t, f, c = x.shape
    t, f = t // window[0], f // window[1]
    x = x[:, : t * window[0], : f * window[1]]
    return x.reshape(b, t, window[0], f, window[1], c).max(axis=(2, 4))


def recur(x, params):
    """Last state of the recurrent unit for [b, time, features]; the order of gates is z, r, n."""
    units = len(params["recurrent_kernel"])
    state = np.zeros((len(x), units))
    kernel, recurrent, bias = (params[n] for n in ("kernel", "recurrent_kernel", "bias"))
    kernels, recurrents, biases = (
        np.split(array, 3, axis=-1) for array in (kernel, recurrent, bias)
    )
    for t in range(x.shape[1]):
        inputs = [x[:, t] @ k + b for k, b in zip(kernels, biases, strict=True)]
        z, r = (np.clip(0.2 * (inputs[i] + state @ recurrents[i]) + 0.5, 0, 1) for i in range(2))
        new = np.tanh(inputs[2] + (r * state) @ recurrents[2])
        state = z * state + (1 - z) * new
    return state


def logits(params, mel, pools, batch_stats=None, epsilon=1e-3):
    """(logits [b, tags], {layer: (mean, variance) of the batch}).

    Normalises by `batch_stats`; without them by the batch, as in training.
    """
    x, seen = np.asarray(mel, np.float64)[..., None], {}
    for i, window in enumerate(pools, 1):
        x = convolve(x, params[f"conv{i}"]["kernel"], params[f"conv{i}"]["bias"])
        seen[f"norm{i}"] = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
        mean, variance = seen[f"norm{i}"]
        if batch_stats:
            mean, variance = (batch_stats[f"norm{i}"][name] for name in ("mean", "var"))
        scale, bias = params[f"norm{i}"]["scale"], params[f"norm{i}"]["bias"]
        x = pool(np.maximum((x - mean) / np.sqrt(variance + epsilon) * scale + bias, 0), window)
    hidden = recur(x.reshape(*x.shape[:2], -1), params["gru"])
    return hidden @ params["tags"]["kernel"] + params["tags"]["bias"], seen


def probabilities(scores):
    """Softmax of each row."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def cross_entropy(scores, labels, smoothing):
    """Mean categorical cross-entropy; `smoothing` of the target is spread over all tags."""
    target = (1 - smoothing) * np.eye(scores.shape[1])[labels] + smoothing / scores.shape[1]
    return -(target * np.log(probabilities(scores))).sum(axis=1).mean()


class Adadelta:
    """The optimiser of one array."""

    def __init__(self, rho, epsilon):
        self.rho, self.epsilon, self.squares, self.moves = rho, epsilon, 0.0, 0.0

    def move(self, gradient):
        gradient = np.asarray(gradient, np.float64)
        self.squares = self.rho * self.squares + (1 - self.rho) * gradient**2
        sizes = np.sqrt(self.moves + self.epsilon) / np.sqrt(self.squares + self.epsilon)
        move = -sizes * gradient
        self.moves = self.rho * self.moves + (1 - self.rho) * move**2
        return move
