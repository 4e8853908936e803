"""Shared fixtures."""

import os
import pathlib

import pytest


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The project's shared material (paper data, corpus); skips where there is none."""
    default = pathlib.Path(__file__).resolve().parents[2] / "shared"
    path = pathlib.Path(os.environ.get("TAGJAX_SHARED", default))
    if not path.is_dir():
        pytest.skip("no shared folder beside the checkout (set TAGJAX_SHARED)")
    return path
