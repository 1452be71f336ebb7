"""The reverse proxy (deploy/Caddyfile) sends every address to the service that has it, so both layouts answer alike."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pytest

from tests.architecture.surface import Route, routes
from tests.architecture.tree import texts

_HANDLE = re.compile(r"^\thandle(?: (\S+))? \{\n(.*?)^\t\}", re.MULTILINE | re.DOTALL)
_TO = re.compile(r"\{\$FRONT_([A-Z_]+):[a-z_]+:\d+\}")


@dataclass(frozen=True)
class _Rule:
    """Requests with one of `methods` (None: any) on one of `paths` (None: any) go to `service` (None: no service)."""

    methods: frozenset[str] | None
    paths: tuple[str, ...] | None
    service: str | None

    def takes(self, method: str, path: str) -> bool:
        return (self.methods is None or method in self.methods) and (
            self.paths is None or any(_matches(path, pattern) for pattern in self.paths)
        )


def _matches(path: str, pattern: str) -> bool:
    """A star at the end takes the rest of the path, one within takes one step."""
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1]) if "*" not in pattern[:-1] else fnmatchcase(path, pattern)
    return path.count("/") == pattern.count("/") and fnmatchcase(path, pattern)


def _rules() -> Iterator[_Rule]:
    """In the order in which the reverse proxy tries them: single addresses, named groups as written, the rest."""
    text = texts()["deploy/Caddyfile"]
    handles = [(matcher, _service(body)) for matcher, body in _HANDLE.findall(text)]
    yield from (_Rule(None, (matcher,), service) for matcher, service in handles if matcher.startswith("/"))
    for matcher, service in handles:
        if matcher.startswith("@"):
            found = re.search(rf"^\t{matcher} (?:path (.+)|\{{\n(.*?)^\t\}})", text, re.MULTILINE | re.DOTALL)
            assert found, f"{matcher} is not defined"
            block = found[2] or ""
            methods = re.search(r"^\s*method (.+)$", block, re.MULTILINE)
            paths = (found[1] or "").splitlines()[:1] or re.findall(r"^\s*path (.+)$", block, re.MULTILINE)
            yield _Rule(frozenset(methods[1].split()) if methods else None, tuple(paths[0].split()), service)
    yield from (_Rule(None, None, service) for matcher, service in handles if not matcher)


def _service(body: str) -> str | None:
    found = _TO.search(body)
    return found[1].lower() if found else None


def _asked(route: Route) -> Iterator[tuple[str, str]]:
    path = re.sub(r"\{[^}]*\}", "x1", route.path)
    methods = route.methods or ("POST",)
    return ((method, path + "x1" if path.endswith("/") and path != "/" else path) for method in methods)


def _addresses() -> list[tuple[str, str, str]]:
    return sorted((method, path, r.service) for r in routes() if r.service is not None for method, path in _asked(r))


def test_every_route_gets_to_the_service_that_has_it() -> None:
    rules = list(_rules())
    astray = [
        f"{method} {path} goes to {taken}, belongs to {service}"
        for method, path, service in _addresses()
        if (taken := next(rule.service for rule in rules if rule.takes(method, path))) != service
    ]
    assert not astray, "\n".join(astray)


@pytest.mark.parametrize("path", ["/metrics", "/healthz"])
def test_the_endpoint_answers_for_itself(path: str) -> None:
    assert next(rule.service for rule in _rules() if rule.takes("GET", path)) is None
