"""An SQLite file that one process owns by a lock, and in which whatever was committed is on disk."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAGE = 4096
_WAL, _FULL = "wal", 2


def claim(lock: Path) -> int | None:
    """Own the file `lock`, which is made if it is missing, until its descriptor is closed; None if another process has
    it. Raises `OSError`.
    """
    # The operating system releases the lock when the process ends, in any way; a marker file would remain. And a file
    # of its own: closing any descriptor of the database itself would drop SQLite's own locks.
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def connect(path: Path, *, any_thread: bool = False) -> sqlite3.Connection:
    """A connection with a full fsync at each commit, for one thread unless `any_thread`; transactions are begun by
    hand. The file is made if it is missing.

    Raises `sqlite3.Error`, also where the disk can't do that.
    """
    db = sqlite3.connect(path, isolation_level=None, cached_statements=256, check_same_thread=not any_thread)
    db.execute(f"PRAGMA page_size = {PAGE}")
    mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    db.execute("PRAGMA synchronous = FULL")
    synced = db.execute("PRAGMA synchronous").fetchone()[0]
    if (mode, synced) != (_WAL, _FULL):
        db.close()
        raise sqlite3.OperationalError(f"SQLite can't keep it safe here (journal_mode={mode}, synchronous={synced})")
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing of what runs inside. Raises what that raises, and `sqlite3.Error` where the commit fails."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite may have rolled back already, as it does when the disk is full
            db.execute("ROLLBACK")
        raise
