"""Opens a spool file for durable writing: its settings and tables, and what a file of an earlier release lacks."""

import sqlite3
from pathlib import Path

from shared.domain.errors import Misconfigured
from shared.sqlite_file import connect

_VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,
    accepted_at INTEGER NOT NULL, repeat_key TEXT NOT NULL, expires_at INTEGER NOT NULL, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS seen (
    key TEXT PRIMARY KEY, id TEXT NOT NULL, lead_id TEXT NOT NULL, accepted_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_expiry ON seen (expires_at);
CREATE TABLE IF NOT EXISTS set_aside (
    seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,
    accepted_at INTEGER NOT NULL, value TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS leads (lead_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_ADDED_COLUMNS = {
    "entries": {"content": "TEXT NOT NULL DEFAULT ''", "inquiries": "INTEGER NOT NULL DEFAULT 0"},
    "seen": {"content": "TEXT NOT NULL DEFAULT ''"},
}


def connected(path: Path, *, max_pages: int) -> sqlite3.Connection:
    """A connection to the file, which is made if it is missing.

    Raises `Misconfigured` for a file of a newer release, else `sqlite3.Error`.
    """
    db = connect(path)
    db.execute("PRAGMA secure_delete = FAST")  # some builds write zeros over all that is deleted: 8 % of the time
    db.execute("PRAGMA journal_size_limit = 67108864")
    db.execute("PRAGMA cache_size = -16384")
    db.execute(f"PRAGMA max_page_count = {max_pages}")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > _VERSION:
        raise Misconfigured(f"{path} was written by a newer Baton. Start that version, or a later one.")
    _bring_up_to_date(db)
    return db


def _bring_up_to_date(db: sqlite3.Connection) -> None:
    db.executescript(_TABLES)
    for table, columns in _ADDED_COLUMNS.items():
        there = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
        for name, kind in columns.items():
            if name not in there:
                db.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
    db.execute(f"PRAGMA user_version = {_VERSION}")
