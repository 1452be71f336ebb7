"""Which rejections ask for attempts, and what counts for them within one request."""

import pytest

from services.ingest.domain.attempts import promise_before, still_missing
from services.ingest.domain.facts import Activity
from shared import agreement_file
from shared.domain.attempts import RecordedAttempts
from tests.services.test_rejections_after_attempts import TEXT

DEAL = agreement_file.parse(TEXT, "test.yaml").agreement
FOUND = RecordedAttempts("ld_1", "attempts", 1, 3, ("call", "email"), {"call": ("no_answer", "voicemail")})


def test_only_a_rejection_with_such_a_reason_asks_for_a_promise() -> None:
    assert promise_before(DEAL, Activity(kind="rejected", reason="unreachable")) == "attempts"
    assert promise_before(DEAL, Activity(kind="rejected", reason="no_budget")) is None
    assert promise_before(DEAL, Activity(kind="rejected", reason="unheard of")) is None
    assert promise_before(DEAL, Activity(kind="note", reason="unreachable")) is None


@pytest.mark.parametrize(
    ("earlier", "missing"),
    [
        ((), 2),
        ((Activity(kind="call", lead_id="ld_1", outcome="no_answer"),), 1),
        ((Activity(kind="call", lead_id="ld_1", outcome="connected"),), 2),
        ((Activity(kind="email", lead_id="ld_1", outcome="connected"),), 0),
        ((Activity(kind="email", lead_id="ld_1", outcome="bounced"),), 2),
        ((Activity(kind="meeting", lead_id="ld_1"),), 2),
        ((Activity(kind="email", lead_id="ld_2"),), 2),
        ((Activity(kind="email", lead_id="ld_1"), Activity(kind="call", lead_id="ld_1")), 0),
    ],
)
def test_attempts_of_the_same_request_count_for_their_lead(earlier: tuple[Activity, ...], missing: int) -> None:
    assert still_missing(FOUND, "ld_1", earlier) == missing
