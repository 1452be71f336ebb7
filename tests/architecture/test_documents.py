"""What the documents name exists: files, targets, commands, addresses, topics, metrics and settings."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from shared.domain.events import TOPICS, TYPES
from tests.architecture.metrics_page import sample_names
from tests.architecture.settings_page import names as setting_names
from tests.architecture.surface import command_exists, routes
from tests.architecture.tree import ROOT, documents, texts, tracked

_FENCE = re.compile(r"^(`{3,})(\w*)[^\n]*\n(.*?)^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_SHELLS = ("bash", "console", "sh", "shell")
# A path into this tree, unless a part of it is left open (services/<name>, deploy/*).
_PATH = re.compile(r"(?<![\w/.<}-])((?:shared|services|deploy|tests|docs)/[\w./-]*\w)(?![\w*<{/]*[*<{])")
# What looks like a metric and is something else: a message header.
_NO_METRICS = {"baton_inquiry", "baton_owner", "baton_services"}


def _prose(text: str) -> str:
    return _FENCE.sub("", text)


def _commands(text: str) -> Iterator[str]:
    """The command lines of a document's shell blocks, continued lines joined, the prompt taken off."""
    for _, language, block in _FENCE.findall(text):
        if language in _SHELLS:
            for line in block.replace("\\\n", " ").splitlines():
                yield re.sub(r"^\s*(\$ )?", "", line)


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#{1,6} (.+?)\s*#*$", _FENCE.sub("", text), re.MULTILINE)
    plain = [re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def _missing_links() -> Iterator[str]:
    for name, text in documents().items():
        for plain, picture in _LINK.findall(_prose(text)):
            target = urlsplit(plain or picture)
            if target.scheme or target.netloc:
                continue
            path = (PurePosixPath(name).parent / unquote(target.path)) if target.path else PurePosixPath(name)
            file = (ROOT / path).resolve()
            if not file.exists():
                yield f"{name}: {plain or picture}"
            elif (
                target.fragment
                and file.suffix == ".md"
                and target.fragment not in _anchors(file.read_text(encoding="utf-8"))
            ):
                yield f"{name}: {plain or picture} (no such heading)"


def test_every_link_between_documents_leads_somewhere() -> None:
    assert not (missing := list(_missing_links())), "\n".join(missing)


def test_every_make_command_in_a_document_is_a_target() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", texts()["Makefile"], re.MULTILINE))
    unknown = [
        f"{name}: {line}"
        for name, text in documents().items()
        for line in _commands(text)
        for word in re.findall(r"^make((?: [a-z][a-z-]*)*)", line)
        if not set(word.split()) <= targets
    ]
    assert not unknown, "\n".join(unknown)


def test_every_baton_command_in_a_document_exists() -> None:
    unknown = [
        f"{name}: {line}"
        for name, text in documents().items()
        for line in _commands(text)
        for found in re.findall(r"(?:^|[|;&(] *)(?:\./)?baton +([^|;&)#]*)", line)
        if not command_exists(found.split())
    ]
    assert not unknown, "\n".join(unknown)


def _requests(line: str) -> Iterator[tuple[str, str]]:
    """Method and path of each request that a curl command makes to Baton."""
    if not re.search(r"(^|[|;&(] *)curl\b", line):
        return
    given = re.search(r"(?:-X|--request)[ =]?([A-Z]+)", line)
    sends = re.search(r" (-d|--data\S*|--json|-F|--form|-T)\b", line)
    method = given[1] if given else "POST" if sends else "GET"
    for path in re.findall(r"(?:localhost|127\.0\.0\.1|\$\{?\w+\}?)(?::\d+)?(/[^\s'\"?#]*)", line):
        if not re.search(r"[@=]\$?\{?\w*\}?" + re.escape(path), line):
            yield method, path


def test_every_curl_command_in_a_document_asks_an_address_that_exists() -> None:
    unknown = [
        f"{name}: {method} {path}"
        for name, text in documents().items()
        for line in _commands(text)
        for method, path in _requests(line)
        if not any(route.answers(method, path) for route in routes())
    ]
    assert not unknown, "\n".join(unknown)


def test_every_route_in_a_document_exists() -> None:
    unknown = [
        f"{name}: {method} {path}"
        for name, text in documents().items()
        for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^\s`?]*)[^`]*`", text)
        if not any(route.answers(method, path) for route in routes())
    ]
    assert not unknown, "\n".join(unknown)


def test_every_topic_and_event_type_that_is_named_exists() -> None:
    known = {*TOPICS, *TYPES}
    unknown = {
        f"{name}: {found}"
        for name, text in texts().items()
        if not name.startswith("tests/")
        for found in re.findall(r"\bbaton\.[a-z_]+(?:\.[a-z_]+)*\.v\d+\b", text)
        if found not in known
    }
    assert not unknown, "\n".join(sorted(unknown))


def test_every_metric_in_a_document_or_dashboard_exists() -> None:
    places = [
        name for name in tracked() if name.endswith(".md") or name.startswith(("deploy/grafana/", "deploy/prometheus/"))
    ]
    unknown = {
        f"{name}: {found}"
        for name in places
        for found in re.findall(r"(?<![\w:.-])baton_[a-z0-9_]*[a-z0-9]\b(?![*.])", texts().get(name, ""))
        if found not in sample_names() | _NO_METRICS
    }
    assert not unknown, "\n".join(sorted(unknown))


def test_every_setting_that_is_named_is_read() -> None:
    # `BATON_X` stands for any field in shared/settings.py; a name that ends in _ is a prefix.
    unknown = {
        f"{name}: {found}"
        for name, text in texts().items()
        if not name.startswith("tests/")
        for found in re.findall(r"(?<!\w)BATON_[A-Z0-9_]*[A-Z0-9](?![\w*]|_?\.\.\.)", text)
        if found not in setting_names() | {"BATON_X", "BATON_X_FILE"}
    }
    assert not unknown, "\n".join(sorted(unknown))


def test_every_baton_command_that_code_names_exists() -> None:
    unknown = {
        f"{name}: {found}"
        for name, text in texts().items()
        if not name.startswith("tests/")
        for found in re.findall(r"\./baton((?: [a-z][a-z-]*)+)", text)
        if not command_exists(found.split())
    }
    assert not unknown, "\n".join(sorted(unknown))


def test_every_test_that_a_document_names_exists() -> None:
    tests = "\n".join(text for name, text in texts().items() if name.startswith("tests/") and name.endswith(".py"))
    known = {*re.findall(r"def (test_\w+)", tests), *(PurePosixPath(name).stem for name in tracked())}
    gone = {
        f"{name}: {found}"
        for name, text in documents().items()
        for found in re.findall(r"\b(test_[a-z0-9_]+)\b", text)
        if found not in known
    }
    assert not gone, "\n".join(sorted(gone))


def test_every_file_that_is_named_exists() -> None:
    """In documents any path into this tree, in code any document."""
    gone = {
        f"{name}: {found}"
        for name, text in texts().items()
        if not name.startswith("tests/")
        for found in re.findall(
            r"(?<![\w/.<}-])((?:shared|services|deploy|tests|docs)/[\w./-]*\w)(?![\w*<{/]*[*<{])", text
        )
        if (name.endswith(".md") or found.endswith(".md"))
        if not (ROOT / found).exists()
    }
    assert not gone, "\n".join(sorted(gone))
