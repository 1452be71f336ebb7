"""Which leads this machine has accepted an inquiry of, so that the sender of an activity learns if its lead is unknown.

Like the keys of duplicates, the newest are in memory and in the rows of the facts; once the log has those, they move to
a table, many at a time and in its order. Used by one thread.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import msgspec

from shared.domain.events import INQUIRIES

_RECENT = "SELECT key, seq FROM entries WHERE seq > ? AND topic = ? ORDER BY seq"
_MOVE = """INSERT OR IGNORE INTO leads
    SELECT DISTINCT key FROM entries WHERE seq > ? AND seq <= ? AND topic = ? ORDER BY key"""
_STORED = "SELECT lead_id FROM leads WHERE lead_id IN (SELECT value FROM json_each(?))"
_WAITING_ROWS = """SELECT key FROM entries WHERE topic = ? AND key IN (SELECT value FROM json_each(?))
    AND seq > (SELECT coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'indexed'), 0))"""
_COMPLETE = "SELECT 1 FROM meta WHERE name = 'leads' AND value = 'all'"


class KnownLeads:
    """The leads of one spool file, `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._recent: dict[str, int] = {}

    def load(self, sql: sqlite3.Connection, indexed: int, *, new: bool) -> None:
        """Take up what the rows behind number `indexed` have. A `new` file is going to have all leads; an older one
        had accepted some before they were listed.
        """
        if new:
            sql.execute("INSERT OR IGNORE INTO meta VALUES ('leads', 'all')")
        self._recent = dict(sql.execute(_RECENT, (indexed, INQUIRIES)).fetchall())

    def hold(self, lead_id: str, seq: int) -> None:
        """An inquiry of this lead was committed as the row with this number."""
        self._recent.pop(lead_id, None)  # keeps the order of the rows
        self._recent[lead_id] = seq

    def move(self, sql: sqlite3.Connection, after: int, upto: int) -> None:
        """Within a transaction: list the leads of the rows behind `after` up to `upto`."""
        sql.execute(_MOVE, (after, upto, INQUIRIES))

    def moved(self, upto: int) -> None:
        """That is committed."""
        self._recent = {lead_id: seq for lead_id, seq in self._recent.items() if seq > upto}

    def unknown(self, sql: sqlite3.Connection, lead_ids: Iterable[str]) -> set[str]:
        """Those of the leads that no spool in this folder has. None if a spool does not list all that it accepted."""
        left = {lead_id for lead_id in lead_ids if lead_id not in self._recent}
        if left:
            left -= _listed(sql, left)
        if left and sql.execute(_COMPLETE).fetchone() is None:
            return set()
        for other in sorted(self._path.parent.glob("spool-*.db")):
            if left and other != self._path:
                left = _unknown_to(other, left)
        return left


def _listed(sql: sqlite3.Connection, lead_ids: Iterable[str]) -> set[str]:
    found = sql.execute(_STORED, (msgspec.json.encode(list(lead_ids)).decode(),))
    return {row[0] for row in found.fetchall()}


def _unknown_to(other: Path, lead_ids: set[str]) -> set[str]:
    """Those that the spool of another process does not have; none if it can't be asked."""
    try:
        with closing(sqlite3.connect(f"file:{other}?mode=rw", uri=True, timeout=0.1)) as sql:
            if sql.execute(_COMPLETE).fetchone() is None:
                return set()
            rows = sql.execute(_WAITING_ROWS, (INQUIRIES, msgspec.json.encode(list(lead_ids)).decode()))
            return lead_ids - {row[0] for row in rows.fetchall()} - _listed(sql, lead_ids)
    except sqlite3.Error:
        return set()
