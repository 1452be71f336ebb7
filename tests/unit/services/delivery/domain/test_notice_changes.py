"""What events change in stored notices: what is dropped, and what is followed up."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from services.delivery.domain.due_notices import DueNotice, Told, endings_of, notices_of
from services.delivery.domain.notice_changes import Changes, Stored, changes, follow_ups_of_late
from services.delivery.domain.sending_channel import SendingChannel
from shared.domain.event import Recipient
from shared.domain.events import Event
from tests.kit import events
from tests.kit.events import after

MAIL, PAGER = SendingChannel("email"), SendingChannel("pagerduty", {"routing_key_from": "env:KEY"})
MIA = Recipient("manager", "mia")


def breach(lead: str = "ld_1", **changed: Any) -> DueNotice:
    [made] = notices_of(events.raised(lead, to=(MIA,)), f"ev_{lead}")
    return msgspec.structs.replace(made, message_id="ms_1", **changed)


def warning(lead: str = "ld_1", **changed: Any) -> DueNotice:
    [made] = notices_of(events.warned(lead, to=(MIA,)), f"ev_{lead}_warned")
    return msgspec.structs.replace(made, message_id="ms_1", **changed)


def stored(notice: DueNotice, channel: SendingChannel = PAGER, incident: str = "wi_ld_1", *, tried: bool = True) -> Any:
    return Stored(notice, channel, incident, incident == notice.message_id, attempted=tried)


def after_events(given: list[Event], *known: Stored, elsewhere: Mapping[str, bool] | None = None) -> Changes:
    numbered = [(f"ev_{number}", event) for number, event in enumerate(given)]
    endings = [ending for name, event in numbered for ending in endings_of(event, name)]
    order = {name: number for number, (name, _) in enumerate(numbered)}
    return changes(endings, known, elsewhere=elsewhere or {}, order=order, now=after(60))


def followed(told: list[Told]) -> list[tuple[str, str, str]]:
    """Kind, lead and incident of what follows notices that were told just now."""
    return [(d.notice.kind, d.notice.lead_id, d.incident_id) for d in follow_ups_of_late(told, after(60))]


def test_what_was_not_tried_yet_is_dropped_and_what_may_have_been_sent_is_only_noted() -> None:
    waiting, tried = breach(), breach(notice_id="nt_tried")
    made = after_events([events.closed()], stored(waiting, tried=False), stored(tried))
    first, second = made.notices[waiting.notice_id], made.notices["nt_tried"]
    assert (first.state, first.reason, first.over, first.ended_at) == ("dropped", "answered", "answered", after(60))
    assert (second.state, second.over, made.dropped, made.following) == ("due", "answered", 1, [])


def test_the_end_of_one_escalation_changes_no_other_one() -> None:
    other = breach(notice_id="nt_other", escalation_id="es_other")
    assert after_events([events.closed()], stored(other, tried=False)).notices == {}
    assert after_events([events.closed("ld_2")], stored(breach(), tried=False)).notices == {}


def test_events_end_only_what_was_due_before_them() -> None:
    later = breach(event_id="ev_1")
    made = after_events([events.acknowledged(), events.raised(to=(MIA,))], stored(later, tried=False))
    assert made.notices == {}


def test_a_group_of_two_promises_that_end_in_one_batch_is_resolved_once() -> None:
    known = [stored(breach(lead, state="told"), incident="ms_1") for lead in ("ld_1", "ld_2")]
    both = after_events([events.closed("ld_1"), events.closed("ld_2")], *known)
    assert [(draft.notice.lead_id, draft.incident_id) for draft in both.following] == [("ld_2", "ms_1")]
    assert after_events([events.closed("ld_1")], *known).following == []
    assert after_events([events.closed("ld_1")], known[0], elsewhere={"ms_1": True}).following == []


def test_a_group_is_acknowledged_once_all_of_its_promises_that_go_on_are() -> None:
    known = [stored(breach(lead, state="told"), incident="ms_1") for lead in ("ld_1", "ld_2")]
    first, second = (events.acknowledged(lead, until=None) for lead in ("ld_1", "ld_2"))

    def made(*given: Event, about: Sequence[Stored] = known, **elsewhere: bool) -> list[tuple[str, str]]:
        found = after_events(list(given), *about, elsewhere=elsewhere)
        return [(draft.notice.kind, draft.incident_id) for draft in found.following]

    assert made(first) == []
    assert made(first, second) == [("acknowledged", "ms_1")]
    assert made(first, about=known[:1], ms_1=True) == []
    assert made(first, about=known[:1], ms_1=False) == [("acknowledged", "ms_1")]
    assert made(first, events.closed("ld_2")) == [("acknowledged", "ms_1")]
    assert made(first, second, events.closed("ld_2")) == [("acknowledged", "ms_1")]
    assert made(first, events.closed("ld_2"), events.closed("ld_1")) == [("acknowledged", "ms_1"), ("closed", "ms_1")]
    assert made(events.acknowledged("ld_1", until=after(59)), second) == []


def test_a_group_that_was_acknowledged_while_it_was_sent_is_acknowledged_once() -> None:
    taken = [Told(breach(lead, by="bob"), PAGER, "ms_1", True) for lead in ("ld_1", "ld_2")]
    over = Told(breach("ld_3", over="answered"), PAGER, "ms_1", True)
    assert followed([*taken, Told(breach("ld_4"), PAGER, "ms_1", True)]) == []
    assert followed([*taken, over]) == [("acknowledged", "ld_1", "ms_1")]


def test_a_groups_incident_stays_while_one_of_its_promises_goes_on_after_it_was_sent() -> None:
    told = [Told(breach(over="answered"), PAGER, "ms_1", True), Told(breach("ld_2"), PAGER, "ms_1", True)]
    assert followed(told) == []
    ended = [Told(breach(lead, over="answered"), PAGER, "ms_1", True) for lead in ("ld_1", "ld_2")]
    assert {incident for _, _, incident in followed(ended)} == {"ms_1"}
    mailed = [msgspec.structs.replace(each, channel=MAIL) for each in told]
    assert followed(mailed) == [("closed", "ld_1", "ms_1")]


def test_a_warning_that_was_sent_after_the_breach_does_not_resolve_the_breach() -> None:
    assert followed([Told(warning(over="breached"), PAGER, "wi_ld_1", False)]) == []
    assert followed([Told(warning(over="met"), PAGER, "wi_ld_1", False)]) == [("closed", "ld_1", "wi_ld_1")]
    being_sent = after_events([events.breached(), events.closed()], stored(warning()))
    [noted] = being_sent.notices.values()
    assert (noted.state, noted.over) == ("due", "answered")


def test_who_is_told_of_a_breach_that_someone_had_taken_on_learns_that_too() -> None:
    ack = events.acknowledged(by="tom", until=after(90))
    [taken] = after_events([ack], stored(breach(), MAIL, tried=False)).notices.values()
    assert (taken.state, taken.over, taken.by, taken.until) == ("due", None, "tom", after(90))
    [draft] = follow_ups_of_late([Told(taken, MAIL, "wi_ld_1", False)], after(60))
    assert (draft.notice.kind, draft.notice.by, draft.notice.until) == ("acknowledged", "tom", after(90))
    assert followed([Told(taken, PAGER, "wi_ld_1", False)]) == [("acknowledged", "ld_1", "wi_ld_1")]
    ran_out = msgspec.structs.replace(taken, until=after(60))
    assert followed([Told(ran_out, PAGER, "wi_ld_1", False)]) == []
