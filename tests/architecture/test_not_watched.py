"""What is listed as not watched is read by no service, and every other key of the agreement and of events is."""

import ast
import dataclasses
import re
from collections.abc import Iterator
from functools import cache

import msgspec
import pytest

from shared.domain import agreement, events
from shared.domain.not_watched import NOT_WATCHED, NOT_WATCHED_IN_EVENTS
from tests.architecture.tree import ROOT

ACTING = (
    "services/ingest",
    "services/router",
    "services/sla_monitor",
    "services/delivery",
    "shared/agreements",
    "shared/domain",
)
KEYS = {
    "currency": "Agreement.currency",
    "review": "Agreement.review",
    "people.role": "Person.role",
    "content": "Agreement.content",
    "goals": "Agreement.goals",
}
OTHERWISE = {"languages", "skills", "territories", "calendars"}
"""Fields that are read by the name that `Only.attribute` has, and calendars, which people have."""
LABELS = {"name", "text", "code", "of", "every", "content_every"}
ACTED_ON = (
    agreement.Agreement,
    agreement.Mql,
    agreement.Person,
    agreement.Pool,
    agreement.Queue,
    agreement.Route,
    agreement.Promise,
    agreement.Ladder,
    agreement.Step,
    agreement.RejectReason,
    agreement.ScoreRule,
    agreement.Exclusion,
    agreement.Pilot,
)


@cache
def read() -> frozenset[tuple[str, str]]:
    """Each attribute that acting code reads, with the name of what it is read from."""
    return frozenset(_read())


def _read() -> Iterator[tuple[str, str]]:
    for folder in ACTING:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if file.name in ("not_watched.py", "agreement.py"):
                continue
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                    source = node.value
                    owner = source.attr if isinstance(source, ast.Attribute) else getattr(source, "id", "")
                    yield owner, node.attr


def test_each_listed_key_is_a_field() -> None:
    assert list(KEYS) == list(NOT_WATCHED)
    for place in KEYS.values():
        kind, _, name = place.partition(".")
        assert name in {field.name for field in dataclasses.fields(getattr(agreement, kind))}


@pytest.mark.parametrize("key", NOT_WATCHED)
def test_no_service_reads_a_key_that_is_not_watched(key: str) -> None:
    kind, _, name = KEYS[key].partition(".")
    owners = {"Agreement": {"agreement", "in_force"}, "Person": {"person"}}[kind]
    assert not [owner for owner, attribute in read() if attribute == name and owner in owners]


@pytest.mark.parametrize("kind", ACTED_ON)
def test_a_service_reads_every_other_key_of_the_agreement(kind: type) -> None:
    attributes = {attribute for _, attribute in read()} | OTHERWISE | LABELS
    listed = set(KEYS.values())
    fields = {f"{kind.__name__}.{field.name}" for field in dataclasses.fields(kind) if field.init} - listed
    assert sorted(field for field in fields if field.partition(".")[2] not in attributes) == []


@pytest.mark.parametrize("field", NOT_WATCHED_IN_EVENTS)
def test_no_service_acts_on_a_field_of_an_event_that_is_not_watched(field: str) -> None:
    kind, _, name = field.partition(".")
    assert name in {each.name for each in msgspec.structs.fields(getattr(events, kind))}
    owners = {"inquiry"} if kind == "InquiryReceived" else {"fact", "event"}
    assert not [owner for owner, attribute in read() if attribute == name and owner in owners]


def test_the_guide_names_the_fields_that_nothing_acts_on() -> None:
    guide = (ROOT / "docs" / "sending-leads.md").read_text()
    (named,) = [line for line in guide.splitlines() if line.startswith("Baton stores, publishes and shows, but")]
    assert re.findall(r"`(\w+)`", named) == [field.partition(".")[2] for field in NOT_WATCHED_IN_EVENTS]
