"""The command line of the benchmark of the tasks."""

import pytest

from benchmarks import tasks_scale


def test_help_and_mistakes_are_told(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["tasks_scale", "--help"])
    with pytest.raises(SystemExit) as left:
        tasks_scale.main()
    assert left.value.code == 0
    assert "--dimensions" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["tasks_scale", "--tags=1"])
    with pytest.raises(SystemExit) as left:
        tasks_scale.main()
    assert left.value.code == 2
