"""The keys that a spool has seen, so that a duplicate gets the first result.

An index over random keys costs a disk page per key (measured: 38 us a row, against 10 without). So the newest keys are
only in the rows of the facts themselves and in memory. Once the log has those rows, their keys move to the index, many
at a time and in index order. Used by one thread.
"""

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from services.ingest.domain.identity import differ
from services.ingest.domain.pending_event import KeyReused, PendingEvent
from shared.domain.errors import Refused

_EXPIRED_AT_ONCE = 2000
_KNOWN = """SELECT json_group_array(json_array(key, id, lead_id, content)) FROM seen
    WHERE key IN (SELECT value FROM json_each(?)) AND expires_at > ?"""
_MOVE = """INSERT OR REPLACE INTO seen SELECT repeat_key, id, key, accepted_at, expires_at, content FROM entries
    WHERE seq > ? AND seq <= ? AND expires_at > 0 ORDER BY repeat_key, seq"""
_FORGET = "DELETE FROM seen WHERE key IN (SELECT key FROM seen WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)"
_found = msgspec.json.Decoder(list[tuple[str, str, str, str]])


class First(msgspec.Struct, frozen=True):
    """The first fact under a key: its id and lead, and a digest of its content ("" if not compared)."""

    id: str
    lead_id: str
    content: str


class RecentKey(msgspec.Struct, frozen=True):
    """A key whose fact is still a row: the row's number, when the key expires, and its fact."""

    seq: int
    expires_at_us: int
    first: First


class DedupeIndex:
    """The keys of one spool file."""

    def __init__(self) -> None:
        self._recent: dict[str, RecentKey] = {}

    def load(self, sql: sqlite3.Connection, indexed: int) -> None:
        """Take up what the rows behind number `indexed` have."""
        rows = sql.execute(
            """SELECT repeat_key, seq, expires_at, id, key, content FROM entries
            WHERE seq > ? AND expires_at > 0 ORDER BY seq""",
            (indexed,),
        )
        self._recent = {
            key: RecentKey(seq, expires_at, First(*rest)) for key, seq, expires_at, *rest in rows.fetchall()
        }

    def known(self, sql: sqlite3.Connection, keys: Sequence[str], at_us: int) -> dict[str, First]:
        """The fact under each of `keys` that has not expired at `at_us`."""
        stored = sql.execute(_KNOWN, (msgspec.json.encode(keys).decode(), at_us)).fetchone()[0]
        found = {key: First(*first) for key, *first in _found.decode(stored)} if stored != "[]" else {}
        for key in keys:
            recent = self._recent.get(key)
            if recent is not None and recent.expires_at_us > at_us:
                found[key] = recent.first
        return found

    def hold(self, new: dict[str, RecentKey]) -> None:
        """These were committed as rows, in this order."""
        for key, recent in new.items():
            self._recent.pop(key, None)  # keeps the order of the rows
            self._recent[key] = recent

    def move(self, sql: sqlite3.Connection, after: int, upto: int, at_us: int) -> None:
        """Within a transaction: index the keys of the rows behind `after` up to `upto`, drop some that are over."""
        sql.execute(_MOVE, (after, upto))
        sql.execute(_FORGET, (at_us, _EXPIRED_AT_ONCE))

    def moved(self, upto: int) -> None:
        """That is committed."""
        gone = []
        for key, recent in self._recent.items():
            if recent.seq > upto:
                break
            gone.append(key)
        for key in gone:
            del self._recent[key]


def reused_key(pending_events: Sequence[PendingEvent], known: Mapping[str, First]) -> KeyReused | None:
    """Whether a fact's key was used for different content, in `known` or earlier in the request."""
    here: dict[str, First] = {}
    for pending_event in pending_events:
        if pending_event.content:
            first = known.get(pending_event.repeat_key) or here.get(pending_event.repeat_key)
            if first is None:
                here[pending_event.repeat_key] = First(pending_event.id, pending_event.lead_id, pending_event.content)
            elif differ(first.content, pending_event.content):
                return KeyReused(pending_event, first.id, first.lead_id)
    return None


def refused(pending_events: Sequence[PendingEvent], known: Mapping[str, First]) -> Refused | None:
    """Why the first of these is refused that may only be a repeat, and repeats nothing in `known`."""
    doubtful = (event for event in pending_events if event.refused is not None)
    return next((event.refused for event in doubtful if not _repeats(event, known)), None)


def _repeats(event: PendingEvent, known: Mapping[str, First]) -> bool:
    first = known.get(event.repeat_key) if event.repeat_s else None
    return first is not None and not (event.content and differ(first.content, event.content))
