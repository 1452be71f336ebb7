"""What events change in notices that are stored: which are not sent any more, and what follows those that were.

Events apply in their order, and only to the notices of events before them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from services.delivery.domain.channel_choice import PAGING
from services.delivery.domain.due_notices import Draft, DueNotice, Ending, Told, follow_ups

GOES_ON = (None, "breached")
"""What `over` is while a matter goes on: a warning is not sent after the breach, and not resolved before its end."""


class Stored(Told, frozen=True, kw_only=True):
    """A stored notice with the message that it is in: once for the channel that this is on, and once for each pager
    that may have taken it. `attempted` is whether that may have been sent already.
    """

    attempted: bool


class Changes(msgspec.Struct):
    """Notices as they are from now on, those among them that were `dropped`, and what is due because of it."""

    notices: dict[str, DueNotice] = {}
    dropped: int = 0
    following: list[Draft] = []


def changes(
    endings: Sequence[Ending],
    stored: Sequence[Stored],
    *,
    elsewhere: Mapping[str, bool],
    order: Mapping[str, int],
    now: datetime,
) -> Changes:
    """What these endings change. `stored` are all notices of their windows, told ones in the order in which they were
    told; `elsewhere` are the messages about other promises too that go on, and whether one of these is not
    acknowledged; `order` numbers the events of the batch.
    """
    book = _Book(stored, elsewhere, order, now)
    for ending in endings:
        book.apply(ending)
    return book.made


def follow_ups_of_late(told: Sequence[Told], now: datetime) -> Iterator[Draft]:
    """What those get who were told just now, in one message, of what was over or acknowledged by then.

    A group's incident at a pager goes on until the last of its promises is over, and is acknowledged once all that go
    on are.
    """
    goes_on = any(each.notice.over in GOES_ON for each in told)
    unanswered = any(_late(each.notice, now) is None for each in told)
    followed = set()
    for each in told:
        ending = _late(each.notice, now)
        if ending is None or (_shared(each) and goes_on and (unanswered or ending.over not in GOES_ON)):
            continue
        for draft in follow_ups(ending, [each]):
            lane = each.channel.lane(each.notice.role, each.notice.person)
            if not _shared(each) or (draft.notice.kind, lane) not in followed:
                yield draft
            followed.add((draft.notice.kind, lane))


class _Book:
    """The notices of some windows while events are applied to them."""

    def __init__(
        self, stored: Sequence[Stored], elsewhere: Mapping[str, bool], order: Mapping[str, int], now: datetime
    ) -> None:
        self.made = Changes()
        self._elsewhere, self._order, self._now = elsewhere, order, now
        self._notices = {each.notice.notice_id: each.notice for each in stored}
        self._of_window: dict[str, list[Stored]] = defaultdict(list)
        self._going_on: dict[str | None, set[str]] = defaultdict(set)
        self._unanswered: dict[str | None, set[str]] = defaultdict(set)
        for each in stored:
            self._of_window[each.notice.window_id].append(each)
            if each.notice.over in GOES_ON:
                self._going_on[each.notice.message_id].add(each.notice.notice_id)
                if not self._is_answered(each.notice):
                    self._unanswered[each.notice.message_id].add(each.notice.notice_id)

    def apply(self, ending: Ending) -> None:
        """End what the event ends, and note who has to know."""
        about = [each for each in self._of_window[ending.window_id] if self._is_of(ending, each.notice)]
        waited = {each.notice.message_id for each in about if self._is_unanswered(each)}
        for each in about:
            self._change(ending, self._notices[each.notice.notice_id], each.attempted)
        now = [msgspec.structs.replace(each, notice=self._notices[each.notice.notice_id]) for each in about]
        told = [each for each in now if each.unsure or each.notice.state == "told"]
        self.made.following += follow_ups(ending, [each for each in told if self._concerns(ending, each)])
        if ending.follow_up == "closed" and (rest := [each for each in told if self._is_left_answered(each, waited)]):
            answered = msgspec.structs.replace(ending, over=None, follow_up="acknowledged")
            self.made.following += follow_ups(answered, rest)

    def _is_of(self, ending: Ending, notice: DueNotice) -> bool:
        if notice.kind not in ending.kinds or ending.escalation_id not in (None, notice.escalation_id):
            return False
        return self._order.get(notice.event_id, -1) < self._order.get(ending.event_id, len(self._order))

    def _concerns(self, ending: Ending, each: Stored) -> bool:
        """Whether those who were told have to know: of a group at a pager, what is so for all that it stands for."""
        if not _shared(each):
            return True
        return not (self._is_unanswered(each) if ending.over is None else self._goes_on(each))

    def _is_left_answered(self, each: Stored, waited: Collection[str | None]) -> bool:
        """Whether a group at a pager goes on, but from now on only for what someone has acknowledged."""
        answered = each.notice.message_id in waited and not self._is_unanswered(each)
        return _shared(each) and self._goes_on(each) and answered

    def _goes_on(self, each: Stored) -> bool:
        message_id = each.notice.message_id
        return message_id in self._elsewhere or bool(self._going_on[message_id])

    def _is_unanswered(self, each: Stored) -> bool:
        message_id = each.notice.message_id
        return self._elsewhere.get(message_id or "", False) or bool(self._unanswered[message_id])

    def _is_answered(self, notice: DueNotice) -> bool:
        return notice.over not in GOES_ON or _is_acknowledged(notice, self._now)

    def _change(self, ending: Ending, notice: DueNotice, attempted: bool) -> None:
        changed = _changed(ending, notice)
        if ending.over is not None and changed.state == "due" and not attempted:
            changed = msgspec.structs.replace(changed, state="dropped", reason=ending.over, ended_at=self._now)
            self.made.dropped += 1
        if changed.over not in GOES_ON:
            self._going_on[changed.message_id].discard(changed.notice_id)
        if self._is_answered(changed):
            self._unanswered[changed.message_id].discard(changed.notice_id)
        if changed is not notice:
            self._notices[changed.notice_id] = self.made.notices[changed.notice_id] = changed


def _changed(ending: Ending, notice: DueNotice) -> DueNotice:
    """The notice with what is known of its matter from now on."""
    if ending.over is None:
        return notice if notice.over else msgspec.structs.replace(notice, by=ending.by, until=ending.until)
    if ending.follow_up is None and notice.state != "due":
        return notice
    known = notice.over if notice.over not in GOES_ON or ending.follow_up is None else None
    return msgspec.structs.replace(notice, over=known or ending.over)


def _late(notice: DueNotice, now: datetime) -> Ending | None:
    """What happened to the matter of a notice while it was being sent; None if nothing, or nothing that lasts."""
    ends = (notice.window_id, notice.over, (notice.kind,), notice.event_id, now, notice.escalation_id)
    if notice.over not in GOES_ON and notice.kind in ("warning", "breach", "exhausted"):
        return Ending(*ends, "closed", pagers_only=notice.kind == "warning", by=notice.over or "")
    if notice.kind in ("breach", "exhausted") and _is_acknowledged(notice, now):
        return Ending(*ends, "acknowledged", by=notice.by, until=notice.until)
    return None


def _is_acknowledged(notice: DueNotice, now: datetime) -> bool:
    return bool(notice.by) and (notice.until is None or notice.until > now)


def _shared(each: Told) -> bool:
    return each.grouped and each.channel.kind in PAGING
