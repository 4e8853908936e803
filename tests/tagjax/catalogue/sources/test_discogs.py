import bz2
import gzip
import io
import lzma
import tracemalloc
import xml.etree.ElementTree as ET
import zipfile

import pytest

from tagjax.base.errors import InputError
from tagjax.catalogue import sources
from tagjax.catalogue.sources import discogs
from tagjax.catalogue.sources.records import Annotation, Rejected
from tagjax.catalogue.sources.writing import Seen

DUMPS = ["discogs_20260101_releases.xml", "discogs_20260101_masters.xml"]


def read(path, progress=lambda _: None):
    return list(discogs.read(path, discogs.Config(), progress))


def dump(path, *releases, root="releases"):
    path.write_text(f"<{root}>\n" + "\n".join(releases) + f"\n</{root}>\n", encoding="utf-8")
    return path


RELEASE = (
    '<release id="{0}"><artists><artist><id>{1}</id><name>N</name></artist></artists>'
    "<title>T</title><genres><genre>Rock</genre></genres><styles><style>Punk</style></styles>"
    "<tracklist><track><title>Other</title></track></tracklist></release>"
)


@pytest.mark.parametrize("name", DUMPS)
def test_reads_what_elementtree_reads(fixtures, name):
    expected, own = [], "r{}" if "releases" in name else "{}"
    for element in ET.parse(fixtures / name).getroot():
        if element.get("status") in (None, "Accepted"):
            expected.append(
                (
                    element.get("id"),
                    element.findtext("artists/artist/id", ""),
                    element.findtext("artists/artist/name", ""),
                    element.findtext("title"),
                    element.findtext("master_id") or own.format(element.get("id")),
                    tuple(genre.text for genre in element.findall("genres/genre")),
                    tuple(style.text for style in element.findall("styles/style")),
                )
            )
    found = [
        (r.track_id, r.artist_id, r.artist, r.title, r.album_id, r.genres, r.styles)
        for r in read(fixtures / name)
        if isinstance(r, Annotation)
    ]
    assert len(found) >= 12
    assert found == expected


def test_rows_know_their_lines(fixtures):
    path = fixtures / DUMPS[0]
    text = path.read_text(encoding="utf-8").splitlines()
    for row in read(path):
        number = row.track_id if isinstance(row, Annotation) else row.detail.split()[0]
        assert text[row.row - 1].startswith(f'<release id="{number}"')


def test_gzip_and_the_size_of_the_pieces_make_no_difference(fixtures, tmp_path, monkeypatch):
    plain = fixtures / DUMPS[0]
    packed = tmp_path / plain.name  # Known by its content, whatever its name.
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    steps = []
    rows = read(packed, steps.append)
    strip = [(r.row, getattr(r, "track_id", r)) for r in rows if isinstance(r, Annotation)]
    assert strip == [(r.row, r.track_id) for r in read(plain) if isinstance(r, Annotation)]
    assert sum(steps) == packed.stat().st_size == discogs.size(packed)
    whole = read(plain)
    monkeypatch.setattr(discogs, "_CHUNK", 7)  # Through tags, entities and letters.
    assert read(plain) == whole


def test_various_is_an_artist_and_a_master_an_album(fixtures):
    rows = [row for row in read(fixtures / DUMPS[0]) if isinstance(row, Annotation)]
    various = [row for row in rows if row.artist == "Various"]
    assert {row.artist_id for row in various} == {"194"}
    assert len({row.album_id for row in various}) == 1
    assert any(row.album_id == f"r{row.track_id}" for row in rows)  # Of no master.


def test_a_draft_is_left_out_and_nested_titles_are_not_taken(fixtures, tmp_path):
    rejected = [row for row in read(fixtures / DUMPS[0]) if isinstance(row, Rejected)]
    assert [(row.reason, row.detail) for row in rejected] == [("not accepted", "78 is Draft")]
    (row,) = read(dump(tmp_path / "d.xml", RELEASE.format(5, 6)))
    assert (row.title, row.artist_id, row.album_id) == ("T", "6", "r5")


def test_a_dump_in_another_declared_encoding_is_read(tmp_path):
    text = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<masters><master id="1">'
    text += "<title>d\xe9j\xe0</title></master></masters>"
    (tmp_path / "m.xml").write_bytes(text.encode("latin1"))
    assert read(tmp_path / "m.xml")[0].title == "déjà"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"<releases>\n<release id='1'>\n<title>x</titel>\n",
            r"d\.xml:3: malformed XML .*mismatch",
        ),
        (b"<releases>\n<release id='1'><title>a & b</title>\n", r"d\.xml:2: malformed XML .*byte"),
        (
            b"<releases>\n<release id='1'><title>caf\xe9</title></release>",
            r":2: not UTF-8 \(byte 37",
        ),
        (b"<releases>\n<release id='1'></release>\n", r"d\.xml:3: the XML is cut off; download"),
        (b"<labels>\n<label/></labels>", r"d\.xml:1: <labels> is no dump of releases or masters"),
        (b"", r"d\.xml: no XML in it"),
        (b"track_id,tags\n", r"d\.xml:1: malformed XML"),
        (
            gzip.compress(b"<releases>" + b" " * 10000, mtime=0)[:-9],
            r"d\.xml:1: the gzip is cut off; down",
        ),
        (b"\x1f\x8b\x08 this is no gzip at all, really", r"d\.xml:1: the gzip is broken"),
    ],
)
def test_a_broken_dump_is_one_line_and_nothing_is_written(tmp_path, content, message):
    (tmp_path / "d.xml").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        sources.annotate("discogs", tmp_path / "d.xml", tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["d.xml"]


def test_a_cut_is_found_wherever_it_is(fixtures, tmp_path):
    whole = gzip.compress((fixtures / DUMPS[0]).read_bytes())
    for length in range(20, len(whole) - 1, 97):
        (tmp_path / "d.xml.gz").write_bytes(whole[:length])
        with pytest.raises(InputError, match="the gzip is cut off"):
            read(tmp_path / "d.xml.gz")


def peak(path, releases):
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write("<releases>\n")
        for number in range(1, releases + 1):
            file.write(RELEASE.format(number, number % 5000))
        file.write("</releases>")
    tracemalloc.start()
    rows = sum(1 for _ in discogs.read(path, discogs.Config(), lambda _: None))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == releases
    return most


def test_memory_does_not_grow_with_the_dump(tmp_path):
    few, many = (peak(tmp_path / f"{n}.gz", n) for n in (3_000, 30_000))
    assert many < few + 27_000 * 10  # A few bytes for each further release: its id.


def test_numbered_ids_cost_a_byte_each():
    seen = Seen()
    tracemalloc.start()
    assert not any(seen.again(str(k), ("Rock",)) for k in range(1, 200_001))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 300_000
    assert "same tags" in seen.again("7", ("Rock",))
    assert "other tags" in seen.again("7", ("Rock", "Punk"))
    assert seen.again("007", ("Rock",)) == ""


PARTS = (
    '<release id="{}"><artists><artist><id>{}</id><name>{}</name></artist></artists>'
    "<title>T</title><genres><genre>{}</genre></genres>{}</release>"
)


@pytest.mark.parametrize(
    "master",
    [
        '<master_id is_main_release="false">0</master_id>',
        "<master_id> 0 </master_id>",
        "<master_id></master_id>",
        "<master_id/>",
        "",
    ],
)
def test_a_release_of_no_master_is_an_album_of_its_own(tmp_path, master):
    own = [PARTS.format(k, k, "A", "Rock", master) for k in (1, 2, 5002)]
    other = PARTS.format(4, 4, "A", "Rock", "<master_id>5002</master_id>")
    rows = read(dump(tmp_path / "d.xml", *own, other))
    assert [row.album_id for row in rows] == ["r1", "r2", "r5002", "5002"]


def test_words_for_no_artist(tmp_path):
    ids = ["0", "", "355", "118760", " 7 ", "nan"]
    releases = [PARTS.format(k, name, "A", "Rock", "") for k, name in enumerate(ids, 1)]
    counts = sources.annotate("discogs", dump(tmp_path / "d.xml", *releases), tmp_path / "out")
    assert (counts.tracks, counts.rejected) == (1, {"no artist": 5})
    assert "\n5,7,r5,genre:Rock,album,A,T\n" in (tmp_path / "out" / "annotations.csv").read_text()


def test_characters_that_xml_forbids_are_removed_and_listed(tmp_path):
    path = dump(
        tmp_path / "d.xml",
        PARTS.format(1, 1, "A\x07B", "Ro&#x1F;ck", "<notes>\x00 &#7;</notes>"),
        PARTS.format(2, 2, "A", "Rock\uffff", "<notes>\n\x01\x02</notes>"),
    )
    counts = sources.annotate("discogs", path, tmp_path / "out")
    table = (tmp_path / "out" / "annotations.csv").read_text().splitlines()[1:]
    assert table == ["1,1,r1,genre:Rock,album,AB,T", "2,2,r2,genre:Rock,album,A,T"]
    assert counts.noted == {"characters that XML forbids, removed": 6}
    listed = (tmp_path / "out" / "rejected.csv").read_text()
    assert listed.count("d.xml,2,") == 4
    assert listed.count("d.xml,3,") == listed.count("d.xml,4,") == 1
    assert r"'\x01\x02'" in listed


def test_a_mistake_behind_a_forbidden_character_is_where_it_was(tmp_path):
    content = b"<releases>\n<release id='1'>\x07&#7;<title>caf\xe9</title></release>"
    (tmp_path / "d.xml").write_bytes(content)
    with pytest.raises(InputError, match=rf":2: not UTF-8 \(byte {content.index(0xE9)}\)"):
        read(tmp_path / "d.xml")


def zipped(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("discogs_20260101_releases.xml", content)
    return buffer.getvalue()


PACKED = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zip": zipped}


@pytest.mark.parametrize("form", PACKED)
def test_a_packed_dump_whatever_its_name_and_wherever_it_is_damaged(fixtures, tmp_path, form):
    content = (fixtures / DUMPS[0]).read_bytes()
    packed = bytearray(PACKED[form](content))
    path = tmp_path / "dump.xml"
    path.write_bytes(packed)
    whole, plain = read(path), read(fixtures / DUMPS[0])
    assert [getattr(row, "track_id", "") for row in whole] == [
        getattr(row, "track_id", "") for row in plain
    ]
    found = set()
    for place in range(3, len(packed), 41):
        for damaged in (packed[:place], packed[:place] + b"\x55" + packed[place + 1 :]):
            path.write_bytes(damaged)
            try:
                read(path)
            except InputError as error:
                found.add(str(error).partition(";")[0].partition("(")[0].rpartition(": ")[2])
    assert any("is cut off" in text for text in found) or form == "zip"  # Its end is read first.
    assert any("is broken" in text for text in found)


@pytest.mark.parametrize("begin", [b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"(\xb5/\xfd"])
def test_a_dump_packed_otherwise_is_said_so(tmp_path, begin):
    (tmp_path / "d.xml").write_bytes(begin + bytes(100))
    with pytest.raises(InputError, match=r"d\.xml: a (rar|7z|zstd) file; unpack it"):
        read(tmp_path / "d.xml")
