"""What every launch program shares: how it starts, and how a user's mistake ends it."""

import sys
from collections.abc import Callable

from absl import app, logging

from tagjax.errors import InputError


def run(main: Callable[[], None]) -> None:
    """Runs `main` as an absl program.

    An `InputError` is printed as one line, and the process leaves with exit code 2;
    stray positional arguments are refused, as they are mostly misspelt flags.
    """

    def wrapped(argv: list[str]) -> int:
        if len(argv) > 1:
            print(f"error: unexpected argument {argv[1]!r}; see --help", file=sys.stderr)
            return 2
        try:
            main()
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        return 0

    logging.set_verbosity(logging.WARNING)
    app.run(wrapped)
