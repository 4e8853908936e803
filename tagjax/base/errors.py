"""The one exception for a user's mistake."""

_LONGEST = 2000


def one_line(text: str) -> str:
    """The text on one line and harmless to a terminal: what does not print is escaped.

    The middle of a very long one is left out.
    """
    text = _shortened(text)
    if text.isprintable():
        return text
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return _shortened("".join(escaped))


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"


class InputError(ValueError):
    """Bad input: its message is one line that names file and row and says what to do.

    What is quoted of the input cannot make it more lines, or reach the terminal as commands.
    `launch` programs print it without a traceback and leave with exit code 2.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(str(message)))
