"""What two markers in a row and readings of the database's clock reveal about an ingest instance's clock."""

from datetime import timedelta

import pytest

from services.sla_monitor.domain.skew import Probe, Probes
from services.sla_monitor.domain.watermark import Watermark, compared, out_of_step
from tests.unit.services.sla_monitor.window_states import at

TOLERANCE = timedelta(seconds=2)


def probed(*seconds: int) -> Probes:
    """Markers come each second, the one at second n with offset n; probes at these seconds saw what was there."""
    probes = Probes()
    for second in seconds:
        probes.add(Probe(at(second), {0: second}, at(second)))
    return probes


def mark(second: int, *, ahead_s: float, read_at_s: int, probes: Probes) -> Watermark:
    """The marker of that second from a clock that is ahead, as it is read later on."""
    previous = Watermark(0, "in_1", at(second - 1 + ahead_s), offset=second - 1)
    said_at = at(second + ahead_s)
    return compared(Watermark(0, "in_1", said_at, offset=second, skew_s=None), said_at, previous, probes, at(read_at_s))


@pytest.mark.parametrize("lag_s", [0, 3, 100])
@pytest.mark.parametrize("ahead_s", [-3600, -5, 5, 3600])
def test_a_skew_is_found_however_late_the_markers_are_read(ahead_s: int, lag_s: int) -> None:
    found = mark(10, ahead_s=ahead_s, read_at_s=10 + lag_s, probes=probed(*range(1, 20)))
    assert found.skew_s is not None
    assert abs(found.skew_s) == pytest.approx(abs(ahead_s), abs=2)
    assert (found.skew_s > 0) == (ahead_s > 0)
    assert 0 in out_of_step([found], at(10 + lag_s), TOLERANCE)


@pytest.mark.parametrize("lag_s", [0, 3, 100])
def test_lag_is_no_skew(lag_s: int) -> None:
    found = mark(10, ahead_s=0, read_at_s=10 + lag_s, probes=probed(*range(1, 20)))
    assert found.skew_s == 0
    assert out_of_step([found], at(10 + lag_s), TOLERANCE) == {}


def test_what_was_written_before_the_first_probe_is_not_compared_and_not_judged_by() -> None:
    found = mark(10, ahead_s=5, read_at_s=300, probes=probed(300))
    assert found.skew_s is None
    assert out_of_step([found], at(300), TOLERANCE) == {0: ("in_1", 0.0)}


def test_a_release_that_does_not_say_when_it_spoke_is_judged_by_as_before() -> None:
    unknown = Watermark(0, "in_1", at(10), offset=10, skew_s=None)
    assert compared(unknown, None, None, Probes(), at(11)).skew_s == 0


def test_a_topic_that_was_made_again_tells_nothing() -> None:
    previous = Watermark(0, "in_1", at(9), offset=500)
    new = Watermark(0, "in_1", at(10), offset=3, skew_s=None)
    assert compared(new, at(10), previous, probed(*range(20)), at(20)).skew_s is None


def test_the_instant_before_which_a_record_was_written_does_not_depend_on_when_it_is_read() -> None:
    probes = probed(*range(1, 20))
    assert probes.written_before(0, 10, at(500)) == at(11)
    assert probes.written_before(0, 25, at(500)) == at(500)
