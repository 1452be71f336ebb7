"""One spool on disk: an SQLite file that one process owns by a lock, with full fsync at every commit.

Each statement on the hot path is one SQLite step for a whole batch: a step releases the GIL, and getting it back from
a busy event loop costs more than the step. Used by one thread.
"""

import os
import shutil
import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import msgspec

from services.ingest.domain.pending_event import Accepted, PendingEvent, json_instant
from services.ingest.spool.dedupe import DedupeIndex, First, RecentKey, refused, reused_key
from services.ingest.spool.known_leads import KnownLeads
from services.ingest.spool.schema import connected
from shared.domain.errors import Misconfigured, Refused, Unavailable
from shared.domain.events import ACTIVITIES, INQUIRIES
from shared.settings import DEFAULT_RETENTION, Retention
from shared.sqlite_file import PAGE, transaction
from shared.sqlite_file import claim as own

_COLUMNS = 11
_INSERT = """INSERT INTO entries
    (seq, topic, key, id, type, accepted_at, repeat_key, expires_at, value, content, inquiries) VALUES """
_ROW = "(" + ",".join("?" * _COLUMNS) + ")"
NOTHING = Retention(rows=0, seconds=0)
_BATCH_BYTES = 4 * 1024 * 1024
_SET_ASIDE = """INSERT OR IGNORE INTO set_aside
    SELECT seq, topic, key, id, type, accepted_at, value, ? FROM entries WHERE seq = ?"""
_OLDEST = """SELECT json_group_array(json_array(seq, topic, key, id, type, accepted_at, value, inquiries)) FROM (
    SELECT *, sum(length(value)) OVER (ORDER BY seq) - length(value) AS before FROM (
        SELECT * FROM entries WHERE seq > ? AND seq <= ? AND accepted_at >= ? ORDER BY seq LIMIT ?)) WHERE before < ?"""
_TRIM_AT_ONCE = 10_000
# The share of the allowed bytes above which relayed rows are no longer retained: the space is for rows that are not.
_RETAINED_SHARE = 0.25


class SpoolEntry(msgspec.Struct, frozen=True, array_like=True):
    """A stored event. `accepted_at_us` is microseconds since 1970; `inquiries` is how many inquiries the spool had ever
    accepted, including this one.
    """

    seq: int
    topic: str
    key: str
    id: str
    type: str
    accepted_at_us: int
    value: str
    inquiries: int


_entries = msgspec.json.Decoder(list[SpoolEntry])


class SpoolFile:
    """The file `spool-<n>.db` under its lock. Rows are numbered in order of acceptance.

    `head` is the number of the newest row, `relayed` that of the newest row that the bus has. `retention` limits how
    long relayed rows are retained, to send them again if the bus loses them. `inquiries` counts all that were ever
    accepted.
    """

    def __init__(self, path: Path, lock: int, *, max_bytes: int, retention: Retention = DEFAULT_RETENTION) -> None:
        self.path = path
        self.head = 0
        self.relayed = 0
        self._lock: int | None = lock
        self._max_pages = max(max_bytes // PAGE, 64)
        self._db: sqlite3.Connection | None = None
        self.inquiries = 0
        self.retention = retention
        self._deleted = 0
        self._indexed = 0
        self._repeats = DedupeIndex()
        self._leads = KnownLeads(path)
        self._fresh: deque[SpoolEntry] = deque()
        self._fresh_bytes = 0

    def open(self, instance: str) -> None:
        """Open it, in the thread that will use it; a new file gets the name `instance`.

        Raises `Misconfigured` where the folder can't give what durability needs.
        """
        try:
            self.settle("instance", instance)
        except sqlite3.Error as wrong:
            what = "Check its disk, or restore the file from a backup; without one, move it away."
            raise Misconfigured(f"{self.path} can't be opened as a spool ({wrong}). {what}") from wrong

    def _connect(self) -> sqlite3.Connection:
        db = connected(self.path, max_pages=self._max_pages)
        meta = dict(db.execute("SELECT name, value FROM meta").fetchall())
        first, last = db.execute("SELECT min(seq), max(seq) FROM entries").fetchone()
        self.relayed = max(self.relayed, int(meta.get("relayed", 0)))
        self.head = max(self.head, last or 0, self.relayed)
        self._deleted = first - 1 if first else self.head
        self._indexed = max(int(meta.get("indexed", 0)), self._deleted)
        newest = db.execute("SELECT inquiries FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
        self.inquiries = max(self.inquiries, newest[0] if newest else 0, int(meta.get("inquiries", 0)))
        self._repeats.load(db, self._indexed)
        self._leads.load(db, self._indexed, new=not meta)
        return db

    @property
    def _sql(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = self._connect()
        return self._db

    @property
    def rows(self) -> int:
        """How many rows the bus does not have yet."""
        return self.head - self.relayed

    def read(self, name: str) -> str | None:
        """The value stored under `name`."""
        row = self._sql.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def write(self, name: str, value: str) -> None:
        """Store a property of the spool durably."""
        with transaction(self._sql) as sql:
            sql.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def settle(self, name: str, value: str) -> str:
        """Store a property of the spool unless it exists; returns the stored value."""
        with transaction(self._sql) as sql:
            sql.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, value))
        return self.read(name) or value

    def floor_us(self) -> int:
        """The latest stamp that was ever given here; later ones must not be below it."""
        renewed = int(self.read("renewed") or 0)
        row = self._sql.execute(
            "SELECT accepted_at FROM entries WHERE seq > ? ORDER BY seq DESC LIMIT 1", (renewed,)
        ).fetchone()
        return max(int(self.read("floor") or 0), row[0] if row else 0)

    def former(self) -> dict[str, int]:
        """Former names of this spool that were not signed off, each with its last timestamp."""
        return msgspec.json.decode(self.read("former") or "{}", type=dict[str, int])

    def renew(self, instance: str) -> None:
        """Continue under the name `instance`, without a lower bound for its timestamps."""
        former = {**self.former(), self.read("instance") or "": self.floor_us()}
        values = {
            "instance": instance,
            "announced": "no",
            "floor": "0",
            "renewed": str(self.head),
            "former": msgspec.json.encode(former).decode(),
        }
        with transaction(self._sql) as sql:
            sql.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    def known(self, keys: Sequence[str], at_us: int) -> set[str]:
        """Those of the keys under which a fact was stored that has not expired at `at_us`."""
        return set(self._repeats.known(self._sql, keys, at_us))

    def append(self, requests: Sequence[Sequence[PendingEvent]], at_us: int) -> list[list[Accepted] | Refused]:
        """Store the facts of all requests in one fsynced transaction, dated `at_us`; duplicates are only looked up.

        A request with a key that was used for different content, or with something refused that repeats nothing, is not
        stored. On `sqlite3.Error` nothing is stored.
        """
        known = self._repeats.known(self._sql, [d.repeat_key for batch in requests for d in batch], at_us)
        at, seq, inquiries = json_instant(at_us), self.head, self.inquiries
        rows: list[SpoolEntry] = []
        values: list[object] = []
        new: dict[str, RecentKey] = {}
        about = {event.lead_id for batch in requests for event in batch if event.topic == ACTIVITIES}
        waiting = self._leads.unknown(self._sql, about) if about else about
        outcomes: list[list[Accepted] | Refused] = []
        for batch in requests:
            wrong = refused(batch, known) or reused_key(batch, known)
            if wrong is not None:
                outcomes.append(wrong)
                continue
            found: list[Accepted] = []
            outcomes.append(found)
            for event in batch:
                key, repeat_s = event.repeat_key, event.repeat_s
                first = known.get(key) if repeat_s else None
                if first is not None:
                    found.append(Accepted(first.id, first.lead_id, True))
                    continue
                seq, fact_id = seq + 1, event.id_at(at_us)
                inquiries += event.topic == INQUIRIES
                found.append(Accepted(fact_id, event.lead_id, False, event.lead_id in waiting))
                until_us = at_us + repeat_s * 1_000_000 if repeat_s else 0
                value = event.value_at(fact_id, at)
                values += (seq, event.topic, event.lead_id, fact_id, event.type, at_us, key, until_us)
                values += (value, event.content, inquiries)
                rows.append(SpoolEntry(seq, event.topic, event.lead_id, fact_id, event.type, at_us, value, inquiries))
                if repeat_s:
                    known[key] = first = First(fact_id, event.lead_id, event.content)
                    new[key] = RecentKey(seq, until_us, first)
        if rows:
            self._insert(values)
            self._repeats.hold(new)
            self._hold(rows)
            self.head, self.inquiries = seq, inquiries
        return outcomes

    def _insert(self, values: list[object]) -> None:
        # One statement is one transaction, so this is written whole or not at all.
        self._sql.execute(_INSERT + ",".join([_ROW] * (len(values) // _COLUMNS)), values)

    def _hold(self, rows: Sequence[SpoolEntry]) -> None:
        # The relay asks for these next, so reading them back is spared unless it is far behind.
        for row in rows:
            if row.topic == INQUIRIES:
                self._leads.hold(row.key, row.seq)
        self._fresh.extend(rows)
        self._fresh_bytes += sum(len(row.value) for row in rows)
        while self._fresh_bytes > _BATCH_BYTES:
            self._fresh_bytes -= len(self._fresh.popleft().value)

    def oldest(self, after: int, limit: int) -> list[SpoolEntry]:
        """Up to `limit` rows after number `after`, in order, at most about 4 MiB."""
        while self._fresh and self._fresh[0].seq <= after:
            self._fresh_bytes -= len(self._fresh.popleft().value)
        if after >= self.head or (self._fresh and self._fresh[0].seq == after + 1):
            return list(islice(self._fresh, limit))
        return self._read(after, self.head, 0, limit)

    def published(self, after: int, *, since_us: int, limit: int) -> list[SpoolEntry]:
        """Up to `limit` of the retained rows behind number `after` that the bus has, accepted from `since_us` on."""
        return self._read(after, self.relayed, since_us, limit)

    def _read(self, after: int, upto: int, since_us: int, limit: int) -> list[SpoolEntry]:
        found = self._sql.execute(_OLDEST, (after, upto, since_us, limit, _BATCH_BYTES)).fetchone()[0]
        return _entries.decode(found)

    def inquiries_upto(self, seq: int) -> int:
        """How many inquiries were accepted, ever, up to row number `seq`, which is here or was the last to go."""
        newest = "SELECT inquiries FROM entries WHERE seq <= ? ORDER BY seq DESC LIMIT 1"
        row = self._sql.execute(newest, (seq,)).fetchone()
        return int(row[0] if row else self.read("inquiries") or 0)

    def set_aside(self, reasons: Mapping[int, str]) -> int:
        """Copy the rows with these numbers to where they stay, each with its reason; returns how many are new there."""
        with self._reserve(), transaction(self._sql) as sql:
            return sql.executemany(_SET_ASIDE, [(reason, seq) for seq, reason in reasons.items()]).rowcount

    def count_set_aside(self) -> int:
        """How many rows were set aside."""
        return int(self._sql.execute("SELECT count(*) FROM set_aside").fetchone()[0])

    def mark_relayed(self, *, relayed: int, floor_us: int) -> None:
        """Write down how far the bus has the rows, and below which instant no stamp may fall any more."""
        with self._reserve(), transaction(self._sql) as sql:
            values = ("relayed", str(relayed), "floor", str(floor_us))
            sql.execute("INSERT OR REPLACE INTO meta VALUES (?, ?), (?, ?)", values)
        self.relayed = relayed

    def tidy(self, at_us: int) -> None:
        """Index the keys of rows that the bus has, which stay known, and delete the rows that are not retained."""
        trimmed = self._trimmable(at_us)
        if self.relayed == self._indexed and trimmed == self._deleted:
            return
        with self._reserve(), transaction(self._sql) as sql:
            if self.relayed > self._indexed:
                self._repeats.move(sql, self._indexed, self.relayed, at_us)
                self._leads.move(sql, self._indexed, self.relayed)
                sql.execute("INSERT OR REPLACE INTO meta VALUES ('indexed', ?)", (str(self.relayed),))
            if trimmed > self._deleted:
                counted = (str(self.inquiries_upto(trimmed)),)
                sql.execute("INSERT OR REPLACE INTO meta VALUES ('inquiries', ?)", counted)
                sql.execute("DELETE FROM entries WHERE seq <= ?", (trimmed,))
        self._repeats.moved(self.relayed)
        self._leads.moved(self.relayed)
        self._indexed, self._deleted = self.relayed, trimmed

    def _trimmable(self, at_us: int) -> int:
        """The number of the newest row to delete now: a bounded step toward the retention limit."""
        step = self._deleted + _TRIM_AT_ONCE + 2 * (self.relayed - self._indexed)
        if self.share_used() > _RETAINED_SHARE:
            return min(self.relayed, step)
        before_us = at_us - self.retention.seconds * 1_000_000
        old = "SELECT max(seq) FROM entries WHERE seq <= ? AND accepted_at < ?"
        found = self._sql.execute(old, (min(self.relayed, step), before_us)).fetchone()[0]
        return max(self._deleted, found or 0, min(self.relayed - self.retention.rows, step))

    @property
    def untidied(self) -> int:
        """How many rows the bus has whose keys are not indexed yet."""
        return self.relayed - self._indexed

    def next_accepted_us(self, after: int) -> int | None:
        """When the oldest row behind number `after` was accepted; None when there is none."""
        if after >= self.head:
            return None
        oldest = self._sql.execute("SELECT accepted_at FROM entries WHERE seq > ? ORDER BY seq LIMIT 1", (after,))
        return int(oldest.fetchone()[0])

    def share_used(self) -> float:
        """Which part of the bytes allowed is in use, from 0 to 1."""
        pages, free = (self._sql.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
        return float(pages - free) / self._max_pages

    def bytes_free(self) -> int:
        """What the disk has left."""
        return shutil.disk_usage(self.path.parent).free

    @contextmanager
    def _reserve(self) -> Iterator[None]:
        # A full spool needs some more pages before it can free any.
        self._sql.execute(f"PRAGMA max_page_count = {self._max_pages + self._max_pages // 4 + 64}")
        try:
            yield
        finally:
            self._sql.execute(f"PRAGMA max_page_count = {self._max_pages}")

    def forsake(self) -> None:
        """Drop the connection after an error that leaves its state in doubt; the next statement opens a new one."""
        self._fresh.clear()  # the file may turn out to have rows that these know nothing of
        self._fresh_bytes = 0
        if self._db is not None:
            self._db.close()
            self._db = None

    def close(self) -> None:
        """Close the file and release its lock."""
        self.forsake()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def claim(
    folder: Path, *, max_bytes: int, retention: Retention = DEFAULT_RETENTION
) -> tuple[SpoolFile, list[SpoolFile]]:
    """The spool that this process shall use (the lowest-numbered that is free, or a new one), and all other free ones.

    The others belonged to processes that are gone: they have to be emptied, and retain nothing. Raises `Misconfigured`.
    """
    try:
        numbers = sorted(int(p.stem[6:]) for p in folder.glob("spool-*.db") if p.stem[6:].isdigit())
        free = [f for n in numbers if (f := _locked(folder, n, max_bytes, NOTHING)) is not None]
        number = 0
        while not free:
            if number not in numbers and (file := _locked(folder, number, max_bytes, NOTHING)) is not None:
                free.append(file)
            number += 1
    except OSError as wrong:
        raise Misconfigured(
            f"BATON_DATA names {folder}, which can't be used for the spool ({wrong.strerror})."
        ) from wrong
    free[0].retention = retention
    return free[0], free[1:]


def _locked(folder: Path, number: int, max_bytes: int, retention: Retention) -> SpoolFile | None:
    lock = own(folder / f"spool-{number}.lock")
    if lock is None:
        return None
    return SpoolFile(folder / f"spool-{number}.db", lock, max_bytes=max_bytes, retention=retention)


def unavailable(error: sqlite3.Error) -> Unavailable:
    """The error for a spool that cannot be written."""
    full = "full" in str(error)
    reason = "The disk of this service is full" if full else "The disk of this service can't be written"
    return Unavailable(f"{reason}; nothing was stored. Send it again later.", retry_after_s=10 if full else 2)
