"""Table 1 in PyTorch on data resident on the GPU, in a process of its own.

So neither framework sees the other's CUDA libraries, and a missing or failing PyTorch costs
its rows and nothing else. The processes take turns; the one that waits does nothing.
"""

import contextlib
import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

VARIANTS = ("eager", "compiled")


class _Twin:
    """One network, trained and predicting at one batch size."""

    def __init__(self, spec: dict[str, Any], pool: Any, labels: Any) -> None:
        import torch

        from benchmarks.twins_torch import Network

        self._torch, self._spec, self._pool, self._labels = torch, spec, pool, labels
        self._network = Network(spec["tags"]).to(pool.device, memory_format=torch.channels_last)
        self._optimiser = torch.optim.Adadelta(self._network.parameters(), 1.0, 0.95, 1e-7)
        self._called = self._network
        if spec["variant"] == "compiled":
            self._called = torch.compile(self._network, dynamic=False, mode=spec["mode"])
        self._indices = torch.from_numpy(spec["indices"]).to(pool.device)

    def _precise(self) -> Any:
        """Sets the precision of float32 products; gives the context of the forward pass."""
        torch, precision = self._torch, self._spec["precision"]
        torch.backends.cuda.matmul.allow_tf32 = precision != "float32"
        torch.backends.cudnn.allow_tf32 = precision != "float32"
        if precision != "bfloat16":
            return contextlib.nullcontext()
        return torch.autocast(self._pool.device.type, torch.bfloat16)

    def _mel(self, indices: Any) -> Any:
        return self._pool[indices].float()

    def _wait(self) -> None:
        if self._pool.is_cuda:
            self._torch.cuda.synchronize()

    def train(self, calls: int) -> float:
        """Seconds of so many steps."""
        self._network.train()
        context = self._precise()
        self._wait()
        begin = time.perf_counter()
        for call in range(calls):
            indices = self._indices[call % len(self._indices)]
            self._optimiser.zero_grad(set_to_none=True)
            with context:
                logits = self._called(self._mel(indices))
                loss = self._torch.nn.functional.cross_entropy(
                    logits.float(), self._labels[indices]
                )
            loss.backward()
            self._optimiser.step()
        self._wait()
        taken = time.perf_counter() - begin
        if not np.isfinite(loss.item()):
            raise RuntimeError(f"the twin's loss is {loss.item()}")
        return taken

    def predict(self, calls: int) -> float:
        """Seconds of so many batches."""
        self._network.eval()
        context = self._precise()
        self._wait()
        begin = time.perf_counter()
        with self._torch.inference_mode(), context:
            for call in range(calls):
                indices = self._indices[call % len(self._indices)]
                self._called(self._mel(indices)).float().softmax(dim=-1)
        self._wait()
        return time.perf_counter() - begin


def _serve(connection: Connection, share: float, examples: int, shape: tuple[int, int]) -> None:
    """Answers (name of a twin, what, argument) with ("ok", value) or ("error", text)."""
    try:
        import torch

        cuda = torch.cuda.is_available()
        torch.backends.cudnn.benchmark = True
        if cuda:
            torch.cuda.set_per_process_memory_fraction(share)
        device = torch.device("cuda" if cuda else "cpu")
        pool = (3 * torch.rand(examples, *shape)).half().to(device)
        labels = torch.randint(0, 250, (examples,)).to(device)
        name = torch.cuda.get_device_name() if cuda else "cpu"
        connection.send(("ok", f"torch {torch.__version__} on {name}"))
    except Exception as error:
        connection.send(("error", str(error)))
        return
    twins: dict[str, _Twin] = {}
    while (asked := connection.recv()) is not None:
        name, what, argument = asked
        try:
            value: Any = None
            if what == "make":
                twins[name] = _Twin(argument, pool, labels)
            elif what == "drop":
                twins.clear()
                torch.compiler.reset()
                if cuda:
                    torch.cuda.empty_cache()
            else:
                value = getattr(twins[name], what)(argument)
            connection.send(("ok", value))
        except Exception as error:  # Any of PyTorch's: out of memory, no compiler.
            twins.pop(name, None)
            if cuda:
                torch.cuda.empty_cache()
            text = str(error).strip() or type(error).__name__
            short = "out of memory" if "out of memory" in text else text.splitlines()[0][:100]
            connection.send(("error", short))


class Server:
    """The process of the twins."""

    def __init__(self, share: float, examples: int, shape: tuple[int, int]) -> None:
        """Starts it; `about` says what it is, or is None and `problem` says why.

        Args:
          share: of the card's memory that it may take.
          examples: of the random data on the device.
          shape: (frames, bands).
        """
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        arguments = (other, share, examples, shape)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        other.close()
        self.about: str | None = None
        self.problem = ""
        try:
            self.about = self._answer()
        except RuntimeError as error:
            self.problem = str(error)

    def _answer(self) -> Any:
        try:
            kind, value = self._connection.recv()
        except EOFError:
            raise RuntimeError("the twin's process died") from None
        if kind == "error":
            raise RuntimeError(value)
        return value

    def ask(self, name: str, what: str, argument: Any = None) -> Any:
        """Makes, times or drops a twin.

        Raises:
          RuntimeError: it could not; the text says why, in one line.
        """
        try:
            self._connection.send((name, what, argument))
        except OSError:
            raise RuntimeError("the twin's process died") from None
        return self._answer()

    def close(self) -> None:
        """Ends it."""
        with contextlib.suppress(OSError):
            self._connection.send(None)
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
