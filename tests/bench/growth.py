"""P6: how much slower a router gets with a million leads stored, ten thousand reps, a thousand rules; and what one more
rule and one more rep of a pool cost.

Batches of the small and of the large case take turns, on one PostgreSQL, so that what else the machine does falls on
both. Without Kafka, which does not grow with any of them.
"""

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import sqlalchemy as sa

from deploy.local.postgres import PostgresCluster
from services.router.domain.decision import decide
from services.router.domain.routing_state import RoutingState
from services.router.handlers.events import RouterHandlers
from services.router.handlers.transaction import RoutingTransactions
from services.router.store.tables import tables
from shared import agreement_file
from shared.bus.envelope import Envelope, Received, encode
from shared.clock import SystemClock
from shared.db import inbox, outbox, schema
from shared.db.engine import Database
from shared.domain.agreement import Agreement
from shared.domain.events import InquiryReceived
from shared.ports import Record
from tests.bench.figures import Figure
from tests.bench.routing import BATCH, inquiries, large_agreement

SIZES = ("stored", "batches", "reps", "verdicts")
ENOUGH_MEMORY = {"shared_buffers": "1GB"}
"""For a server that holds a million leads: their indexes do not fit into the 128 MB that PostgreSQL has by default."""
STORED = (
    """INSERT INTO router_leads (lead_id, version, state, rep, pool, email, phone, campaign, domain, company, block,
        owns, assigned_at, updated_at, body)
    SELECT 'ld_' || md5(n::text), 1, 'assigned', 'rep' || lpad((n % 200)::text, 3, '0'), 'pool00',
        'stored' || n || '@example.com', '+32' || n, 'q4-demo', 'c' || n || '.example', 'company ' || n,
        'c' || n % 1000, true, now(), now() - n * interval '1 second', convert_to(repeat(md5(n::text), 24), 'UTF8')
    FROM generate_series(1, :count) n""",
    """INSERT INTO router_assignments (assignment_id, lead_id, generation, rep, pool, active, assigned_at)
    SELECT 'as_' || md5(n::text), 'ld_' || md5(n::text), 1, 'rep000', 'pool00', true, now()
    FROM generate_series(1, :count) n""",
    """INSERT INTO router_verdicts (lead_id, lead_version, seq, verdict, inquiry_id, source, received_at, proof)
    SELECT 'ld_' || md5(n::text), 1, n, 'assigned', 'inq_' || n, 'website', now(),
        convert_to(repeat(md5(n::text), 48), 'UTF8')
    FROM generate_series(1, :count) n""",
    """INSERT INTO router_inbox (event_id, handled_at) SELECT 'ev_' || md5(n::text), now()
    FROM generate_series(1, :count) n""",
    "INSERT INTO router_desk (id, token, seq) VALUES (1, '', :count)",
)
"""Leads as a router leaves them, with rows of the usual length."""


class Routing:
    """The router's handlers on a database, and the inquiries that they have yet to handle."""

    def __init__(self, database: Database, agreement: Agreement, *, sizes: int) -> None:
        self._database = database
        self._handlers = RouterHandlers(RoutingTransactions(database, lambda _: agreement))
        self._inquiries = inquiries(1_000_000_000, sizes=sizes)

    async def batch(self) -> float:
        """Take one batch, as consumer and relay do; how many seconds it took."""
        received = [_received(envelope) for envelope in islice(self._inquiries, BATCH)]
        began = time.perf_counter()
        async with self._database.begin() as tx:
            await inbox.fresh(tx, tables, [each.envelope.id for each in received], datetime.now(UTC))
            await self._handlers.on_inquiries(tx, received)
        async with self._database.begin() as tx:
            numbers = [each.seq for each in await outbox.unpublished(tx, tables, max_rows=BATCH)]
            await outbox.mark_published(tx, tables, numbers, SystemClock().now())
        return time.perf_counter() - began


def _received(envelope: Envelope) -> Received:
    message = encode(envelope)
    return Received(envelope, Record(message.topic, 0, 0, message.key, message.value, dict(message.headers)))


async def side_by_side(small: Routing, large: Routing, *, batches: int) -> tuple[float, float]:
    """The median rate of each, in leads a second, batch by batch in turn.

    Two in five warm up: after a checkpoint PostgreSQL writes each page whole when it is first touched, and a large
    index has many that a small one has not.
    """
    warm = 2 * batches // 3 + 1
    taken = [(await small.batch(), await large.batch()) for _ in range(warm + batches)][warm:]
    one, other = (statistics.median(side) for side in zip(*taken, strict=True))
    return BATCH / one, BATCH / other


def parsed(**sizes: int) -> Agreement:
    """The agreement of so many rules and reps."""
    return agreement_file.parse(large_agreement(**sizes), "bench.yaml").agreement


def cost_of_a_verdict(agreement: Agreement, *, count: int) -> float:
    """Microseconds of processor time for a verdict on an inquiry that only the last rule takes, the best of five."""
    events = [envelope.event for envelope in islice(inquiries(count, sizes=1), count)]
    asked = [event for event in events if isinstance(event, InquiryReceived)]
    now, best = datetime.now(UTC), float("inf")
    for _ in range(5):
        routing = RoutingState()
        began = time.process_time()
        for each in asked:
            decide(routing, agreement, each, now)
        best = min(best, time.process_time() - began)
    return best / count * 1e6


@contextmanager
def settled() -> Iterator[None]:
    """Objects that are there already stay out of the collector's way, as in a service."""
    gc.collect()
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(5_000, 20, 20)
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def costs(verdicts: int) -> Sequence[Figure]:
    """What one more rule, and one more rep of a pool, cost."""
    with settled():
        small = cost_of_a_verdict(parsed(first=1), count=verdicts)
        rules = cost_of_a_verdict(parsed(first=1, rules=1000), count=verdicts)
        reps = cost_of_a_verdict(parsed(first=1, reps=2000, pool_of=200), count=verdicts)
    rule, rep = (rules - small) / 980, (reps - small) / 180
    name, shown = "the whole verdict: 20 rules, pools of 20", "-"
    return [
        Figure("P6 rule", "one more rule that is tried (1,000 against 20)", "us", rule, name, small, shown, held=True),
        Figure("P6 rep", "one more rep in the pool (200 against 20)", "us", rep, name, small, shown, held=True),
    ]


async def _growth(postgres: PostgresCluster, *, stored: int, batches: int, reps: int) -> Sequence[Figure]:
    made: list[Database] = []

    async def routing(agreement: Agreement, *, sizes: int = 1000, leads: int = 0) -> Routing:
        database = Database(postgres.create_database(f"growth{len(made)}"), SystemClock())
        made.append(database)
        await schema.migrate(database)
        if leads:
            async with database.begin() as tx:
                for statement in STORED:
                    await tx.execute(sa.text(statement), {"count": leads})
            connection = await database.dedicated()
            await connection.execute(sa.text("ANALYZE"))
            await connection.execute(sa.text("CHECKPOINT"))
            await connection.close()
        return Routing(database, agreement, sizes=sizes)

    usual, many = parsed(), {"rules": 500, "pool_of": 20}
    cases = [
        ("leads", f"{stored:,} leads stored", ">= 0.9", routing(usual), routing(usual, leads=stored)),
        (
            "reps",
            f"{reps:,} reps in pools of 20 (against 200), 500 rules",
            ">= 0.9",
            routing(parsed(reps=200, **many), sizes=25_000),
            routing(parsed(reps=reps, **many), sizes=25_000),
        ),
        ("rules", "1,000 rules (against 20)", ">= 0.7", routing(usual), routing(parsed(rules=1000), sizes=50_000)),
    ]
    found = []
    for name, what, target, small, large in cases:
        with settled():
            one, other = await side_by_side(await small, await large, batches=batches)
        held = other >= float(target.removeprefix(">= ")) * one
        found.append(Figure(f"P6 {name}", f"route with {what}", "leads/s", other, "the small case", one, target, held))
    for database in made:
        await database.close()
    return found


def measure(folder: Path, *, stored: int, batches: int, reps: int, verdicts: int) -> Sequence[Figure]:
    """P6. `stored` leads are in the database beforehand; the median of so many `batches` counts, and the best of five
    times so many `verdicts`.
    """
    postgres = PostgresCluster(folder / "growth", settings=ENOUGH_MEMORY)
    postgres.start()
    try:
        grown = asyncio.run(_growth(postgres, stored=stored, batches=batches, reps=reps))
    finally:
        postgres.stop()
    return [*grown, *costs(verdicts)]


if __name__ == "__main__":
    import tempfile

    from tests.bench.figures import table

    with tempfile.TemporaryDirectory(prefix="baton-bench-") as place:
        sizes = [int(each) for each in sys.argv[1:]]
        print(table(measure(Path(place), **dict(zip(SIZES, sizes, strict=True)))))
