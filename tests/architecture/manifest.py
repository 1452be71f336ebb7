"""The manifest in a service's `__init__`, and the same three things as found in the service's code."""

import ast
import importlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from shared.db.tables import metadata
from shared.domain import events
from tests.architecture.tree import dotted, modules, parsed

_TYPE_NAMES = {kind.__name__: name for name, kind in events.TYPES.items()}
# Anyone who consumes can say this: the runtime does it for them.
_BY_THE_RUNTIME = events.RecordQuarantined.TYPE
# Anyone who holds the agreement in force with a database announces this: the runtime does it for them.
_BY_IN_FORCE = events.AgreementActivated.TYPE
# Ingest has no tables; what follows these words on its manifest is prose.
_SPOOL = frozenset({"the spool"})


@dataclass(frozen=True)
class Manifest:
    """What a service consumes (topics), publishes (event types) and stores (tables; words for what is no table)."""

    consumes: frozenset[str]
    publishes: frozenset[str]
    stores: frozenset[str]

    def lines(self) -> str:
        """As it is written in the docstring."""
        named = (("Consumes", self.consumes), ("Publishes", self.publishes), ("Stores", self.stores))
        return "\n".join(f"{label}: {', '.join(sorted(values)) or 'nothing'}" for label, values in named)


def declared(service: str) -> Manifest:
    """The manifest as it stands. Raises AssertionError when it has not all three parts."""
    text = " ".join((importlib.import_module(f"services.{service}").__doc__ or "").split())
    found = re.search(r"Consumes: (.*?) Publishes: (.*?) Stores: (.*)$", text)
    assert found, f"services/{service}/__init__.py needs three lines: 'Consumes: ...', 'Publishes: ...', 'Stores: ...'"
    consumes, publishes, stores = found.groups()
    return Manifest(
        _listed(consumes),
        _listed(publishes),
        _SPOOL if service == "ingest" and stores.startswith("the spool") else _listed(stores),
    )


def derived(service: str) -> Manifest:
    """The manifest that the code would have."""
    return Manifest(_topics(service), _types(service), _tables(service))


def _listed(part: str) -> frozenset[str]:
    values = {value.strip() for value in part.split(",")}
    return frozenset(values - {"nothing", ""})


def _topics(service: str) -> frozenset[str]:
    found: set[str] = set()
    for name in modules(f"services/{service}"):
        for node in ast.walk(parsed(name)):
            if isinstance(node, ast.Call) and _called(node) == "Consumption":
                found |= {_value(name, key) for key in _handlers(name, node).keys if key is not None}
    return frozenset(found)


def _handlers(name: str, call: ast.Call) -> ast.Dict:
    given = next((keyword.value for keyword in call.keywords if keyword.arg == "handlers"), None) or call.args[-1]
    assert isinstance(given, ast.Dict), f"{name}:{call.lineno}: write the handlers as a mapping from topic to handler"
    return given


def _value(name: str, expression: ast.expr) -> str:
    module = importlib.import_module(dotted(name))
    found = eval(compile(ast.Expression(expression), name, "eval"), dict(vars(module)))  # noqa: S307 (our own code)
    assert isinstance(found, str)
    return found


def _types(service: str) -> frozenset[str]:
    named = {word for name in modules(f"services/{service}") for word in _made(parsed(name))}
    consumes = bool(_topics(service))
    types = frozenset(_TYPE_NAMES[word] for word in named) - ({_BY_THE_RUNTIME} if consumes else set())
    return types | ({_BY_IN_FORCE} if _calls(service, "InForce") else set())


def _calls(service: str, name: str) -> bool:
    trees = (parsed(module) for module in modules(f"services/{service}"))
    return any(isinstance(node, ast.Call) and _called(node) == name for tree in trees for node in ast.walk(tree))


def _made(tree: ast.Module) -> Iterator[str]:
    """Names of events that are constructed, or passed on for that; not those that are only compared or described."""
    apart = {id(part) for node in ast.walk(tree) for top in _telling_apart(node) for part in ast.walk(top)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in _TYPE_NAMES and id(node) not in apart:
            yield node.id
        # Ingest's spool holds events as text next to their type's name.
        if isinstance(node, ast.keyword) and node.arg == "type" and isinstance(node.value, ast.Attribute):
            yield from (
                part.id for part in ast.walk(node.value) if isinstance(part, ast.Name) and part.id in _TYPE_NAMES
            )


_READING = ("isinstance", "issubclass", "decode", "Decoder")
_TELLING_APART: dict[type[ast.AST], Callable[[Any], Iterable[ast.AST | None]]] = {
    ast.FunctionDef: lambda node: [node.returns],
    ast.AsyncFunctionDef: lambda node: [node.returns],
    ast.arg: lambda node: [node.annotation],
    ast.AnnAssign: lambda node: [node.annotation],
    ast.MatchClass: lambda node: [node.cls],
    ast.Subscript: lambda node: [node.slice],
    ast.Compare: lambda node: [node],
    ast.BinOp: lambda node: [node],
    ast.Dict: lambda node: node.keys,
    ast.Attribute: lambda node: [node.value],
    ast.Call: lambda node: [*node.args, *node.keywords] if _called(node) in _READING else [],
}


def _telling_apart(node: ast.AST) -> Iterator[ast.AST]:
    return (part for part in _TELLING_APART.get(type(node), lambda _: [])(node) if part is not None)


def _called(call: ast.Call) -> str:
    return str(getattr(call.func, "id", None) or getattr(call.func, "attr", ""))


def _tables(service: str) -> frozenset[str]:
    for name in modules(f"services/{service}/store", f"services/{service}"):
        if "/store" in name:
            importlib.import_module(dotted(name))
    tables = {table for table in metadata.tables if table.startswith(f"{service}_")}
    return frozenset(tables) if service != "ingest" else _SPOOL
