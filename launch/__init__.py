"""The programs: `python -m launch.NAME`."""

import os
import pathlib
import platform
import sys

_TUNABLE = "glibc.malloc.hugetlb"


def _starts_program() -> bool:
    """Whether this import is Python's first step of `python -m launch.NAME`."""
    if sys.argv[:1] != ["-m"] or "-m" not in sys.orig_argv:
        return False  # Python has "-m" in `argv` while it looks for the module to run.
    module = sys.orig_argv[sys.orig_argv.index("-m") + 1]
    package, _, name = module.partition(".")
    return package == __name__ and pathlib.Path(__file__).with_name(f"{name}.py").is_file()


def _ask_for_large_pages() -> None:
    """Restarts a program of this package with large pages for its memory.

    XLA's CPU backend asks the C library for new memory in every step. The first touches of its 4 kB
    pages took a quarter of a training step and half of a prediction. glibc (2.35 and later) reads
    this setting only when a process starts. Other C libraries, and the user's own settings, are
    left alone. A process that only imports this package is never restarted. A program is restarted
    before it imports anything that takes time.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if _TUNABLE in tunables or platform.libc_ver()[0] != "glibc" or not sys.executable:
        return
    os.environ["GLIBC_TUNABLES"] = ":".join(filter(None, (tunables, f"{_TUNABLE}=1")))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


if _starts_program():
    _ask_for_large_pages()
