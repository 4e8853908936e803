"""Reads from the syntax of Python code what it imports and names, without importing it."""

import ast
import pathlib
from collections.abc import Iterator


def modules(root: pathlib.Path, package: str) -> dict[str, ast.Module]:
    """{dotted name: syntax} of the modules of a package; `__init__` has the package's name."""
    found = {}
    for path in sorted((root / package).rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def imported(name: str, tree: ast.Module, known: dict[str, ast.Module]) -> set[str]:
    """All imports of a module; `from a import b` counts as `a.b` if that is `known`."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}:{node.lineno}: a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in known else str(node.module))
    return found - {name}


def spelt(node: ast.AST) -> str:
    """The dotted name, such as `jax.pmap`, that a node spells; "" if it spells none."""
    if isinstance(node, ast.Attribute):
        inner = spelt(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return node.id if isinstance(node, ast.Name) else ""


def dotted(tree: ast.Module) -> set[str]:
    """The dotted names in code, such as `jax.pmap`, also those in imports."""
    found = set(map(spelt, ast.walk(tree)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def calls(tree: ast.Module) -> Iterator[tuple[str, dict[str | None, ast.expr]]]:
    """Yields (called name, {keyword: value}) of each call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield spelt(node.func), {word.arg: word.value for word in node.keywords}


def within_cycles(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The edges that are part of a cycle."""
    reached = {node: {node} for edge in edges for node in edge}
    growing = True
    while growing:
        growing = False
        for begin, end in edges:
            if not reached[end] <= reached[begin]:
                reached[begin] |= reached[end]
                growing = True
    return {(begin, end) for begin, end in edges if begin in reached[end]}
