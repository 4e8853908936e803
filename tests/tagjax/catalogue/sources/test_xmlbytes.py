import pytest

from tagjax.catalogue.sources.xmlbytes import Mender


def mended(content, step=1 << 20):
    mender = Mender()
    pieces = [content[k : k + step] for k in range(0, len(content), step)]
    text = b"".join([mender.feed(piece) for piece in pieces] + [mender.close()])
    return text, mender.found()


FORBIDDEN = [
    *(b"\x07", b"\0", b"\x01\x02\x1f", b"\x0b", b"&#7;", b"&#x7;", b"&#x1F;", b"&#0;", b"&#00011;"),
    *(b"&#xFFFE;", b"&#xd800;", b"&#55296;", b"&#x110000;", b"&#99999999999;"),
    *("\uffff".encode(), b"\xed\xa0\xbd", b"\xed\xa0\xbd\xed\xb8\x80"),
]
ALLOWED = [
    *(
        b"\t\r",
        b"&#9;",
        b"&#10;",
        b"&#xD;",
        b"&#x1F600;",
        b"&#233;",
        b"&amp;#7;",
        b"&#7 ;",
        b"&#xg;",
    ),
    *("é音🎷\ufffd\uf8ff한".encode(), b"\x7f", b"&#;", b"& &#"),
]


@pytest.mark.parametrize("step", [1 << 20, 1, 2, 3, 5, 7])
@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_is_forbidden_is_replaced_byte_by_byte(what, step):
    text, found = mended(b"<a>\n<b>x" + what + b"y</b></a>", step)
    assert text == b"<a>\n<b>x" + b"\x7f" * len(what) + b"y</b></a>"
    assert {line for line, _ in found} == {2}


@pytest.mark.parametrize("step", [1 << 20, 1, 2, 3, 5, 7])
@pytest.mark.parametrize("what", ALLOWED)
def test_what_is_allowed_stays(what, step):
    content = b"<a>" + what + b"</a>" + what
    assert mended(content, step) == (content, [])


def test_lines_are_counted_over_pieces():
    content = b"<a>\n\n\x07\n" + b"x" * 40 + b"\n&#7;\n\n\x01</a>"
    assert [line for line, _ in mended(content, 6)[1]] == [3, 5, 7]


@pytest.mark.parametrize("name", ["ISO-8859-1", "windows-1252"])
def test_bytes_of_another_encoding_are_letters(name):
    content = f'<?xml version="1.0" encoding="{name}"?>'.encode() + b"<a>\xef\xbf\xbe \xed\xa0\x80"
    assert mended(content + b"\x07")[0] == content + b"\x7f"


def test_utf16_is_left_to_the_parser():
    content = "<a>\u0107\u0001</a>".encode("utf-16")
    assert mended(content) == (content, [])
