"""How far the facts are complete."""

import random

from services.sla_monitor.domain.watermark import Watermark, newest, watermark_of, watermarks
from shared.domain.events import ACTIVITIES, WatermarkAdvanced
from shared.ports import Record
from tests.unit.services.sla_monitor.window_states import at


def test_a_partition_is_complete_up_to_the_slowest_instance() -> None:
    assert watermarks([Watermark(0, "a", at(5)), Watermark(0, "b", at(3)), Watermark(1, "a", at(9))]) == {
        0: at(3),
        1: at(9),
    }


def test_an_instance_that_left_or_was_lost_is_not_waited_for() -> None:
    assert watermarks(
        [Watermark(0, "a", at(5)), Watermark(0, "b", at(1), "left"), Watermark(0, "c", at(1), "lost")]
    ) == {0: at(5)}


def test_with_nobody_there_nothing_is_known() -> None:
    assert watermarks([]) == {}
    assert watermarks([Watermark(0, "a", at(5), "left")]) == {}


def test_marks_never_go_back_whatever_order_they_come_in() -> None:
    watermarks = [Watermark(0, "a", at(n)) for n in range(6)] + [Watermark(0, "a", at(5), "left")]
    for seed in range(20):
        random.Random(seed).shuffle(watermarks)
        assert newest(watermarks) == {(0, "a"): Watermark(0, "a", at(5), "left")}


def test_an_instance_given_up_for_lost_counts_again_once_it_moves_on() -> None:
    lost = Watermark(0, "a", at(5), "lost")
    assert newest([lost, Watermark(0, "a", at(5))])[(0, "a")] == lost
    assert newest([lost, Watermark(0, "a", at(6))])[(0, "a")].state == "running"


def test_an_event_is_a_mark_of_the_partition_it_came_on() -> None:
    event = WatermarkAdvanced(lead_id="", instance="a", upto=at(1), state="left")
    record = Record(ACTIVITIES, 4, 7, "", b"", {})
    assert watermark_of(record, event) == Watermark(4, "a", at(1), "left", 7, None)
