"""What each partition waits for, and that nothing is called held that is only moments behind."""

from datetime import UTC, datetime, timedelta

import pytest

from services.sla_monitor.domain.lag import PartitionLag, lags, summary
from services.sla_monitor.domain.watermark import LEFT, Watermark

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def lag(*marks: Watermark, look_at: datetime | None = None) -> PartitionLag:
    looks = {0: look_at} if look_at is not None else {}
    [found] = lags(marks, looks, {0: 3}, now=NOW, tolerance=timedelta(seconds=2))
    return found


def test_a_partition_is_complete_up_to_its_slowest_running_instance() -> None:
    found = lag(Watermark(0, "a", ago(4)), Watermark(0, "b", ago(1)), Watermark(0, "c", ago(900), LEFT))
    assert found == PartitionLag(0, ago(4), 4.0, "a", 3, None, None)


@pytest.mark.parametrize(
    ("behind_s", "look_at", "held"),
    [
        (4, ago(3), False),
        (6, ago(5), True),
        (6, ago(7), False),
        (29, None, False),
        (29, ago(-60), False),
        (31, None, True),
    ],
)
def test_verdicts_are_held_once_a_due_promise_waits_or_facts_are_old(
    behind_s: int, look_at: datetime | None, held: bool
) -> None:
    found = lag(Watermark(0, "a", ago(behind_s)), look_at=look_at)
    assert found.held == (f"facts of ingest a are complete only up to {behind_s} s ago" if held else None)


@pytest.mark.parametrize(
    ("marks", "held"),
    [
        ([], "no running ingest instance has reported on partition 0"),
        ([Watermark(0, "a", ago(1), LEFT)], "no running ingest instance has reported on partition 0"),
        ([Watermark(0, "a", ago(1), skew_s=-9.0)], "the clock of ingest a is 9.0 s behind the database's"),
        ([Watermark(0, "a", ago(-9))], "the clock of ingest a is 9.0 s ahead of the database's"),
        ([Watermark(0, "a", ago(1), skew_s=None)], "the clock of ingest a is not compared with the database's yet"),
    ],
)
def test_the_reason_names_what_is_wrong(marks: list[Watermark], held: str) -> None:
    assert lag(*marks).held == held


def test_a_log_that_does_not_answer_is_named_and_no_ingest_is_blamed_for_it() -> None:
    [found] = lags([Watermark(0, "a", ago(90))], {}, {0: None}, now=NOW, tolerance=timedelta(seconds=2))
    assert (found.unread, found.held) == (None, "the event log does not answer, so no facts arrive")


def test_the_summary_says_whether_verdicts_are_given() -> None:
    fine, held = lag(Watermark(0, "a", ago(1.2))), lag()
    assert summary([fine], 0) == "Verdicts are given. All facts are complete up to 2 s ago."
    assert summary([fine, held], 3) == (
        "Verdicts wait on 1 of 2 partitions. 3 leads are on hold, because an activity of theirs could not be read."
    )
