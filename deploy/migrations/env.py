"""Runs migrations on the connection that `shared.db.schema` hands over."""

from alembic import context

import services.delivery.store.tables
import services.router.store.tables
import services.scoreboard.store.tables
import services.sla_monitor.store.tables  # noqa: F401 (defining their tables is what these imports are for)
from shared.db.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
