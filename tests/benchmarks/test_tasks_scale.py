"""The benchmark of the tasks at scale, in little: both sides find the same, and it says so."""

import functools

import pytest
import ways

from benchmarks import sides, tasks_scale


def test_both_sides_find_the_same_figures(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["tasks_scale", "--tags=60", "--dimensions=12"])
    tasks_scale.main()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    found = {line[0]: (float(line[1]), float(line[2])) for line in lines if len(line) == 3}
    assert {"hr@1", "hr@2", "map", "mrr", "map_self_included"} <= {*found}
    for metric, (ours, theirs) in found.items():
        assert ours == theirs, metric
        assert 0.05 < ours < 0.95, metric  # Hard enough that a mistake would show.
    assert found["hr@1"] < found["hr@2"]
    timed = {line[0]: [float(cell) for cell in line[1:]] for line in lines if line[0] == "together"}
    assert len(timed["together"]) == 3


@pytest.mark.parametrize(("theirs", "left"), [(0.5, False), (0.500001, False), (0.51, True)])
def test_figures_that_differ_end_it(theirs, left):
    sides_of = {
        "ours": functools.partial(ways.to, 0.5),
        "theirs": functools.partial(ways.to, theirs),
    }
    if not left:
        sides.compare(sides_of, (), tolerance=1e-5)
        return
    with pytest.raises(SystemExit, match=r"hr@1: 0\.5 and 0\.51 are not the same"):
        sides.compare(sides_of, (), tolerance=1e-5)


@pytest.mark.parametrize("argument", ["--tags=1", "--dimensions=0", "--tag=9x"])
def test_a_mistake_ends_with_2(monkeypatch, capsys, argument):
    monkeypatch.setattr("sys.argv", ["tasks_scale", argument])
    with pytest.raises(SystemExit) as ended:
        tasks_scale.main()
    assert ended.value.code == 2
