"""The programs: `python -m launch.NAME`."""

import os
import platform
import sys

_TUNABLE = "glibc.malloc.hugetlb"


def _ask_for_large_pages() -> None:
    """Starts a program of this package again, with large pages for what it computes in.

    XLA's CPU backend takes the memory of every step from the C library anew, and a quarter of a
    training step, half of a prediction, went into first touches of its 4 kB pages. glibc (2.35
    and later) takes this wish only from the environment in which a process starts; other C
    libraries, and what the user has set, are left alone.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    is_program = sys.argv[0] == "-m" and sys.executable  # What runpy puts there for a while.
    if not is_program or _TUNABLE in tunables or platform.libc_ver()[0] != "glibc":
        return
    os.environ["GLIBC_TUNABLES"] = ":".join(filter(None, (tunables, f"{_TUNABLE}=1")))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


_ask_for_large_pages()
