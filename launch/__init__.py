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
    """Starts a program of this package again, with large pages for what it computes in.

    XLA's CPU backend takes the memory of every step from the C library anew, and a quarter of a
    training step, half of a prediction, went into first touches of its 4 kB pages. glibc (2.35
    and later) takes this wish only from the environment in which a process starts; other C
    libraries, and what the user has set, are left alone. A process that only imports this package
    is never started again; and a program is before it has imported anything that takes time.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if _TUNABLE in tunables or platform.libc_ver()[0] != "glibc" or not sys.executable:
        return
    os.environ["GLIBC_TUNABLES"] = ":".join(filter(None, (tunables, f"{_TUNABLE}=1")))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


if _starts_program():
    _ask_for_large_pages()
