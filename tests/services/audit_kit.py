"""Audits of what a test left on its log and in its database."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta

from services.scoreboard import handlers
from services.scoreboard.workers.auditor import Auditor, AuditReport
from shared.bus.envelope import Received, decode
from shared.db.engine import Database
from shared.domain.event import ACTIVITIES, ASSIGNMENTS, ESCALATIONS
from shared.ports import Bus
from tests.kit.services import from_start

_HANDLERS = {
    ACTIVITIES: handlers.on_activities,
    ASSIGNMENTS: handlers.on_assignments,
    ESCALATIONS: handlers.on_escalations,
}


async def read_all(bus: Bus, database: Database) -> None:
    """Let a scoreboard read everything that is on the log, each event once."""
    reader = await bus.subscribe(group="audit", topics=list(_HANDLERS), positions=from_start)
    batches: defaultdict[str, dict[str, Received]] = defaultdict(dict)
    while records := await reader.poll(max_records=1000, wait_s=0.05):
        for record in records:
            if record.headers.get("ce_type", b"").startswith(b"baton."):
                received = decode(record)
                batches[record.topic].setdefault(received.envelope.id, received)
    await reader.close()
    for topic, batch in batches.items():
        async with database.begin() as tx:
            await _HANDLERS[topic](tx, list(batch.values()))


async def audited(database: Database) -> AuditReport:
    """Audit all that is in the database, without waiting for a second look."""
    return await Auditor(database, look_again_s=0).audit(datetime.now(UTC) - timedelta(days=400), None)
