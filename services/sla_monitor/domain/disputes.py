"""Who owes an answer to a dispute, and since when."""

from collections.abc import Container, Iterable
from datetime import timedelta

from services.sla_monitor.domain.opening import DISPUTED, DISPUTES, REJECTED, Watch, of_operations
from services.sla_monitor.domain.window import Fact, Window
from shared.domain.agreement import Agreement
from shared.domain.calendar import ALWAYS
from shared.domain.ids import event_id
from shared.domain.promises import after_length, office

ANSWERS = ("accepted", "rejected")


def unanswered(facts: Iterable[Fact], lead_ids: Iterable[str], window_ids: Container[str]) -> list[Fact]:
    """The disputes of a person for which no window has opened under any of their ids: who owes the answer stays so if
    they turn out to have another lead.
    """
    ids = list(lead_ids)
    disputes = [fact for fact in facts if fact.kind == DISPUTED]
    return [fact for fact in disputes if not any(dispute_id(each, fact) in window_ids for each in ids)]


def disputed(windows: Iterable[Window], fact: Fact) -> Window | None:
    """A window of the rep whose rejection the fact disputes: the last owner by then. None if no owner is known."""
    had = [each for each in windows if each.side == "sales" and each.opened_at <= fact.accepted_at]
    return max(had, key=lambda each: (each.generation, each.window_id), default=None)


def disputed_late(fact: Fact, facts: Iterable[Fact], agreement: Agreement, tolerance: timedelta) -> bool:
    """Whether a rejection is disputed later than the agreement allows, in the organisation's calendar."""
    within = agreement.dispute_within
    rejected = (each.accepted_at for each in facts if each.kind == REJECTED and each.accepted_at <= fact.accepted_at)
    rejected_at = max(rejected, default=None)
    if within is None or rejected_at is None:
        return False
    calendar = office(agreement) if within.business else ALWAYS
    return fact.accepted_at > after_length(calendar, rejected_at, within) + tolerance


def dispute_id(lead_id: str, fact: Fact) -> str:
    """The id of the window in which the answer to a dispute is owed on a lead."""
    return event_id("window", lead_id, DISPUTES, "activity", fact.activity_id)


def dispute(holder: Window, fact: Fact, agreement: Agreement, watch: Watch) -> Window | None:
    """The window of `holder`'s rep to answer a dispute; kept by accepting the lead or rejecting it again.

    None if the agreement has no such promise. Raises as `owed`.
    """
    promise = agreement.operations.get(DISPUTES)
    if promise is None:
        return None
    return of_operations(
        promise,
        agreement,
        watch,
        window_id=dispute_id(holder.lead_id, fact),
        lead_id=holder.lead_id,
        owner=holder.owner,
        since_at=fact.accepted_at,
        kinds=ANSWERS,
        leave=holder.leave,
    )
