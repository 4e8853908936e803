"""Both sides of the benchmark find the same, of which it convinces itself."""

from benchmarks import tasks


def test_every_task_is_measured_beside_its_twin(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["tasks", "--tracks=500", "--turns=1"])
    tasks.main()
    told = capsys.readouterr().out
    for task in ("taxonomy", "deduplication", "translation"):
        assert f"\n{task}: 500 tracks" in told
    assert told.count("fc map") == 3
