"""Code that all launch programs share: their start, their flags, and their error messages."""

import dataclasses
import errno
import os
import pathlib
import sys
import tempfile
import types
import typing
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from absl import app, flags, logging

from tagjax.base.errors import InputError, one_line
from tagjax.base.interruption import InterruptedRunError, Stop

SMALL = 20_000
"""A catalogue with fewer tracks or excerpts wants folds, and the preset `catalogue`."""
_default_show = warnings.showwarning
flags.disclaim_key_flags()  # Flags defined through this module belong to the program's --help.


def run(main: Callable[..., int | None], arguments: bool = False) -> None:
    """Runs `main` as an absl program; it may return an exit code.

    An `InputError`, or an error of the system (a full disk), is printed as one line, and the exit
    code is 2. A program that was stopped prints that, and its exit code is 128 + the signal. Each
    of our warnings is one line too.

    Args:
      main: the program.
      arguments: whether `main` takes the arguments that are not flags. If not, such arguments are
        refused, because most are misspelt flags.
    """

    def wrapped(argv: list[str]) -> int:
        if len(argv) > 1 and not arguments:
            print(f"error: unexpected argument {argv[1]!r}; see --help", file=sys.stderr)
            return 2
        try:
            with Stop():
                return (main(argv[1:]) if arguments else main()) or 0
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except (OSError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and _FULL not in str(error):
                raise
            print(f"error: {_of_system(error)}", file=sys.stderr)
            return 2
        except InterruptedRunError as stop:
            print(stop, file=sys.stderr)
            return stop.exit_code
        except KeyboardInterrupt:
            print("stopped by SIGINT", file=sys.stderr)
            return 130

    def parse(argv: list[str]) -> list[str]:
        if {"--help", "-help", "-h"} & set(argv[1:]):
            app.usage(shorthelp=True, writeto_stdout=True)
            sys.exit(0)  # The exit code of absl's own --help is 1.
        try:
            return flags.FLAGS(argv)
        except flags.Error as error:
            print(f"error: {' '.join(str(error).split())}; see --help", file=sys.stderr)
            sys.exit(2)

    logging.set_verbosity(logging.WARNING)
    warnings.showwarning = _show_warning
    app.run(wrapped, flags_parser=parse)


_FULL = os.strerror(errno.ENOSPC)


def _of_system(error: OSError | RuntimeError) -> str:
    """The message of an error of the system, with the file; a full disk adds advice."""
    message = str(error)
    if isinstance(error, OSError) and error.strerror:
        message = error.strerror + ("" if error.filename is None else f": {error.filename}")
    elif _FULL in message:  # ArrayRecord's RuntimeError, or an OSError that TFDS has wrapped.
        message = f"{_FULL}: {message}"
    if _FULL in message or os.strerror(errno.EDQUOT) in message:
        message += "; free some space, then the same command goes on"
    return one_line(message)


def _show_warning(message: Warning | str, category: type[Warning], *rest: Any) -> None:
    """Prints our warnings as one line, and others as usual."""
    if category is UserWarning:
        print(f"warning: {message}", file=sys.stderr)
    else:
        _default_show(message, category, *rest)


class _TupleParser(flags.ArgumentParser):
    """Parses `16,32` as (16, 32), `2x2,3x4` as ((2, 2), (3, 4)), and numbers with fractions."""

    def __init__(self, nested: bool, kind: type = int) -> None:
        super().__init__()
        self._nested, self._kind = nested, kind
        self.syntactic_help = "2x2,3x4" if nested else "16,32" if kind is int else "5,0.5"

    def parse(self, argument: str | tuple) -> tuple:
        if isinstance(argument, tuple):
            return argument
        try:
            parts = [tuple(map(self._kind, part.split("x"))) for part in argument.split(",")]
            if any((len(part) > 1) != self._nested for part in parts):
                raise ValueError
        except ValueError:
            raise ValueError(f"{argument!r} is not like {self.syntactic_help}") from None
        return tuple(parts) if self._nested else tuple(part[0] for part in parts)


def _attributes(config: type) -> dict[str, str]:
    """{field: its text in the `Attributes:` section of the docstring}."""
    texts: dict[str, str] = {}
    name = ""
    for line in (config.__doc__ or "").partition("Attributes:")[2].splitlines():
        if line.strip() and not line.startswith("      "):
            break  # The section ends; examples and references follow.
        head, colon, rest = line.strip().partition(": ")
        if colon and head.isidentifier() and line.startswith("      ") and line[6] != " ":
            name, texts[head] = head, rest
        elif name:
            texts[name] = f"{texts[name]} {line.strip()}".strip()
    return texts


def _spelt(value: Any) -> str:
    """A value in the spelling of its flag: (2, 4) as 2,4 and ((2, 2), (3, 4)) as 2x2,3x4."""
    if not isinstance(value, tuple):
        return str(value)
    return ",".join("x".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in value)


def _defaults(name: str, presets: Mapping[str, Any]) -> str:
    """The sentence of `--help` about the default of a field."""
    values = {p: _spelt(v) for p, c in presets.items() if (v := getattr(c, name)) is not None}
    if len(set(values.values())) < 2:
        return "".join(f" Default {value}." for value in set(values.values()))
    return " Default " + "; ".join(f"{preset} {value}" for preset, value in values.items()) + "."


def config_flags(
    config: type, presets: Mapping[str, Any] | None = None
) -> dict[str, flags.FlagHolder]:
    """Defines a flag for each field of a config dataclass, and of the configs nested in it.

    Args:
      config: the dataclass; its docstring explains the fields.
      presets: {name: instance}; `--help` shows their values.

    Returns:
      {field: its flag}; the value of a flag is None if it is not given.
    """
    presets, texts, types_of = presets or {}, _attributes(config), typing.get_type_hints(config)
    defined = {}
    for field in dataclasses.fields(config):
        kind, name = types_of[field.name], field.name
        if dataclasses.is_dataclass(kind):
            nested = {preset: getattr(value, name) for preset, value in presets.items()}
            defined |= config_flags(typing.cast(type, kind), nested)
            continue
        text = texts.get(name, name)
        text = text[:1].upper() + text[1:] + _defaults(name, presets)
        defined[name] = _define(kind, name, text)
    return defined


def _define(kind: Any, name: str, text: str) -> flags.FlagHolder:
    """A flag for values of a type; its value is None if it is not given."""
    if isinstance(kind, types.UnionType):
        kind = typing.get_args(kind)[0]
    if kind == tuple[str, ...]:
        return flags.DEFINE_list(name, None, text)
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        nested = typing.get_origin(inner) is tuple
        return flags.DEFINE(
            _TupleParser(nested, float if inner is float else int), name, None, text
        )
    define: dict[type, Callable[..., flags.FlagHolder]] = {
        bool: flags.DEFINE_bool,
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        str: flags.DEFINE_string,
    }
    return define[kind](name, None, text)


def given(fields: dict[str, flags.FlagHolder]) -> dict[str, Any]:
    """The fields of `config_flags` that the command line gives; lists become tuples."""
    values = {name: flag.value for name, flag in fields.items() if flag.value is not None}
    return {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}


def writable(out: pathlib.Path) -> pathlib.Path:
    """The folder for the results, if it can be made and written."""
    there = next(folder for folder in (out, *out.parents) if folder.exists())
    if not there.is_dir():
        raise InputError(f"--out={out}: {there} is not a folder; name another place")
    try:
        with tempfile.TemporaryFile(dir=there):
            return out
    except OSError as error:
        raise InputError(f"--out={out}: {there} cannot be written ({error.strerror})") from None


def code_of_skipped(skipped: int, of: str, most: float, left: str) -> int:
    """The exit code of a program that skips what it cannot read: 0, or 3 and a warning.

    Args:
      skipped: their number.
      of: how many there were of what: "120 tracks".
      most: share of them that may be skipped.
      left: what has all the others.
    """
    if skipped <= most * int(of.split()[0]):
        return 0
    print(
        f"warning: {skipped} of {of} are skipped, more than --max_skipped={most:g} allows; {left}",
        file=sys.stderr,
    )
    return 3


def cache_compilations(folder: str) -> None:
    """Keeps compiled steps in `folder`, so that the next start is quicker; "" keeps none."""
    if folder:
        import jax

        jax.config.update("jax_compilation_cache_dir", os.path.expanduser(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
