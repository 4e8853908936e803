import pathlib

import pytest


@pytest.fixture(scope="session")
def fixtures() -> pathlib.Path:
    """Invented catalogues in the sources' real forms."""
    return pathlib.Path(__file__).parent / "fixtures"
