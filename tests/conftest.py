"""Shared fixtures."""

import os
import pathlib

import pytest

# Before JAX is imported: four devices on the CPU, so that what is spread over devices is tested
# so; and quick compilation, which is most of the time of tests this small.
os.environ["XLA_FLAGS"] = " ".join(
    [
        os.environ.get("XLA_FLAGS", ""),
        "--xla_force_host_platform_device_count=4",
        "--xla_backend_optimization_level=0",
        "--xla_llvm_disable_expensive_passes=true",
    ]
).strip()


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The project's shared material (paper data, corpus); skips where there is none."""
    default = pathlib.Path(__file__).resolve().parents[2] / "shared"
    path = pathlib.Path(os.environ.get("TAGJAX_SHARED", default))
    if not path.is_dir():
        pytest.skip("no shared folder beside the checkout (set TAGJAX_SHARED)")
    return path
