"""Trials that try to lose something: short as part of `make test`, long by `make faults`."""

import os
import pathlib

import pytest

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="session")
def trials():
    """trials(short, long): the number of them in the form that runs."""
    thorough = os.environ.get("TAGJAX_FAULTS") == "long"
    return lambda short, long: long if thorough else short


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)
