"""When an activity counts that its sender dates."""

from datetime import timedelta

import msgspec
import pytest

from services.ingest.domain.answers import activity_results
from services.ingest.domain.dating import AHEAD, Dating
from services.ingest.domain.facts import Activity, recorded
from services.ingest.domain.pending_event import Accepted
from shared.domain.activities import ANSWERS
from shared.domain.errors import Refused
from shared.domain.events import ActivityRecorded
from tests.kit.clocks import ManualClock
from tests.kit.events import NINE

DATING = Dating(ManualClock(), timedelta(hours=24))
JUST = timedelta(microseconds=1)


def call(back: timedelta | None, kind: str = "call") -> Activity:
    """An activity of this kind that happened so long before nine."""
    return Activity(kind=kind, lead_id="ld_1", occurred_at=None if back is None else NINE - back)  # type: ignore[arg-type]


@pytest.mark.parametrize("back", [JUST, timedelta(hours=1), timedelta(hours=24)])
@pytest.mark.parametrize("kind", ANSWERS)
def test_a_trusted_sender_dates_calls_mails_and_meetings_within_the_limit(kind: str, back: timedelta) -> None:
    assert DATING.happened_at(call(back, kind), trusted=True) == NINE - back


@pytest.mark.parametrize("back", [None, timedelta(), -JUST, -AHEAD])
def test_what_is_not_dated_or_a_little_ahead_counts_from_its_acceptance(back: timedelta | None) -> None:
    assert DATING.happened_at(call(back), trusted=True) is None


@pytest.mark.parametrize("trusted", [True, False])
def test_nobody_may_report_what_is_still_to_happen(trusted: bool) -> None:
    with pytest.raises(Refused, match="in the future") as refused:
        DATING.happened_at(call(-AHEAD - JUST, "note"), trusted=trusted)
    assert (refused.value.status, refused.value.pointer) == (422, "/occurred_at")


def test_what_is_dated_back_too_far_is_refused_with_the_limit_if_it_would_count() -> None:
    long_ago = timedelta(hours=24) + JUST
    with pytest.raises(Refused, match=r"1 day, 0:00:00.*BATON_INGEST_DATED_BACK_S") as refused:
        DATING.happened_at(call(long_ago), trusted=True)
    assert (refused.value.status, refused.value.pointer) == (422, "/occurred_at")
    assert DATING.happened_at(call(long_ago), trusted=False) is None
    assert DATING.happened_at(call(long_ago, "won"), trusted=True) is None


def test_a_decision_counts_from_when_it_is_reported_whoever_dates_it() -> None:
    for kind in ("accepted", "rejected", "paused", "disputed", "stage", "note"):
        assert DATING.happened_at(call(timedelta(hours=1), kind), trusted=True) is None


def test_the_event_and_the_answer_say_from_when_it_counts() -> None:
    sent = msgspec.structs.replace(call(timedelta(hours=1)), activity_id="crm-1")
    pending = recorded(sent, sender="crm", raw=b"", happened_at=NINE - timedelta(hours=1))
    event = msgspec.json.decode(pending.value_at(pending.id, '"2026-11-23T09:00:00Z"'), type=ActivityRecorded)
    assert (event.happened_at, event.sender) == (NINE - timedelta(hours=1), "crm")
    [first] = _results(pending, duplicate=False)
    assert first["counts_at"] == (NINE - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    plain = recorded(sent, sender="crm", raw=b"")
    assert "happened_at" not in plain.value_at(plain.id, '"2026-11-23T09:00:00Z"')
    assert (plain.repeat_key, plain.content, plain.id) == (pending.repeat_key, pending.content, pending.id)
    assert [each for found in (_results(plain, duplicate=False), _results(pending, duplicate=True)) for each in found
            if "counts_at" in each] == []  # fmt: skip


def _results(pending: object, *, duplicate: bool) -> list[dict[str, str]]:
    outcome = Accepted("crm-1", "ld_1", duplicate)
    found: list[dict[str, str]] = msgspec.json.decode(activity_results([pending], [outcome]))["results"]  # type: ignore[list-item]
    return found
