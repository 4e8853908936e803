"""Mends a stream of XML that holds characters that XML forbids, as some Discogs dumps do."""

import re
from collections.abc import Callable

_CONTROLS = bytes({*range(0x20)} - {*b"\t\n\r"})
_RUN = re.compile(b"[" + re.escape(_CONTROLS) + b"]+")
_REFERENCE = re.compile(rb"&#(?:([0-9]{1,20})|x([0-9a-fA-F]{1,20}));")
_WIDE = re.compile(rb"\xef\xbf[\xbe\xbf]|\xed[\xa0-\xbf][\x80-\xbf]")
"""U+FFFE, U+FFFF and halves of surrogate pairs, in UTF-8."""
_UTF8 = re.compile(rb"<\?xml[^>]*\bencoding\s*=\s*[\"'](?!utf-?8|us-ascii)", re.IGNORECASE)
_UTF16 = (b"\xfe\xff", b"\xff\xfe", b"\0<", b"<\0")
_LONGEST = 26
"""Bytes in the longest reference."""


class Mender:
    """Replaces characters that XML 1.0 forbids, and references to them (`&#7;`).

    Each byte becomes a DEL, which is allowed and which `text.clean` removes from names. No byte
    moves, so later errors name the right place.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._line = 1
        self._begun = self._as_is = False
        self._wide = True
        self._found: list[tuple[int, str]] = []

    def feed(self, piece: bytes) -> bytes:
        """The next piece, mended; its last bytes may be held back for the next call."""
        data = self._rest + piece
        if not self._begun:
            self._begun = True
            self._as_is = data.startswith(_UTF16)
            self._wide = not _UTF8.match(data[:200])
        if self._as_is:
            return data
        cut = self._cut(data) if piece else len(data)
        data, self._rest = data[:cut], data[cut:]
        if len(data.translate(None, _CONTROLS)) < len(data):
            data = self._replaced(_RUN, data, lambda match: True)
        if b"&#" in data:
            data = self._replaced(_REFERENCE, data, _is_forbidden)
        if self._wide and (b"\xef\xbf" in data or b"\xed" in data):
            data = self._replaced(_WIDE, data, lambda match: True)
        self._line += data.count(b"\n")
        return data

    def close(self) -> bytes:
        """The bytes that were held back, after the last piece."""
        return self.feed(b"")

    def found(self) -> list[tuple[int, str]]:
        """(line, original text) of each replacement since the last call."""
        found, self._found = self._found, []
        return found

    def _replaced(
        self, pattern: re.Pattern[bytes], data: bytes, forbidden: Callable[[re.Match[bytes]], bool]
    ) -> bytes:
        def replace(match: re.Match[bytes]) -> bytes:
            if not forbidden(match):
                return match[0]
            line = self._line + data.count(b"\n", 0, match.start())
            self._found.append((line, match[0].decode("utf-8", "backslashreplace")))
            return b"\x7f" * len(match[0])

        return pattern.sub(replace, data)

    def _cut(self, data: bytes) -> int:
        """Where an unfinished reference or letter begins, which the next piece may complete."""
        begin = data.rfind(b"&", len(data) - _LONGEST if len(data) > _LONGEST else 0)
        if begin >= 0 and b";" not in data[begin:]:
            return begin
        for length in (1, 2):
            if data[-length:][:1] in (b"\xef", b"\xed"):
                return len(data) - length
        return len(data)


def _is_forbidden(match: re.Match[bytes]) -> bool:
    """Whether a reference is to a character that XML 1.0 forbids."""
    code = int(match[1]) if match[1] else int(match[2], 16)
    return not (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code < 0xD800
        or 0xE000 <= code < 0xFFFE
        or 0x10000 <= code < 0x110000
    )
