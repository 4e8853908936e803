"""Packed files: known by what is in them, refused in one line where they are damaged."""

import bz2
import gzip
import io
import lzma
import tracemalloc
import zipfile

import pytest

from tagjax.base.archives import unpacked
from tagjax.base.errors import InputError
from tagjax.base.tables import read_table

TABLE = {"tag": ["jazz", "dub techno", "musique concrète"], "n": ["1", "22", "3"]}
PLAIN = "tag,n\njazz,1\ndub techno,22\nmusique concrète,3\n".encode()


def zipped(data, method=zipfile.ZIP_DEFLATED, names=("a.csv",)):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name in names:
            archive.writestr(name, data)
    return buffer.getvalue()


PACKERS = {
    "plain": lambda data: data,
    "zip": zipped,
    "stored zip": lambda data: zipped(data, zipfile.ZIP_STORED),
    "bzip2 in a zip": lambda data: zipped(data, zipfile.ZIP_BZIP2),
    "lzma in a zip": lambda data: zipped(data, zipfile.ZIP_LZMA),
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}
CRASH = bytes.fromhex(
    "504b03041400000008005972785d346a1001300000003600000005000000612e637376d349d449d2"
    "39bc872b51c750c740cf5447d740cfc8942b09cc33d433d0314cd535e63abc07220e14353030d431"
    "e40200504b010214031400080000005972785d346a10013165393939393939393939000000000000"
    "000000800100000000612e637376504b0506000000000100010033000000530000000000"
)
"""A zip whose directory tells of 0x39393939 packed bytes; it ended in a bare EOFError."""


@pytest.mark.parametrize("suffix", [".csv", ".csv.zip", ".csv.gz", ""])
@pytest.mark.parametrize("packer", PACKERS)
def test_the_content_says_how_a_table_is_packed(packer, suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(PACKERS[packer](PLAIN))
    assert read_table(path, ["tag"]) == TABLE


def test_the_damaged_zip_that_ended_a_program_is_refused_in_one_line(tmp_path):
    path = tmp_path / "a.csv.zip"
    path.write_bytes(CRASH)
    assert zipfile.is_zipfile(path)
    with pytest.raises(InputError, match=r"^\S*/a.csv.zip: not a zip file that can be read \(.+\)"):
        read_table(path, [])


def damaged(data):
    """Every byte flipped in a bit, inverted, zeroed and taken out; and every beginning."""
    for at, byte in enumerate(data):
        rest = data[at + 1 :]
        for other in {byte ^ 1 << at % 8, byte ^ 255, 0} - {byte}:
            yield data[:at] + bytes([other]) + rest
        yield data[:at] + rest
        yield data[:at]
        yield data[:at] + bytes(len(data) - at)


@pytest.mark.parametrize("packer", PACKERS)
def test_damage_at_any_byte_is_refused_or_harmless(packer, tmp_path):
    """An archive gives all of its content or one line; its checksum tells."""
    path = tmp_path / "a.csv"
    refusals = []
    for data in damaged(PACKERS[packer](PLAIN)):
        path.write_bytes(data)
        try:
            table = read_table(path, ["tag"])
        except InputError as error:
            refusals.append(str(error))
        else:
            assert packer == "plain" or table == TABLE, data
    assert refusals
    assert all(told.startswith(f"{path}:") and told.isprintable() for told in refusals)


@pytest.mark.parametrize(
    ("names", "count"),
    [(("a.txt",), 0), (("a.csv", "b.csv"), 2), ((), 0), (("__MACOSX/a.csv",), 0)],
)
def test_a_zip_holds_one_table(names, count, tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(PLAIN, names=names))
    with pytest.raises(InputError, match=f"{count} CSV files in it; expected one"):
        read_table(path, [])


def test_an_encrypted_zip_is_refused(tmp_path):
    data = bytearray(zipped(PLAIN))
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(sign) + place] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(InputError, match="encrypted"):
        read_table(tmp_path / "a.zip", [])


@pytest.mark.parametrize("packer", ["zip", "gzip", "xz", "bzip2"])
def test_a_bomb_is_unpacked_no_further_than_it_is_read(packer, tmp_path):
    size = 1 << 26
    path = tmp_path / "bomb"
    path.write_bytes(PACKERS[packer](b"a" * size))
    assert path.stat().st_size < size / 500
    tracemalloc.start()
    try:
        with unpacked(path) as file:
            assert file.read(1 << 16) == b"a" * (1 << 16)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size / 4  # The dictionary of xz is 8 MiB.
    with pytest.raises(InputError, match="no line of a table is that long"):
        read_table(path, [])


def test_text_that_begins_like_an_archive_is_text(tmp_path):
    for header in ("BZh9", "PK", "BZh9 and more than that"):
        (tmp_path / "a.csv").write_text(f"{header},x\n1,2\n")
        assert read_table(tmp_path / "a.csv", [header]) == {header: ["1"], "x": ["2"]}


@pytest.mark.parametrize("begin", [b"7z\xbc\xaf\x27\x1c", b"(\xb5/\xfd", b"Rar!\x1a\x07\0"])
def test_a_table_packed_otherwise_is_said_so(begin, tmp_path):
    (tmp_path / "a.csv").write_bytes(begin + bytes(100))
    with pytest.raises(InputError, match=r"a\.csv: a (7z|zstd|rar) file; unpack it"):
        read_table(tmp_path / "a.csv", [])


@pytest.mark.parametrize("packer", PACKERS)
def test_what_is_read_from_disk_is_counted_once(packer, tmp_path):
    """So that a bar reaches its end and does not pass it."""
    data = PACKERS[packer](b"a,b\n" * 100_000)
    (tmp_path / "a").write_bytes(data)
    steps = []
    with unpacked(tmp_path / "a", steps.append) as file:
        assert sum(map(len, iter(lambda: file.read(1 << 16), b""))) == 400_000
    assert sum(steps) == len(data)
