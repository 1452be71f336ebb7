"""The rule that tells bad records from a bad release."""

from shared.domain.events import INQUIRIES, InquiryReceived
from shared.ports import Record
from shared.runtime.pausing import FAILING_LEADS, FIRST_RETRY_S, Pausing


def record(offset: int, lead: str, *, partition: int = 0, kind: str = InquiryReceived.TYPE) -> Record:
    return Record(INQUIRIES, partition, offset, lead, b"", {"ce_type": kind.encode()})


def full() -> Pausing:
    """As many leads failed as may."""
    pausing = Pausing()
    assert all(pausing.may_quarantine(record(n, f"ld_{n}")) for n in range(FAILING_LEADS))
    return pausing


def test_one_more_lead_than_may_fail_pauses_and_any_number_of_records_of_the_same_do_not() -> None:
    pausing = full()
    assert all(pausing.may_quarantine(record(100 + n, "ld_1")) for n in range(1000))
    assert not pausing.may_quarantine(record(2000, "ld_new"))


def test_a_record_that_passes_starts_the_count_again_also_in_another_partition() -> None:
    pausing = full()
    pausing.passed([record(7, "ld_good", partition=5)])
    assert pausing.may_quarantine(record(2000, "ld_new"))


def test_records_of_another_type_say_nothing_about_this_one() -> None:
    pausing = full()
    pausing.passed([record(7, "ld_good", kind="baton.lead.assigned.v1")])
    assert not pausing.may_quarantine(record(2000, "ld_new"))


def test_what_could_be_handled_behind_a_pause_frees_all_before_it_and_nothing_after() -> None:
    pausing = full()
    pausing.pause(record(20, "ld_20"), ValueError(), now_s=0)
    behind = record(5000, "ld_good")
    assert pausing.shows(behind)
    pausing.shown(behind)
    assert not pausing.paused
    assert all(pausing.may_quarantine(record(n, f"ld_{n}")) for n in range(20, 5000, 97))
    assert not pausing.may_quarantine(record(5001, "ld_5001"))


def test_a_pause_is_tried_again_after_growing_times() -> None:
    pausing = full()
    waits, now_s = [], 0.0
    for _ in range(8):
        pausing.pause(record(20, "ld_20"), ValueError(), now_s)
        began_s = now_s
        while not pausing.retry_due(now_s):
            now_s += 0.5
        waits.append(now_s - began_s)
        assert not pausing.paused
    assert waits == [FIRST_RETRY_S * factor for factor in (1, 2, 4, 8, 16, 32, 60, 60)]


def test_records_of_unknown_types_are_of_one_kind_that_any_good_record_of_their_topic_speaks_for() -> None:
    pausing = Pausing()
    for n in range(FAILING_LEADS):
        assert pausing.may_quarantine(record(n, f"ld_{n}", kind=f"junk.{n}"))
    assert not pausing.may_quarantine(record(100, "ld_100", kind="junk"))
    pausing.passed([record(101, "ld_good")])
    assert pausing.may_quarantine(record(102, "ld_102", kind="junk"))
