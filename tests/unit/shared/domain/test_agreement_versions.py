"""Which version is in force, which matter from now on, and which new one may follow."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.domain.agreement_versions import Schedule, Version, objection, relevant_versions, stored_version, warning
from shared.domain.approvals import Approval
from tests.kit.agreements import agreement

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
FIRST = agreement()


def version(number: int, days: int, *, name: str = "test", digest: str = "") -> Version:
    """One that takes effect some days after now."""
    given = stored_version(FIRST, NOW)
    digest = digest or f"sha256:{name}{number}"
    return replace(given, name=name, version=number, hash=digest, effective_from=NOW + timedelta(days=days))


def numbers(versions: list[Version], name: str = "test", before: Version | None = None) -> list[tuple[str, int]]:
    return [(each.name, each.version) for each in relevant_versions(versions, name, NOW, before)]


def test_the_latest_instant_counts_and_then_the_higher_number() -> None:
    assert numbers([version(3, -1), version(1, -2), version(2, -1), version(4, 1)])[1:] == [("test", 3), ("test", 4)]
    assert numbers([version(5, 3), version(6, 1)]) == [("test", 6), ("test", 5)]
    assert numbers([version(1, 0)]) == [("test", 1)]


def test_another_agreement_stays_until_the_first_version_takes_effect() -> None:
    old = version(7, -9, name="old")
    assert numbers([old, version(1, 1)], before=old) == [("old", 7), ("test", 1)]
    assert numbers([old, version(1, 0)], before=old) == [("test", 1)]


def test_a_schedule_changes_at_the_instant() -> None:
    second = replace(FIRST, version=2)
    schedule = Schedule([(NOW, FIRST), (NOW + timedelta(days=1), second)])
    assert schedule.at(NOW - timedelta(microseconds=1)) is None
    assert schedule.at(NOW) is schedule.at(NOW + timedelta(days=1, microseconds=-1)) is FIRST
    assert schedule.at(NOW + timedelta(days=1)) is second
    assert schedule.next_after(NOW) == NOW + timedelta(days=1)
    assert schedule.next_after(NOW + timedelta(days=1)) is None


@pytest.mark.parametrize(
    ("number", "days", "digest", "versions", "message"),
    [
        (1, 0, "a", [], None),
        (2, 0, "a", [version(1, -1)], None),
        (1, -1, "a", [version(1, -1, digest="a")], None),
        (1, -1, "b", [version(1, -1, digest="a")], "version 1 is stored with other content"),
        (2, 5, "b", [version(1, -1), version(2, 5)], "from the highest that is stored (2)"),
        (1, -1, "a", [version(1, -2, digest="a"), version(2, -1)], "version 1 is lower than version 2"),
        (2, 3, "a", [version(1, -2), version(3, 3)], None),
        (2, -2, "a", [version(1, -1)], "version 2 would never be in force: let `effective_from` be 2026-11-22T09:00"),
        (1, -2, "a", [version(1, -1, name="other"), version(2, -1, name="other")], None),
    ],
)
def test_what_may_not_follow_is_refused_with_what_to_do(
    number: int, days: int, digest: str, versions: list[Version], message: str | None
) -> None:
    new = replace(FIRST, version=number, hash=digest, effective_from=NOW + timedelta(days=days))
    against = objection(new, versions, NOW)
    assert against is None if message is None else message in (against or "")


@pytest.mark.parametrize(("days", "refused"), [(0, False), (1, True), (1200, True)])
def test_an_approval_counts_from_its_day_in_the_agreements_zone(days: int, refused: bool) -> None:
    late = NOW.replace(hour=23)  # already the next day in Brussels
    signed = Approval("Sal", late.astimezone(ZoneInfo("Europe/Brussels")).date() + timedelta(days=days))
    new = replace(FIRST, timezone="Europe/Brussels", approved_by={"sales": signed})
    assert ("Sal approves only on" in (objection(new, [], late) or "")) is refused
    assert objection(new, [version(1, -1, digest=new.hash)], late) is None


def test_a_lower_version_that_will_take_over_is_reported() -> None:
    new = replace(FIRST, version=3, effective_from=NOW)
    assert "version 2 is stored too and takes over from version 3" in (warning(new, [version(2, 1)]) or "")
    assert warning(new, [version(1, -1), version(2, 0), version(4, 9), version(2, 9, name="other")]) is None
