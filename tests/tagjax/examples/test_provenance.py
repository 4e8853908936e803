import pytest

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.base.tables import read_table
from tagjax.examples.provenance import COLUMNS, FILE, LOCAL, read_provenance, write_provenance


def test_whole_tracks_are_told_from_others(tmp_path):
    blank = (None,) * (len(COLUMNS) - 3)
    rows = [("1", "x/1.mp3", "deezer preview", *blank), ("2", "2.flac", LOCAL, *blank)]
    write_provenance(tmp_path, rows)
    assert read_provenance(tmp_path) == {"x/1.mp3": "deezer preview"}
    table = read_table(tmp_path / FILE, COLUMNS)
    assert table["sng_id"] == ["1", "2"]
    assert table["title"] == ["", ""]


def test_a_folder_without_the_table_holds_whole_tracks(tmp_path):
    assert read_provenance(tmp_path) == {}


def test_a_table_of_another_form_is_named(tmp_path):
    files.write_text(tmp_path / FILE, "path,from\na,b\n")
    with pytest.raises(InputError, match=r"provenance\.csv:1: column 'source' is missing"):
        read_provenance(tmp_path)
