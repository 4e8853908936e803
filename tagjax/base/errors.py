"""The exception for a user's mistake."""

_LONGEST = 2000


def one_line(text: str) -> str:
    """The text on one line and harmless to a terminal: unprintable characters are escaped.

    The middle of a very long text is left out.
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
    """Bad input. The message is one line that names the file and row and says what to do.

    A quoted piece of the input can neither break the line nor send commands to the terminal.
    `launch` programs print the message without a traceback and exit with code 2.

    >>> import tagjax
    >>> tagjax.read_similarity("nowhere.csv")
    Traceback (most recent call last):
    tagjax.base.errors.InputError: nowhere.csv: no such file

    Reference: https://docs.python.org/3/library/exceptions.html#ValueError
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(str(message)))
