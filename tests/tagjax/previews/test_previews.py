import collections
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preview_server import API_FAULTS, AUDIO_FAULTS, PreviewServer, music, script

from tagjax.base.errors import InputError
from tagjax.previews import client, fetch, ledger, report


def config(server, **fields):
    asking = {"timeout": 60.0, "retries": 20, "backoff": 0.001}
    asking |= {name: fields.pop(name) for name in list(fields) if name in asking}
    fields = {"rate": 50.0, "per": 0.02, "concurrency": 4, **fields}
    return fetch.FetchConfig(client.ClientConfig(server.url, **asking), **fields)


def go(folder, tracks, server, **fields):
    """Fetches into a folder; returns its records and why it gave up."""
    with ledger.Ledger(folder) as book:
        book.recognise(tracks)
        why = fetch.fetch(tracks, book, config(server, **fields))
        return dict(book.records), why


def numbers(count):
    return [str(1000 + k) for k in range(count)]


def hidden(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


# Fetching


@pytest.mark.parametrize(
    ("kind", "fault"),
    [("track", f) for f in API_FAULTS if f != "slow"]
    + [("audio", f) for f in AUDIO_FAULTS if f != "slow"],
)
def test_one_fault_costs_one_request_more(tmp_path, kind, fault):
    faults = {"api_faults" if kind == "track" else "audio_faults": {"7": [fault]}}
    with PreviewServer(**faults) as server:
        records, _ = go(tmp_path, ["7"], server)
        renewed = fault in ("expired", "gone")
        assert len(server.asked("track")) == 1 + (kind == "track" or renewed)
        assert len(server.asked("audio")) == 1 + (kind == "audio")
        assert (tmp_path / "7.mp3").read_bytes() == server.audio("7")
    assert records["7"].status == ledger.FOUND
    assert not hidden(tmp_path)


@pytest.mark.parametrize("kind", ["api_faults", "audio_faults"])
def test_an_answer_that_does_not_come_is_asked_for_again(tmp_path, kind):
    with PreviewServer(**{kind: {"7": ["slow"]}}) as server:
        records, _ = go(tmp_path, ["7"], server, timeout=1.0)
        assert "slow" in [played for *_, played in server.log]
        assert (tmp_path / "7.mp3").read_bytes() == server.audio("7")
    assert records["7"].status == ledger.FOUND


@pytest.mark.parametrize("seed", range(2))
def test_all_faults_together(tmp_path, seed):
    tracks = numbers(40)
    nothing, silent, short = tracks[:4], tracks[4:8], {tracks[8]: 12.0, tracks[9]: 29.0}
    api, audio = script(tracks, seed)
    for sng_id in nothing + silent:
        audio.pop(sng_id, None)
    with PreviewServer(
        api, audio, short, no_preview=silent, no_data=nothing, delay=0.005
    ) as server:
        records, why = go(tmp_path, tracks, server)
        asked = collections.Counter(server.asked("track"))
        heard = collections.Counter(server.asked("audio"))
        for sng_id in tracks:
            renewed = sum(f in ("expired", "gone") for f in audio.get(sng_id, []))
            assert asked[sng_id] == 1 + len(api.get(sng_id, [])) + renewed
            there = sng_id not in nothing + silent
            assert heard[sng_id] == there * (1 + len(audio.get(sng_id, [])))
            path = tmp_path / f"{sng_id}.mp3"
            assert path.exists() == there
            assert not there or path.read_bytes() == server.audio(sng_id)
        server.log.clear()
        assert go(tmp_path, tracks, server)[0] == records
        assert server.log == []  # Nothing is fetched twice, nor asked for that is not there.
    assert why == ""
    assert not hidden(tmp_path)
    row = report.coverage(tracks, records, {"t": tracks[6:9]})
    expected = {"tracks": 40, "found": 32, "no_preview": 4, "no_data": 4, "failed": 0}
    assert expected.items() <= row[0].items()
    assert (row[0]["shorter_than_30_s"], row[0]["not_fetched"], row[0]["coverage"]) == (2, 0, 0.8)
    assert (row[1]["tag"], row[1]["tracks"], row[1]["found"]) == ("t", 3, 1)


def test_what_failed_is_tried_again_by_the_next_run_only(tmp_path):
    with PreviewServer({"7": ["503"] * 4}, {"8": ["500"] * 4}) as server:
        records, why = go(tmp_path, ["7", "8", "9"], server, retries=3)
        assert (records["7"].status, records["7"].reason) == (ledger.FAILED, "HTTP 503")
        assert (records["7"].http, records["8"].http) == (503, 500)
        assert (records["8"].status, records["8"].title) == (ledger.FAILED, 'Étude, "no." 8')
        assert (server.asked("track").count("7"), server.asked("audio").count("8")) == (4, 4)
        server.log.clear()
        records, why = go(tmp_path, ["7", "8", "9"], server, retries=3)
        assert sorted(server.asked()) == ["7", "8"]
    assert {record.status for record in records.values()} == {ledger.FOUND}
    assert why == ""


def test_it_gives_up_when_nothing_works_any_more(tmp_path):
    tracks = numbers(60)
    with PreviewServer({sng_id: ["503"] * 9 for sng_id in tracks[20:]}) as server:
        # One at a time: a slow answer of several would come between the failures.
        records, why = go(
            tmp_path, tracks, server, retries=0, give_up_after=10, concurrency=1
        )
        assert "HTTP 503" in why
        assert server.asked("track") == tracks[:30]
    assert sum(record.status == ledger.FAILED for record in records.values()) == 10


def test_it_gives_up_when_the_quota_stays_used_up(tmp_path):
    tracks = numbers(4)
    with PreviewServer({sng_id: ["quota"] * 99 for sng_id in tracks}) as server:
        records, why = go(
            tmp_path, tracks, server, per=0.001, give_up_pauses=3, grace=0.1, retries=0
        )
    assert "quota" in why
    assert records == {}


def test_requests_set_off_no_faster_than_the_rate(tmp_path):
    tracks = numbers(15)
    with PreviewServer() as server:
        start = time.monotonic()
        go(tmp_path, tracks, server, rate=10.0, per=0.5, concurrency=15)
        # A busy machine can only make them later.
        times = sorted(at for at, kind, *_ in server.log if kind == "track")
    assert len(times) == 15
    assert all(at - start >= 0.05 * k - 1e-3 for k, at in enumerate(times))


def test_asked_to_stop_it_begins_nothing_more(tmp_path):
    tracks = numbers(60)
    with PreviewServer(delay=0.05) as server, ledger.Ledger(tmp_path) as book:

        def asked():
            return len(server.log) > 10

        assert fetch.fetch(tracks, book, config(server, grace=60.0), asked) == ""
        assert 0 < len(book.records) < 60
        assert len(server.asked()) == len(book.records)  # Those on their way were finished.
        fetch.fetch(tracks, book, config(server))
        assert sorted(server.asked()) == tracks


# The ledger


def a_record(sng_id, status=ledger.NO_DATA, **fields):
    return ledger.Record(sng_id, status, **fields)


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_a_ledger_cut_anywhere_has_its_whole_lines_and_goes_on(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    titles = data.draw(st.lists(st.text(max_size=5), min_size=1, max_size=5))
    records = [a_record(str(k), title=title) for k, title in enumerate(titles, 1)]
    records = [ledger.from_line(ledger.to_line(record)) for record in records]
    text = b"".join(map(ledger.to_line, records))
    cut = data.draw(st.integers(0, len(text)))
    (folder / ledger.LEDGER).write_bytes(text[:cut])
    whole = records[: text[:cut].count(b"\n")]
    with ledger.Ledger(folder) as book:
        assert list(book.records.values()) == whole
        book.append(a_record("77"))
    with ledger.Ledger(folder) as book:
        assert list(book.records.values()) == [*whole, a_record("77")]


ODD = ('"duration_s": 1e400', '"duration_s": NaN', '"size": -1', '"size": true')


@pytest.mark.parametrize(
    "line",
    [
        *("x", "[]", "{}", '{"sng_id": "1"}', '{"sng_id": 1, "status": "found"}'),
        *('{"sng_id": "1", "status": "lost"}', '{"sng_id": "1", "status": "found", "size": "x"}'),
        *('{"sng_id": "1", "status": "found", ' + pair + "}" for pair in ODD),
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path, line):
    good = ledger.to_line(a_record("5")).decode()
    (tmp_path / ledger.LEDGER).write_text(good + line + "\n" + good)
    with pytest.raises(InputError, match=r"previews\.jsonl:2: not a record"):
        ledger.Ledger(tmp_path)


def test_a_folder_belongs_to_one_at_a_time(tmp_path):
    with ledger.Ledger(tmp_path), pytest.raises(InputError, match="another process"):
        ledger.Ledger(tmp_path)
    ledger.Ledger(tmp_path).__exit__()
    (tmp_path / "f").write_text("")
    with pytest.raises(InputError, match="--audio_dir"):
        ledger.Ledger(tmp_path / "f")


def test_a_file_killed_before_it_got_its_name_gets_it(tmp_path):
    with PreviewServer() as server:
        records, _ = go(tmp_path, ["7", "8"], server)
        os.replace(tmp_path / "7.mp3", tmp_path / ".7.mp3.ab_1.tmp")  # All written, not named.
        os.replace(tmp_path / "8.mp3", tmp_path / ".8.mp3.ab_2.tmp")
        (tmp_path / ".8.mp3.ab_2.tmp").write_bytes(b"half")
        (tmp_path / ".coverage.csv.xyz.tmp").write_text("half")
        (tmp_path / ".mine.tmp").write_text("kept")
        server.log.clear()
        again, _ = go(tmp_path, ["7", "8"], server)
        assert server.asked() == ["8"]
        assert (tmp_path / "7.mp3").read_bytes() == server.audio("7")
        assert (tmp_path / "8.mp3").read_bytes() == server.audio("8")
        assert (tmp_path / "7.mp3").stat().st_mode == (tmp_path / "8.mp3").stat().st_mode
    assert again["7"] == records["7"]
    assert hidden(tmp_path) == [".mine.tmp"]


def test_files_that_are_there_are_left_alone_and_those_deleted_fetched(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "5.mp3").write_bytes(music(12.0))
    (tmp_path / "sub" / "6.MP3").write_bytes(music(30.0))
    (tmp_path / "7.mp3").write_bytes(b"")
    (tmp_path / "8.txt").write_text("not audio")
    (tmp_path / "99.mp3").write_bytes(music(12.0))
    tracks = ["5", "6", "7", "8", "9"]
    with PreviewServer() as server:
        records, _ = go(tmp_path, tracks, server)
        assert sorted(server.asked()) == ["7", "8", "9"]
        assert (tmp_path / "5.mp3").read_bytes() == music(12.0)
        assert (records["5"].source, records["5"].duration_s) == (ledger.LOCAL, 12.0)
        assert (records["6"].source, records["6"].path) == (ledger.LOCAL, "sub/6.MP3")
        assert "99" not in records
        (tmp_path / "8.mp3").unlink()
        (tmp_path / "9.mp3").write_bytes(music(20.0))  # The user has put a better one there.
        server.log.clear()
        records, _ = go(tmp_path, tracks, server)
        assert server.asked() == ["8"]
        assert (tmp_path / "9.mp3").read_bytes() == music(20.0)
    assert (records["9"].source, records["9"].duration_s) == (ledger.LOCAL, 20.0)


def test_a_full_disk_leaves_ledger_and_folder_as_they_were(tmp_path, monkeypatch):
    write = os.write
    with ledger.Ledger(tmp_path) as book:
        book.append(a_record("5"))
        monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:9]))
        with pytest.raises(OSError, match="disk full"):
            book.store(a_record("6", ledger.FOUND), b"body")
        monkeypatch.undo()
        assert list(book.records) == ["5"]
        book.append(a_record("7"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [ledger.LEDGER]
    with ledger.Ledger(tmp_path) as book:
        assert list(book.records) == ["5", "7"]
