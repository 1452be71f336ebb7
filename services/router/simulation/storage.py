"""Disk storage for the leads of a replay; memory holds only the most recently used ones."""

import json
import sqlite3
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
from msgspec.structs import replace

from services.router.domain.accounts import AccountKeys, Owned, keys_of, owns
from services.router.domain.lead import Lead
from services.router.domain.same_person import contact_keys
from services.router.domain.simulation_promises import OwedPromise, SalesFact
from shared.domain.events import InquiryReceived
from shared.domain.lead import Company, Contact

MAX_IN_MEMORY = 4096
"""So many values stay in memory."""

T = TypeVar("T")


class BloomFilter:
    """Recognizes most new keys in a fixed amount of memory (a Bloom filter with two hashes)."""

    def __init__(self, bits: int) -> None:
        self._bits = bytearray(1 << (bits - 3))
        self._mask = (1 << bits) - 1
        self._shift = bits

    def seen(self, key: int, *, note: bool) -> bool:
        """Whether the key may have been noted before."""
        one, other = key & self._mask, key >> self._shift & self._mask
        bits = self._bits
        known = bits[one >> 3] >> (one & 7) & bits[other >> 3] >> (other & 7) & 1
        if note and not known:
            bits[one >> 3] |= 1 << (one & 7)
            bits[other >> 3] |= 1 << (other & 7)
        return bool(known)


class ReplayedLead(msgspec.Struct):
    """A lead in a replay, mutable. `facts` count for its promises, `due` are those that previous owners had to
    keep, `why` is the reason of the last verdict. `asked_at` is when its last inquiry was judged. `renewed` is the lead
    as it was each time before its score rose while the present owner had it.
    """

    lead: Lead
    facts: tuple[SalesFact, ...] = ()
    due: tuple[OwedPromise, ...] = ()
    why: str = ""
    asked_at: datetime | None = None
    renewed: tuple[Lead, ...] = ()


class PrivateFile:
    """A SQLite file with these tables, for the time of one replay."""

    def __init__(self, file: Path, *tables: str) -> None:
        self._database = sqlite3.connect(file)
        # Nothing in it outlives the replay, so nothing has to survive a crash.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -4096"):
            self._database.execute(f"PRAGMA {pragma}")
        for table in tables:
            self._database.execute(table)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


class DiskDict(PrivateFile, Generic[T]):
    """Values by key in a private file, with the most recently used in memory."""

    def __init__(self, file: Path, decoder: "msgspec.msgpack.Decoder[T]") -> None:
        super().__init__(file, "CREATE TABLE entries (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID")
        self._decode = decoder.decode
        self._encode = msgspec.msgpack.Encoder().encode
        self._near: dict[str, T] = {}
        self._changed: set[str] = set()
        self._far = BloomFilter(23)

    def get(self, key: str) -> T | None:
        """The value, if there is one."""
        found = self._near.get(key)
        if found is None:
            if not self._far.seen(hash(key), note=False):
                return None
            row = self._database.execute("SELECT body FROM entries WHERE id = ?", (key,)).fetchone()
            if row is None:
                return None
            found = self._near[key] = self._decode(row[0])
            self._make_room()
        return found

    def put(self, key: str, value: T) -> None:
        """Save a new or changed value."""
        self._near[key] = value
        self._changed.add(key)
        self._make_room()

    def items(self) -> Iterator[tuple[str, T]]:
        """All values in the order of their keys; nothing may change meanwhile."""
        self._write(self._near)
        for key, body in self._database.execute("SELECT id, body FROM entries ORDER BY id"):
            yield key, self._decode(body)

    def _make_room(self) -> None:
        if len(self._near) <= MAX_IN_MEMORY:
            return
        oldest = list(islice(self._near, MAX_IN_MEMORY // 2))
        self._write(oldest)
        for key in oldest:
            del self._near[key]

    def _write(self, keys: Iterable[str]) -> None:
        changed = [key for key in keys if key in self._changed]
        rows = [(key, self._encode(self._near[key])) for key in sorted(changed)]
        for key in changed:
            self._far.seen(hash(key), note=True)
        with self._database:
            self._database.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?)", rows)
        self._changed.difference_update(changed)


class PersonIndex(PrivateFile):
    """The leads with an address or number, now or earlier. Keys are stored as hashes only."""

    def __init__(self, file: Path) -> None:
        table = "CREATE TABLE persons (key INTEGER, lead_id TEXT, PRIMARY KEY (key, lead_id)) WITHOUT ROWID"
        super().__init__(file, table)
        self._filter = BloomFilter(25)
        self._new: dict[int, set[str]] = {}

    def leads_of(self, inquiry: InquiryReceived) -> set[str]:
        """The ids of leads that may be this person; the inquiry's own id is noted under its keys, and among them when
        it was there before.
        """
        found: set[str] = set()
        if self._filter.seen(hash(inquiry.lead_id), note=True):
            found.add(inquiry.lead_id)
        for text in contact_keys(inquiry.contact):
            key = hash(text)
            if self._filter.seen(key, note=True):
                found |= self._new.get(key, set())
                rows = self._database.execute("SELECT lead_id FROM persons WHERE key = ?", (key,))
                found.update(row[0] for row in rows)
            self._new.setdefault(key, set()).add(inquiry.lead_id)
        if len(self._new) > MAX_IN_MEMORY:
            self._write()
        return found

    def _write(self) -> None:
        rows = sorted((key, lead_id) for key, ids in self._new.items() for lead_id in ids)
        with self._database:
            self._database.executemany("INSERT OR IGNORE INTO persons VALUES (?, ?)", rows)
        self._new.clear()


class ParkedIndex:
    """Leads that wait, by pool, the longest waiting first. They are in memory, without contact, company and signals."""

    def __init__(self) -> None:
        self._leads: dict[str, Lead] = {}
        self._order: dict[str, list[tuple[datetime, str]]] = {}
        self._companies: dict[str, AccountKeys] = {}

    def update(self, lead: Lead) -> None:
        """The lead as it is now."""
        before = self._leads.pop(lead.lead_id, None)
        if before is not None:
            order = self._order[str(before.pool)]
            del order[bisect_left(order, _waiting_since(before))]
            del self._companies[lead.lead_id]
        if lead.state == "parked":
            self._leads[lead.lead_id] = _without_person(lead)
            insort(self._order.setdefault(str(lead.pool), []), _waiting_since(lead))
            self._companies[lead.lead_id] = keys_of(lead.company, lead.contact)

    def page(self, pool: str, after: Lead | None, limit: int) -> list[Lead]:
        """The next leads after one of them, or the first."""
        order = self._order.get(pool, [])
        start = bisect_right(order, _waiting_since(after)) if after is not None else 0
        return [self._leads[lead_id] for _, lead_id in order[start : start + limit]]

    def of_companies(self, companies: Iterable[AccountKeys]) -> list[str]:
        """The ids of leads of companies with one of these domains or a name like one of these, by id."""
        known = list(companies)
        domains, blocks = {each.domain for each in known if each.domain}, {each.block for each in known if each.block}
        found = [id_ for id_, keys in self._companies.items() if keys.domain in domains or keys.block in blocks]
        return sorted(found)


def _waiting_since(lead: Lead) -> tuple[datetime, str]:
    assert lead.parked_at is not None, "a parked lead has waited since some instant"  # noqa: S101
    return lead.parked_at, lead.lead_id


def _without_person(lead: Lead) -> Lead:
    return replace(
        lead, contact=Contact(), company=Company(), reason="", reasons=(), intents=(), signals=(), other_keys=()
    )


class OwnerIndex(PrivateFile):
    """Which leads make their rep the owner of a company."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            file,
            "CREATE TABLE owners (lead_id TEXT PRIMARY KEY, domain TEXT, company TEXT, block TEXT, rep TEXT, pool TEXT,"
            " assigned_at REAL) WITHOUT ROWID",
            "CREATE INDEX by_domain ON owners (domain, assigned_at, lead_id)",
            "CREATE INDEX by_block ON owners (block, company, assigned_at, lead_id)",
        )

    def update(self, lead: Lead) -> None:
        """The lead as it is now."""
        if not owns(lead):
            self._database.execute("DELETE FROM owners WHERE lead_id = ?", (lead.lead_id,))
            return
        keys = keys_of(lead.company, lead.contact)
        since = lead.assigned_at.timestamp() if lead.assigned_at is not None else None
        row = (lead.lead_id, keys.domain, keys.name, keys.block, lead.rep, lead.pool, since)
        self._database.execute("INSERT OR REPLACE INTO owners VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def owners_of(self, keys: Iterable[AccountKeys], team: Iterable[str]) -> list[Owned]:
        """For each of these domains and each name like one of these the first lead of the team; without one, the first
        lead.
        """
        known, reps = list(keys), json.dumps(sorted(team))
        domains, blocks = {k.domain for k in known if k.domain}, {k.block for k in known if k.block}
        return [
            *(owned for domain in domains for owned in self._first_of(domain, reps)),
            *(_owned(row) for block in blocks for row in self._database.execute(_FIRST_OF_NAMES, (reps, block))),
        ]

    def _first_of(self, domain: str, team: str) -> Iterator[Owned]:
        """Two searches by the index: a large company has many leads."""
        found = self._database.execute(_FIRST_OF_DOMAIN, (domain, team)).fetchone()
        found = found or self._database.execute(_FIRST_OF_DOMAIN_EVER, (domain,)).fetchone()
        if found is not None:
            yield _owned(found)


def _owned(row: tuple[Any, ...]) -> Owned:
    assigned_at = datetime.fromtimestamp(row[6], UTC) if row[6] is not None else None
    return Owned(AccountKeys(row[1], row[2], row[3]), row[4], row[5] or "", row[0], assigned_at)


_FIRST_OF_DOMAIN_EVER = "SELECT * FROM owners WHERE domain = ? ORDER BY assigned_at, lead_id LIMIT 1"
_FIRST_OF_DOMAIN = (
    "SELECT * FROM owners WHERE domain = ? AND rep IN (SELECT value FROM json_each(?))"
    " ORDER BY assigned_at, lead_id LIMIT 1"
)
_FIRST_OF_NAMES = (
    "SELECT * FROM (SELECT owners.*, row_number() OVER (PARTITION BY company ORDER BY"
    " rep NOT IN (SELECT value FROM json_each(?)), assigned_at, lead_id) AS place FROM owners WHERE block = ?)"
    " WHERE place = 1"
)
