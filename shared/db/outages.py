"""Distinguishes an outage (a database that is down, full or not writable) from data that it cannot store.

An outage is waited out and changes nothing; a record with bad data is quarantined. An error that is not known to be
about the data counts as an outage: waiting loses nothing, quarantining good records does.
"""

import sqlite3
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError, DisconnectionError, PendingRollbackError, ResourceClosedError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

DATA_CLASSES = {
    "21": "cardinality violation: one key twice in one statement",
    "22": "data exception: a value that its type can't hold",
    "23": "integrity constraint violation",
    "44": "check option violation",
    "54": "program limit exceeded: too large for an index row, nested too deep",
}
"""Classes of SQLSTATE (its first two characters) that are about the data; all others are the database's."""

DATA_CODES = {
    sqlite3.SQLITE_ERROR: "the statement failed on these values",
    sqlite3.SQLITE_TOOBIG: "a value is too large",
    sqlite3.SQLITE_CONSTRAINT: "a constraint is violated",
    sqlite3.SQLITE_MISMATCH: "a value of the wrong type",
    sqlite3.SQLITE_RANGE: "a value too many or too few",
}
"""SQLite's result codes that are about the data; all others are the database's."""

_AWAY = (OSError, TimeoutError, PoolTimeout, DisconnectionError, PendingRollbackError, ResourceClosedError)


def is_outage(error: BaseException) -> bool:
    """Whether the error means that the database is down, busy, full, read-only or damaged, and not that the data is
    bad.

    In a group of errors, each must mean so.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_outage, error.exceptions))
    if isinstance(error, _AWAY) and not isinstance(error, ValueError):
        return True
    found = list(_from_the_driver(error))
    return bool(found) and not any(map(_about_the_data, found))


def _from_the_driver(error: BaseException) -> Iterator[BaseException]:
    """The driver's errors behind `error`: itself when nothing is wrapped around it, as with COPY."""
    if isinstance(error, StatementError):
        if isinstance(error, DBAPIError):
            yield from (each for each in (error.orig, error.orig.__cause__ if error.orig else None) if each is not None)
    elif isinstance(error, sqlite3.Error) or type(error).__module__.startswith("asyncpg"):
        yield error


def _about_the_data(error: BaseException) -> bool:
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return str(state)[:2] in DATA_CLASSES
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in DATA_CODES
    if isinstance(error, sqlite3.ProgrammingError):
        return "closed" not in str(error)
    # asyncpg's refusal to encode a value is a `ValueError`; all else that it raises is about the connection.
    return isinstance(error, ValueError | sqlite3.DataError)
