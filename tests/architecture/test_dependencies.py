"""Every dependency that is declared is used: imported, run as a program, or loaded by a library that we import."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import PurePosixPath

from tests.architecture.tree import CODE, modules, texts

LOADED_BY_OTHERS = {
    "aiosqlite": "SQLAlchemy's driver for SQLite",
    "asyncpg": "SQLAlchemy's driver for PostgreSQL",
    "httptools": "uvicorn's parser",
    "sniffio": "httpcore looks for it with every request, which takes longer where it is missing",
}


def _declared(file: str) -> list[str]:
    lines = texts()[file].splitlines()
    return [line.split(">")[0].split("[")[0] for line in lines if line and not line.startswith(("#", "-r"))]


def _imported(*folders: str) -> set[str]:
    """The top-level modules that Python files below these folders import, or find by name."""
    found = re.compile(r"""^\s*(?:import|from)\s+(\w+)|find_spec\("(\w+)""", re.MULTILINE)
    return {one or other for name in modules(*folders) for one, other in found.findall(texts()[name])}


@cache
def _owners() -> Mapping[str, list[str]]:
    return packages_distributions()


def _modules(dependency: Distribution) -> set[str]:
    return {name for name, owners in _owners().items() if dependency.name in owners} | {dependency.name}


def _programs(dependency: Distribution) -> set[str]:
    scripts = {point.name for point in dependency.entry_points if point.group == "console_scripts"}
    return scripts | {file.name for file in dependency.files or () if PurePosixPath(file).parent.name == "bin"}


def _is_run(program: str) -> bool:
    callers = ("Makefile", "deploy/", "tests/")
    word = re.compile(rf"""[/"]{re.escape(program)}["\s]""")
    return any(word.search(text) for name, text in texts().items() if name.startswith(callers))


def test_what_the_services_declare_is_imported() -> None:
    imported = _imported(*CODE)
    unused = {name for name in _declared("requirements/base.in") if not _modules(distribution(name)) & imported}
    assert unused == LOADED_BY_OTHERS.keys(), "take what nothing imports out of base.in"


def test_what_the_tests_declare_is_imported_or_run_or_a_plugin_of_pytest() -> None:
    imported = _imported(*CODE, "tests")
    known = imported | {f"{module}-stubs" for module in imported}
    unused = [
        name
        for name in _declared("requirements/dev.in")
        if not _modules(dependency := distribution(name)) & known
        and not any(map(_is_run, _programs(dependency)))
        and not any(point.group == "pytest11" for point in dependency.entry_points)
    ]
    assert not unused, "take these out of dev.in"
