"""What can be asked of Baton: its routes, taken from built services that never start, and its commands."""

import importlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer

from services.cli.app import app
from shared.bus.embedded import EmbeddedBus
from shared.bus.topics import read_topics
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.http.keys import Keys
from shared.runtime.service import Platform, Service
from shared.runtime.web import Web
from shared.settings import Settings
from tests.architecture.tree import ROOT, SERVICES

_PARAMETER = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True)
class Route:
    """One address. `path` is a template, or a beginning when it ends in a slash; `methods` None takes any."""

    path: str
    methods: frozenset[str] | None
    service: str | None
    """None for what every process answers."""

    def answers(self, method: str, path: str) -> bool:
        """Whether a request with this method and concrete path gets here."""
        if self.methods is not None and method not in self.methods:
            return False
        # What a reader fills in ($LEAD, <id>, {id}) stands for one step of the path.
        pattern = "".join("[^/]+" if _PARAMETER.fullmatch(part) else re.escape(part) for part in _steps(self.path))
        return bool(re.fullmatch(pattern + (".+" if self.path.endswith("/") and len(self.path) > 1 else ""), path))


def _steps(path: str) -> list[str]:
    return [part for part in re.split(r"(\{[^}]*\})", path) if part]


@cache
def routes() -> tuple[Route, ...]:
    """Every address of every service."""
    with TemporaryDirectory() as folder:
        platform = _platform(Path(folder))
        services = [importlib.import_module(f"services.{name}.service").build(platform) for name in SERVICES]
        return tuple(_of(platform, services))


def _platform(folder: Path) -> Platform:
    settings = Settings(data=folder, agreement=ROOT / "deploy/agreement.example.yaml")
    clock = SystemClock()
    database = Database(f"sqlite+aiosqlite:///{folder}/baton.db", clock)
    return Platform(
        settings, {}, clock, EmbeddedBus(folder / "log.db", read_topics(), clock), database, Keys.load(settings)
    )


def _of(platform: Platform, services: list[Service]) -> Iterator[Route]:
    for service in services:
        yield from (Route(path, None, service.name) for path in service.endpoints)
        for router in service.routers:
            yield from _routes(router.routes, service.name)
    yield from _routes(Web(platform, []).app.routes, None)


def _routes(found: Iterable[Any], service: str | None) -> Iterator[Route]:
    for route in found:
        if hasattr(route, "original_router"):
            yield from _routes(route.original_router.routes, service)
        elif methods := getattr(route, "methods", None):
            yield Route(route.path, frozenset(methods), service)
        else:
            yield Route(route.path.rstrip("/") + "/", None, service)


def command_exists(words: list[str]) -> bool:
    """Whether `./baton WORDS...` begins with a command. Words after the command are its own."""
    node: Any = typer.main.get_command(app)
    while (commands := getattr(node, "commands", None)) is not None:
        if not words or words[0].startswith("-"):
            return True
        if words[0] not in commands:
            return False
        node, words = commands[words[0]], words[1:]
    return True
