import csv
import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagjax.base.errors import InputError
from tagjax.base.files import atomic_path, read_json, write_json, write_text
from tagjax.base.tables import read_table, write_table

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
CELL = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)


def failing(path):
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "er" / "a.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert temporary.parent == path.parent
        assert not path.exists()
    assert path.read_text() == "whole"
    with pytest.raises(KeyboardInterrupt):
        failing(path)
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["a.txt"]


def test_a_text_keeps_its_line_ends_in_a_folder_that_was_not_there(tmp_path):
    write_text(tmp_path / "new" / "a.html", "ä\r\n音\n")
    assert (tmp_path / "new" / "a.html").read_bytes() == "ä\r\n音\n".encode()


def test_a_file_has_the_permissions_of_any_other(tmp_path):
    old = os.umask(0o027)
    try:
        write_table(tmp_path / "a.csv", ["x"], [])
    finally:
        os.umask(old)
    assert (tmp_path / "a.csv").stat().st_mode & 0o777 == 0o640


def test_writing_leaves_the_umask_of_the_process_alone(tmp_path, monkeypatch):
    """Another thread would make its files with it meanwhile."""
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask was changed"))
    write_text(tmp_path / "a.txt", "a")
    assert (tmp_path / "a.txt").read_text() == "a"


def test_a_temporary_file_of_another_is_left_alone(tmp_path, monkeypatch):
    """Two that draw the same name: the second draws again."""
    names = iter(["00000000", "00000000", "11111111"])
    monkeypatch.setattr("secrets.token_hex", lambda size: next(names))
    with atomic_path(tmp_path / "a.txt") as one, atomic_path(tmp_path / "a.txt") as other:
        assert one.name == ".a.txt.00000000.tmp"
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "a.txt").read_text() == "one"
    assert os.listdir(tmp_path) == ["a.txt"]


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), header=st.lists(TEXT, min_size=2, max_size=4, unique=True))
def test_a_table_comes_back_as_it_went(tmp_path, data, header):
    if header[0].startswith("\ufeff"):
        return
    n = len(header)
    rows = data.draw(st.lists(st.lists(CELL, min_size=n, max_size=n), max_size=5))
    write_table(tmp_path / "a.csv", header, rows)
    table = read_table(tmp_path / "a.csv", header[:1])
    assert list(table) == header
    assert [list(row) for row in zip(*table.values(), strict=True)] == rows
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [header, *rows]


def test_marks_of_other_programs_are_fine(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbfx,y\r\n1,"a""b,\nc"\r\n\r\n2,z\r\n')
    assert read_table(tmp_path / "a.csv", ["x"]) == {"x": ["1", "2"], "y": ['a"b,\nc', "z"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "a.csv: no such file"),
        (b"", "a.csv: empty; expected a header with x, y"),
        (b"x,x,y\n", "a.csv:1: column 'x' occurs twice"),
        (b"x,z\n1,2\n", "a.csv:1: column 'y' is missing; found x, z"),
        (b"x,y\n1,2\n1,2,3\n", "a.csv:3: 3 cells, but the header has 2"),
        (b"x,y\n1\n", "a.csv:2: 1 cells"),
        (b"x,y\n\xff,2\n", "a.csv:2: not UTF-8 (byte "),
        (b'x,y\n1,"2\n', "a.csv:2: "),
    ],
)
def test_a_broken_table_is_refused_in_one_line(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_table(tmp_path / "a.csv", ["x", "y"])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_json_comes_back_and_what_is_none_is_refused(tmp_path):
    value = {"ä": [1, 2.5, None, "音楽"], "b": {"c": True}}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == value
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert read_json(tmp_path / "a.json") == value
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(InputError, match=r"b\.json: not JSON"):
        read_json(tmp_path / "b.json")
    with pytest.raises(InputError, match=r"none\.json: No such file"):
        read_json(tmp_path / "none.json")
    with pytest.raises(InputError, match="directory"):
        read_json(tmp_path)
