"""The project stands alone: it names no package host and no machine it was written on, and installs what is locked."""

import re
from pathlib import PurePosixPath

import pytest

from tests.architecture.tree import ROOT, documents, texts

_HOSTS = (
    r"pypi\.(org|python\.org)|pythonhosted\.org|conda\.anaconda\.org",
    r"repo1?\.maven\.(org|apache\.org)|central\.sonatype|oss\.sonatype\.org",
    r"registry\.npmjs\.org|registry\.yarnpkg\.com|unpkg\.com|cdn\.jsdelivr\.net|cdnjs\.cloudflare\.com",
    r"(deb|security|snapshot)\.debian\.org|(archive|security)\.ubuntu\.com|dl-cdn\.alpinelinux\.org",
    r"(proxy|sum)\.golang\.org|(index|static)\.crates\.io|rubygems\.org",
)
_WORKPLACE = (
    r"(?<![\w.\-])/work/(main|shared|\.)",
    r"(?<![\w.\-])/root/",
    r"/tmp/(brief|bash_jobs)",  # noqa: S108 (looked for, not used)
    r"/home/(?!\$|\{|nonroot|baton)\w+/",
)
_MAKING = (
    r"\b(claude|anthropic|openai|chatgpt|copilot|gpt-?\d|sub-?agents?)\b|\blanguage model",
    r"\b(written|made|generated) by (an? )?(ai|assistant|agent|model|bot)\b",
    r"\bai[- ](generated|written|assisted)\b|\b(this|previous|earlier|last|helper) session\b",
    r"\bthe (lead|helpers?) (commits?|decides?) (it|this|them)\b",
)
_UNFINISHED = (
    r"\b(TODO|FIXME|XXX|TBD|WIP)\b",
    r"\b(the|this|our) brief\b(?! (answer|outline|pause))",
    r"\bas (requested|instructed|asked)\b|\bwe (asked|were asked|have been asked)\b",
    r"\b(earlier|previous) (draft|version of this (page|document))\b",
)
# These name what must not be named.
_RULES = ("tests/architecture/test_self_contained.py",)


def _found(patterns: tuple[str, ...], files: dict[str, str], flags: int = re.IGNORECASE) -> list[str]:
    forbidden = re.compile("|".join(patterns), flags)
    return [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for name, text in files.items()
        if name not in _RULES
        for match in forbidden.finditer(text)
    ]


def test_no_file_names_a_package_host() -> None:
    assert not (found := _found(_HOSTS, texts())), "installers know their own hosts:\n" + "\n".join(found)


def test_no_file_names_the_machine_it_was_written_on() -> None:
    assert not (found := _found(_WORKPLACE, texts())), "\n".join(found)


def test_no_file_speaks_of_how_it_was_made() -> None:
    assert not (found := _found(_MAKING, texts())), "\n".join(found)


def test_no_document_is_unfinished_or_speaks_of_its_own_making() -> None:
    assert not (found := _found(_UNFINISHED, documents(), flags=0)), "\n".join(found)


def test_scripts_for_people_can_be_executed() -> None:
    dull = [
        name for name, text in texts().items() if text.startswith("#!") and not (ROOT / name).stat().st_mode & 0o111
    ]
    assert not dull, f"chmod +x: {dull}"


def _requirements(lock: str) -> dict[str, str]:
    """Each entry of a lock file, by the requirement that it pins."""
    text = re.sub(r"^\s*#.*\n", "", texts()[lock], flags=re.MULTILINE).replace("\\\n", " ")
    entries = [line.strip() for line in text.splitlines() if line.strip()]
    return {re.split(r"\s+--hash|\s*;", entry)[0].strip(): entry for entry in entries}


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_pins_every_requirement_by_version_and_hash(lock: str) -> None:
    entries = _requirements(lock)
    loose = [
        entry[:80]
        for pinned, entry in entries.items()
        if not re.fullmatch(r"[A-Za-z0-9_.\-\[\],]+==[^=\s]+", pinned) or "--hash=sha256:" not in entry
    ]
    assert entries
    assert not loose, f"no exact version, or no hash (make lock): {loose}"


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_names_no_place_to_install_from(lock: str) -> None:
    assert not re.findall(
        r"^\s*(?:-i|--(?:extra-)?index-url|--find-links|-f|--trusted-host)\b|://", texts()[lock], re.MULTILINE
    )


def test_a_development_environment_runs_the_same_versions() -> None:
    running, developing = _requirements("requirements.lock"), _requirements("requirements-dev.lock")
    assert not set(running) - set(developing), "make lock"


@pytest.mark.parametrize(("wanted", "lock"), [("base.in", "requirements.lock"), ("dev.in", "requirements-dev.lock")])
def test_everything_wanted_is_locked(wanted: str, lock: str) -> None:
    lines = [line.split("#")[0].strip() for line in texts()[str(PurePosixPath("requirements") / wanted)].splitlines()]
    names = {_normal(re.split(r"[\[<>=~! ]", line)[0]) for line in lines if line and not line.startswith("-")}
    locked = {_normal(re.split(r"[\[=]", pinned)[0]) for pinned in _requirements(lock)}
    assert not names - locked, f"not in {lock} (make lock): {sorted(names - locked)}"


def _normal(name: str) -> str:
    """A distribution's name as locks write it."""
    return re.sub(r"[-_.]+", "-", name).lower()
