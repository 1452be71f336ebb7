"""A notice says when a breach is charged to the pipeline."""

from services.delivery.domain.context import notice
from services.delivery.domain.due_notices import notices_of
from services.delivery.domain.notice import facts, grouped
from shared.domain.events import Recipient
from tests.kit.agreements import agreement
from tests.kit.events import raised


def charged(fault: str | None) -> list[str]:
    event = raised(fault=fault, to=(Recipient("rep", "ann"),))
    [due] = notices_of(event, "ev_1")
    assert due.fault == fault
    message = notice(due, agreement(), None, incident_id="in_1")
    several = grouped([message, message], 2, notice_id="nt_2", incident_id="in_2")
    charged = [line for line in several.leads if line.endswith(", charged to the pipeline")]
    assert len(charged) == (2 if message.handed_over_late else 0)
    assert not several.handed_over_late
    return [fact.text for fact in facts(message) if fact.label == "Charged to"]


def test_only_a_late_hand_off_is_charged_to_the_pipeline() -> None:
    assert charged("pipeline") == ["the pipeline: the lead was handed over too late for the rep to keep the promise"]
    assert charged("rep") == charged(None) == []
