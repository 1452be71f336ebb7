"""The files of this checkout as the architecture tests read them: what git tracks or would track, parsed at most
once.
"""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = ("shared", "services", "deploy")
SERVICES = ("ingest", "router", "sla_monitor", "delivery", "scoreboard")
MIGRATIONS = "deploy/migrations/"


@cache
def tracked() -> tuple[str, ...]:
    """Every file that git tracks or would add, by its path from the root; the tree's own files where git is absent."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    names = set(listing.stdout.split("\0")) - {""}
    return tuple(sorted(name for name in names if (ROOT / name).is_file()))


@cache
def texts() -> dict[str, str]:
    """The text of each tracked file that is UTF-8."""
    found = {}
    for name in tracked():
        try:
            found[name] = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


def documents() -> dict[str, str]:
    """Every markdown file."""
    return {name: text for name, text in texts().items() if name.endswith(".md")}


def modules(*folders: str) -> list[str]:
    """The Python files below these folders, without migrations: those are frozen once written."""
    beginnings = tuple(f"{folder}/" for folder in folders)
    return [
        name
        for name in tracked()
        if name.endswith(".py") and name.startswith(beginnings) and not name.startswith(MIGRATIONS)
    ]


@cache
def parsed(name: str) -> ast.Module:
    """The syntax tree of one file."""
    return ast.parse((ROOT / name).read_text(encoding="utf-8"), name)


def dotted(name: str) -> str:
    """A file's import path.

    >>> dotted("shared/bus/__init__.py"), dotted("shared/bus/topics.py")
    ('shared.bus', 'shared.bus.topics')
    """
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(name: str) -> Iterator[str]:
    """The import paths that a file imports, anywhere in it. What it imports from a module may be a module too."""
    for node in ast.walk(parsed(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(name: str) -> Iterator[Function]:
    """Every function of a file, nested ones and methods too."""
    return (node for node in ast.walk(parsed(name)) if isinstance(node, Function))


def own_lines(function: Function) -> int:
    """Lines of a function's body without its docstring; a function nested in it counts for itself, not here."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    lines = (function.end_lineno or 0) - _first_line(body[0]) + 1
    return lines - sum((nested.end_lineno or 0) - _first_line(nested) + 1 for nested in _nested(body))


def _nested(body: list[ast.stmt]) -> Iterator[Function]:
    for statement in body:
        if isinstance(statement, Function):
            yield statement
        else:
            yield from _nested(
                [child for child in ast.walk(statement) if child is not statement and isinstance(child, Function)]
            )


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min(statement.lineno, *(decorator.lineno for decorator in decorators), statement.lineno)


def public_definitions(name: str) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Public classes and functions of a file and the public methods of its public classes, with their names."""
    for node in parsed(name).body:
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        yield node.name, node
        if isinstance(node, ast.ClassDef):
            for child in node.body:
                if isinstance(child, Function) and not child.name.startswith("_"):
                    yield f"{node.name}.{child.name}", child
