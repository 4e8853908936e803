import shutil

import pytest
from reviewed import Review, write_reconciliation


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("review")
    write_reconciliation(root)
    return root


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written / "out", tmp_path / "out")


@pytest.fixture
def review(folder, written):
    found = Review(folder, written / "music")
    yield found
    found.session.close()


@pytest.fixture
def window(review):
    return review.window()


@pytest.fixture
def unheard(tmp_path):
    """A review of annotations alone."""
    write_reconciliation(tmp_path, features=False)
    found = Review(tmp_path / "out")
    yield found
    found.session.close()
