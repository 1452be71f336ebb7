"""The "How to add" tables of CONTRIBUTING name files that exist, and all that the code shows to be needed."""

import re
import tomllib
from collections.abc import Mapping

import msgspec
import pytest

from services.ingest.sources import configuration
from services.scoreboard.domain.kpis import kpis
from services.scoreboard.domain.timeline_text import SENTENCES
from shared.agreement_file.build.channels import KINDS
from shared.domain.events import PUBLIC, TYPES
from tests.architecture.tree import texts, tracked
from tests.kit import events

EXAMPLES = {
    "A source": "google_ads|GoogleAds",
    "A channel": "pagerduty",
    "A ladder step": "if_unanswered",
    "An event type": "BreachRetracted",
    "A KPI": r"\bkpis\b",
}
"""One that there is, by the name that its files have in common."""

OTHERS = {
    "A source": {
        "deploy/sources.example.yaml",
        "tests/services/ingest_kit.py",
        "tests/services/test_ingest_sources.py",
        "tests/fuzz/targets.py",
        "docs/sending-leads.md",
    },
    "A channel": {
        "tests/data/agreement_full.yaml",
        "tests/unit/shared/test_agreement_file_full.py",
        "tests/unit/shared/agreement_text/test_diff.py",
        "docs/agreement.md",
    },
    "A KPI": {
        "services/scoreboard/domain/inquiries.py",
        "services/scoreboard/pages/templates/panels.html",
        "tests/unit/services/scoreboard/domain/test_kpis.py",
        "docs/scoreboard.md",
    },
    "A ladder step": {
        "shared/agreement_file/schema/promise_schema.py",
        "tests/unit/services/sla_monitor/domain/test_ladder.py",
        "tests/unit/shared/agreement_text/test_diff.py",
        "docs/promises.md",
    },
    "An event type": {
        "services/sla_monitor/__init__.py",
        "tests/architecture/meanings.py",
        "tests/kit/events.py",
        "services/scoreboard/domain/timeline_text.py",
        "tests/unit/services/scoreboard/domain/test_timeline_text.py",
        "docs/events.md",
    },
    "A table or a column": {
        "services/router/store/tables.py",
        "services/router/store/trimming.py",
        "services/router/__init__.py",
        "tests/adapters/test_schema.py",
        "docs/production.md",
    },
    "A setting": {"services/router/settings.py", "docs/settings.md", "docker-compose.yml"},
    "A metric": {"shared/metrics.py", "docs/metrics.md"},
    "A module or an import contract": {"pyproject.toml", "ARCHITECTURE.md"},
}
"""What an addition needs besides: files that do not have the example's name in them, tests, documents."""


def tables() -> Mapping[str, list[str]]:
    """The files of each table, by its heading."""
    _, _, rest = texts()["CONTRIBUTING.md"].partition("\n## How to add ...\n")
    parts = re.split(r"^### (.+)$", rest.partition("\n## ")[0], flags=re.MULTILINE)[1:]
    return {
        heading: re.findall(r"^\| `([^`]+)`", part, flags=re.MULTILINE)
        for heading, part in zip(parts[::2], parts[1::2], strict=True)
    }


def test_every_file_of_a_table_exists() -> None:
    named = {path for part in tables().values() for path in part}
    assert len(named) > 30
    assert named <= set(tracked())


def test_every_kind_of_addition_has_a_table() -> None:
    assert set(tables()) == {*OTHERS, "A dependency"}
    assert set(EXAMPLES) < set(OTHERS)


@pytest.mark.parametrize(("heading", "name"), EXAMPLES.items(), ids=EXAMPLES)
def test_a_table_names_every_code_file_that_an_existing_one_needed(heading: str, name: str) -> None:
    needed = {
        path
        for path, text in texts().items()
        if path.startswith(("shared/", "services/")) and path.endswith(".py") and re.search(name, text)
    }
    # Hand all KPIs to the page and the API, whichever there are.
    needed -= {"services/scoreboard/pages/view.py", "services/scoreboard/api/figures.py"}
    needed -= {"shared/domain/agreement.py"} if heading == "A channel" else set()  # names one in a docstring
    # Count or check retractions.
    needed -= {"services/sla_monitor/store/states.py", "services/scoreboard/domain/audit/notes.py"}
    assert needed <= set(tables()[heading]), f"a row of CONTRIBUTING.md, ### {heading}, is missing"


@pytest.mark.parametrize(("heading", "needed"), OTHERS.items(), ids=OTHERS)
def test_a_table_names_the_tests_and_documents_too(heading: str, needed: set[str]) -> None:
    assert needed <= set(tables()[heading]), f"a row of CONTRIBUTING.md, ### {heading}, is missing"


def test_a_migration_that_adds_a_table_and_a_column_is_named() -> None:
    named = [name for name in tables()["A table or a column"] if name.startswith("deploy/migrations/versions/")]
    assert named
    assert all("op.create_table(" in texts()[name] and "op.add_column(" in texts()[name] for name in named)


def test_every_source_is_configured_tested_shown_and_documented() -> None:
    types = [str(tag) for kind in _structs(configuration) if (tag := kind.__struct_config__.tag)]
    assert len(types) >= 2
    for name in types:
        for path in ("deploy/sources.example.yaml", "tests/services/ingest_kit.py"):
            assert f"type: {name}" in texts()[path], f"{path} shows no source of type {name}"
        row = f"[a {name.replace('_', ' ')} source](#"
        assert row in texts()["docs/sending-leads.md"].lower(), f"docs/sending-leads.md has no row for {name}"
    classes = {
        found
        for path in tracked()
        if re.fullmatch(r"services/ingest/sources/[a-z_]+\.py", path) and "/__init__" not in path
        for found in re.findall(r"^class (\w+).*?^    def verify\(", texts()[path], re.MULTILINE | re.DOTALL)
    }
    assert len(classes) == len(types)
    for name in classes:
        assert re.search(rf"\b{name}\(", texts()["services/ingest/sources/configuration.py"]), name


def test_every_channel_is_documented() -> None:
    described = texts()["docs/agreement.md"].partition("The channel on which to notify each role")[2][:1200]
    for kind, options in KINDS.items():
        for name in (kind, *options):
            assert f"`{name}`" in described, f"docs/agreement.md does not name the channel or option {name}"


def test_every_kpi_has_a_row_and_a_test() -> None:
    for kpi in kpis({}):
        assert f"| {kpi.label} |" in texts()["docs/scoreboard.md"]
        assert f'"{kpi.name}"' in texts()["tests/unit/services/scoreboard/domain/test_kpis.py"]


def test_every_public_event_has_a_sentence_a_page_and_a_builder() -> None:
    built = {
        function.__annotations__["return"]
        for function in vars(events).values()
        if callable(function) and getattr(function, "__module__", "") == events.__name__
    }
    unbuilt = {TYPES[name] for name in PUBLIC} - built
    assert {TYPES[name] for name in PUBLIC} <= set(SENTENCES)
    assert unbuilt == set(), f"tests/kit/events.py has no builder for {unbuilt}"
    assert all(f"docs/schemas/{name}.json" in tracked() and name in texts()["docs/events.md"] for name in PUBLIC)


def test_every_import_contract_is_in_the_architecture() -> None:
    contracts = tomllib.loads(texts()["pyproject.toml"])["tool"]["importlinter"]["contracts"]
    rows = re.findall(r"^\| ([a-z, -]+) \|", texts()["ARCHITECTURE.md"], flags=re.MULTILINE)
    explained = {name for row in rows for name in row.split(", ")}
    assert {contract["id"] for contract in contracts} <= explained


def _structs(module: object) -> list[type[msgspec.Struct]]:
    found = vars(module).values()
    return [each for each in found if isinstance(each, type) and issubclass(each, msgspec.Struct)]
