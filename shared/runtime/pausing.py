"""Distinguishes bad records from a bad release.

A record that cannot be handled is quarantined, and there may be any number of them: an outsider can send thousands,
each under another name. But a release that can handle none must not move a whole topic to quarantine. The two look the
same until one record succeeds. So after records of `FAILING_LEADS` different leads failed without a success of their
kind, the partition pauses before the next one: nothing more is quarantined, and later records are tried without effect.
One success shows that this release can handle the kind, and everything before it may be quarantined. A pause therefore
never blocks a record that could be handled, and ends when such a record arrives or the release is fixed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.domain.events import TYPES
from shared.ports import Record, TopicPartition
from shared.runtime.backoff import Pauses

FAILING_LEADS = 20
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 60.0
_LEAD_CHARS = 200

Kind = tuple[str, str]
"""The topic and the event type; "" for a type that is not known here."""


@dataclass(frozen=True, slots=True)
class Paused:
    """A partition before a record that failed like those before it: `origin` is its place, `error` the failure."""

    kind: Kind
    origin: str
    offset: int
    error: str


class Pausing:
    """What one consumer knows about failing records, in memory: a new release starts without trust."""

    def __init__(self) -> None:
        self.paused: dict[TopicPartition, Paused] = {}
        self._failing: dict[Kind, set[str]] = {}
        self._shown_until: dict[TopicPartition, int] = {}
        self._pauses = Pauses(FIRST_RETRY_S, LONGEST_RETRY_S)
        self._retry_at: float | None = None

    def may_quarantine(self, record: Record) -> bool:
        """Count a record that failed alone; whether the failure is the record's own for all we know."""
        leads, lead = self._failing.setdefault(kind_of(record), set()), record.key[:_LEAD_CHARS]
        if len(leads) < FAILING_LEADS:
            leads.add(lead)
        return lead in leads or record.offset < self._shown_until.get(place_of(record), 0)

    def pause(self, record: Record, error: Exception, now_s: float) -> None:
        """Stay before this record; try again later."""
        self.paused[place_of(record)] = Paused(kind_of(record), origin_of(record), record.offset, type(error).__name__)
        if self._retry_at is None:
            self._retry_at = now_s + self._pauses.next_s()

    def passed(self, records: Iterable[Record]) -> None:
        """These were handled: their kinds can be."""
        if not self._failing:
            return
        for topic, name in {kind_of(record) for record in records}:
            for kind in ((topic, name), (topic, "")):
                self._failing.pop(kind, None)
            self._resume(
                [
                    topic_partition
                    for topic_partition, paused in self.paused.items()
                    if paused.kind in ((topic, name), (topic, ""))
                ]
            )

    def shows(self, record: Record) -> bool:
        """Whether this record, were it handled, would show that the failures before it are the records' own."""
        paused = self.paused.get(place_of(record))
        return paused is not None and paused.kind in (kind_of(record), (record.topic, ""))

    def shown(self, record: Record) -> None:
        """It could be handled: all before it in its partition may be quarantined."""
        self._shown_until[place_of(record)] = record.offset
        self._resume([place_of(record)])

    def retry_due(self, now_s: float) -> bool:
        """Whether the paused partitions are to be tried again now; if so, none is paused any more."""
        if self._retry_at is None or now_s < self._retry_at:
            return False
        self._retry_at = None
        self.paused.clear()
        return True

    def _resume(self, topic_partitions: Sequence[TopicPartition]) -> None:
        for topic_partition in topic_partitions:
            del self.paused[topic_partition]
        if topic_partitions and not self.paused:
            self._retry_at = None
            self._pauses.reset()


def kind_of(record: Record) -> Kind:
    """What a handler goes by. Records that name no known type are of one kind, whatever they hold."""
    name = record.headers.get("ce_type", b"").decode(errors="replace")
    return record.topic, name if name in TYPES else ""


def place_of(record: Record) -> TopicPartition:
    """The record's topic and partition."""
    return record.topic, record.partition


def origin_of(record: Record) -> str:
    """The record's place in the log, in words: `TOPIC/PARTITION/OFFSET`."""
    return f"{record.topic}/{record.partition}/{record.offset}"
