import asyncio
import csv
import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preview_server import music, track

from tagjax.base.errors import InputError
from tagjax.manifest import lists
from tagjax.previews import client, ids, ledger, limiter, report

# Ids


@pytest.mark.parametrize(
    "text", ["7\n10\n7\n", "7\r\n10", "\ufeff7\n 10 \n\n", 'sng_id\n7\n"10"', "a,sng_id\nx,7\ny,10"]
)
def test_ids_are_read_from_lines_or_a_column(tmp_path, text):
    (tmp_path / "ids").write_text(text, encoding="utf-8")
    assert ids.read_ids(tmp_path / "ids") == ["7", "10"]


@pytest.mark.parametrize("bad", ["../x", "", "x1", "1.5", "-3", "0", "007", "٣", "1/2", "9" * 20])
def test_a_hostile_id_is_refused_by_file_and_row(tmp_path, bad):
    (tmp_path / "ids.txt").write_text(f"7\n{bad}\n8\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"ids\.txt:2: sng_id="):
        ids.read_ids(tmp_path / "ids.txt")
    (tmp_path / "ids.csv").write_text(f"sng_id,label\n7,a\n{bad},b\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"ids\.csv:3: sng_id="):
        ids.read_ids(tmp_path / "ids.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"sng_id\n\n7\n\n\nx\n", "f:6: sng_id='x'"),
        (b'sng_id,title\n7,"a\nb"\n\nx,c\n', "f:5: sng_id='x'"),
        (b"7\x0c\r\n8\r\n\r\n9\r\n", "f:3: sng_id=''"),
        (b"7\n8\n9\xff\n", "f:3: not UTF-8 (byte 5)"),
        (b"sng_id,title\n\n7,\xe9\n", "f:3: not UTF-8 (byte 16)"),
    ],
)
def test_a_mistake_is_named_with_the_line_that_an_editor_shows(tmp_path, content, message):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(InputError) as caught:
        ids.read_ids(tmp_path / "f")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"sng_id\n", "no rows"),
        (b"a,b\n1,2\n", "'sng_id' is missing"),
        (b"\xff\xfe1", "not UTF-8"),
    ],
)
def test_a_file_without_ids_is_refused(tmp_path, content, message):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(InputError, match=message):
        ids.read_ids(tmp_path / "f")
    with pytest.raises(InputError, match="no such file"):
        ids.read_ids(tmp_path / "none")


def test_the_ids_and_tags_of_a_manifest(tmp_path):
    head = "sng_id,label,seg_start,seg_duration"
    (tmp_path / "train.csv").write_text(f"{head}\n5,rock,0,30\n5,rock,9,30\n6,soul,0,30\n")
    (tmp_path / "test.csv").write_text(f"{head}\n7,rock,0,30\n")
    made = lists.read_manifest(tmp_path)
    assert ids.manifest_ids(tmp_path, made) == ["5", "6", "7"]
    assert ids.tracks_by_tag(made) == {"rock": ["5", "7"], "soul": ["6"]}
    full = f"{head},tags\n5,rock,0,30,rock|soul\n6,soul,0,30,soul\n"
    (tmp_path / "train.csv").write_text(full)
    (tmp_path / "test.csv").unlink()
    assert ids.tracks_by_tag(lists.read_manifest(tmp_path))["soul"] == ["5", "6"]
    (tmp_path / "train.csv").write_text(f"{head}\n\n5,rock,0,30\n5,rock,0,30\n\n../6,soul,0,30\n")
    with pytest.warns(UserWarning, match="repeat"):
        made = lists.read_manifest(tmp_path)
    with pytest.raises(InputError, match=r"train\.csv:6: sng_id='\.\./6'"):
        ids.manifest_ids(tmp_path, made)


# The limiter, in a time of its own


class Time:
    """A clock that only moves when everybody sleeps."""

    def __init__(self):
        self.now = 0.0
        self._sleepers = []
        self._order = itertools.count()

    async def sleep(self, seconds):
        event = asyncio.Event()
        self._sleepers.append((self.now + seconds, next(self._order), event))
        await event.wait()

    async def run(self, *coroutines):
        tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
        while not all(task.done() for task in tasks):
            for _ in range(10):
                await asyncio.sleep(0)
            if self._sleepers:
                first = min(self._sleepers)
                self._sleepers.remove(first)
                self.now = max(self.now, first[0])
                first[2].set()
        return [task.result() for task in tasks]


@settings(deadline=None, max_examples=50)
@given(
    rate=st.integers(1, 60),
    per=st.floats(0.1, 10),
    arrivals=st.lists(st.floats(0, 20), min_size=1, max_size=150),
)
def test_no_window_sees_more_than_the_quota_and_no_time_is_lost(rate, per, arrivals):
    clock = Time()
    limit = limiter.Limiter(rate, per, clock=lambda: clock.now, sleep=clock.sleep)

    async def one(at):
        await clock.sleep(at)
        await limit.acquire()
        return clock.now

    sent = sorted(asyncio.run(clock.run(*map(one, arrivals))))
    for first, last in zip(sent, sent[rate:], strict=False):
        assert last - first >= per * (1 - 1e-9)
    # The last one sets off when the busy time before it makes it, and no later.
    free = 0.0
    for at in sorted(arrivals):
        free = max(at, free) + per / rate
    assert sent[-1] <= free - per / rate + 1e-9


def test_a_refusal_pauses_everybody_and_pauses_grow_until_an_answer():
    clock = Time()
    limit = limiter.Limiter(
        50, 5.0, longest=60.0, clock=lambda: clock.now, sleep=clock.sleep, draw=lambda: 0.5
    )

    async def story():
        slots = [await limit.acquire() for _ in range(3)]
        for slot in slots:  # Refusals of what was on its way are one refusal.
            limit.refused(slot)
        assert limit.level == 1
        pauses = []
        for _ in range(6):
            before = clock.now
            slot = await limit.acquire()
            pauses.append(slot - before)
            limit.refused(slot)
        limit.answered(slots[0])  # Of before the pause: says nothing.
        assert limit.level == 7
        limit.answered(await limit.acquire())
        assert limit.level == 0
        limit.refused(await limit.acquire(), at_least=200.0)
        before = clock.now
        return pauses, await limit.acquire() - before

    [(pauses, asked_for)] = asyncio.run(clock.run(story()))
    assert pauses == pytest.approx([7.5, 15, 30, 60, 90, 90])
    assert asked_for == pytest.approx(200.0)


def test_who_waits_when_a_pause_begins_waits_for_its_end():
    clock = Time()
    limit = limiter.Limiter(10, 1.0, clock=lambda: clock.now, sleep=clock.sleep, draw=lambda: 0.0)

    async def first():
        limit.refused(await limit.acquire())
        return 0.0

    async def other():
        await limit.acquire()
        return clock.now

    sent = asyncio.run(clock.run(first(), *(other() for _ in range(5))))
    assert sorted(sent[1:]) == pytest.approx([1.0, 1.1, 1.2, 1.3, 1.4])


# Answers

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("error", "code", "message", "id", "title", "artist", "album", "name"),
                    *("preview", "duration"),
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(status=st.sampled_from([200, 200, 200, 302, 404, 429, 500]), answer=_JSON)
def test_any_answer_is_a_record_that_can_be_written_or_a_fault(status, answer):
    body = json.dumps(answer).encode()
    try:
        record, link = client.parse_track("7", status, body)
    except client.FaultError:
        return
    assert status == 200
    assert bool(link) == (record.status == ledger.FOUND)
    assert ledger.from_line(ledger.to_line(record)) == record


@settings(deadline=None)
@given(body=st.binary(max_size=200))
def test_bytes_that_are_no_answer_are_faults(body):
    with pytest.raises(client.FaultError):
        client.parse_track("7", 200, body)
    with pytest.raises(client.FaultError):
        client.decoded_duration(body)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"type": "DataException", "message": "no data", "code": 800}, ledger.NO_DATA),
        ({"type": "DataException", "message": "no data"}, ledger.NO_DATA),
        ({"type": "Exception", "message": "Quota limit exceeded", "code": 4}, client.QuotaError),
        ({"type": "Exception", "message": "Quota limit exceeded"}, client.QuotaError),
        ({"type": "Exception", "message": "Service busy", "code": 700}, client.FaultError),
        ({"type": "OAuthException", "message": "no rights", "code": 200}, client.FaultError),
        ({}, client.FaultError),
        ("no data", client.FaultError),
        (None, client.FaultError),
    ],
)
def test_only_no_data_is_final(error, expected):
    body = json.dumps({"error": error}).encode()
    if isinstance(expected, str):
        assert client.parse_track("7", 200, body)[0].status == expected
        return
    with pytest.raises(client.FaultError) as caught:
        client.parse_track("7", 200, body)
    assert type(caught.value) is expected


def test_metadata_is_as_deezer_has_it_on_one_line():
    answer = track("7", "https://x/y")
    answer["title"] = "a\nb \ud800 ünï"
    record, link = client.parse_track("7", 200, json.dumps(answer).encode())
    assert link == "https://x/y"
    assert (record.title, record.artist, record.artist_id) == ("a b ? ünï", "Artist 0", "0")
    assert (record.album, record.album_id, record.track_duration_s) == ("Album 7", "7", 207.0)
    for none in ("", None):
        answer["preview"] = none
        record, link = client.parse_track("7", 200, json.dumps(answer).encode())
        assert (record.status, link) == (ledger.NO_PREVIEW, "")


def test_the_duration_is_that_of_the_sound_and_not_the_headers():
    whole = music(30.0)
    assert client.decoded_duration(whole) == pytest.approx(30.0, abs=0.1)
    half = whole[: len(whole) // 2]
    assert client.decoded_duration(half) == pytest.approx(15.0, abs=0.5)
    with pytest.raises(client.FaultError, match="cut off"):
        client.decoded_duration(half, whole=False)


def a_record(sng_id, status=ledger.NO_DATA, **fields):
    return ledger.Record(sng_id, status, **fields)


# The report


def test_the_report_says_what_is_there_and_where_it_is_from(tmp_path):
    found = {"path": "3.mp3", "source": ledger.PREVIEW, "fetched_at": "2026-01-02T03:04:05+00:00"}
    records = {
        record.sng_id: record
        for record in (
            a_record("10", ledger.FOUND, duration_s=29.95, path="10.mp3", source=ledger.LOCAL),
            a_record("3", ledger.FOUND, duration_s=11.5, title='a,"b"', artist="ä", **found),
            a_record("4", ledger.NO_PREVIEW),
            a_record("5"),
            a_record("6", ledger.FAILED, reason="HTTP 503"),
        )
    }
    tracks = ["3", "4", "5", "6", "7", "10"]
    rows = report.coverage(tracks, records, {"rock": ["10"], "soul": ["3", "4"], "none": []})
    text = "\n".join(report.lines(rows, records.values()))
    for piece in ("tracks                        6\n", "found                         2   33.3 %"):
        assert piece in text
    assert "shorter than 30 s           1   16.7 %" in text
    assert "failed: 1 x HTTP 503" in text
    assert "soul: 1 of 2 tracks" in text
    assert "rock" not in text
    assert "seg_start" in text
    report.write(tmp_path, rows, records.values())
    with (tmp_path / "coverage.csv").open(newline="", encoding="utf-8") as file:
        read = {row["tag"]: row for row in csv.DictReader(file)}
    assert read["(all)"]["no_data"] == read["(all)"]["not_fetched"] == "1"
    assert (read["soul"]["found"], read["soul"]["coverage"]) == ("1", "0.5")
    with (tmp_path / "provenance.csv").open(newline="", encoding="utf-8") as file:
        one, two = csv.DictReader(file)
    columns = "sng_id,path,source,duration_s,fetched_at,title,artist,artist_id,album_id"
    assert ",".join(one) == columns
    assert (one["sng_id"], one["title"], one["artist"]) == ("3", 'a,"b"', "ä")
    assert (one["duration_s"], one["source"]) == ("11.5", "deezer preview")
    assert (two["sng_id"], two["source"]) == ("10", "local file")
