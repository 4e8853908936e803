"""The one exception for a user's mistake."""


class InputError(ValueError):
    """Bad input: its message is one line that names file and row and says what to do.

    `launch` programs print it without a traceback and leave with exit code 2.
    """
