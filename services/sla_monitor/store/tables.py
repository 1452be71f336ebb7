"""The monitor's tables.

`sla_monitor_windows.look_at` is the timer's queue: the next instant at which a window may be due, null for never and
while it is on hold. Its index is partial and by partition, so that finding due windows costs the same with a million
open windows as with ten. Windows of periods are in no partition: theirs is -1. Those on inquiries have -2.

`sla_monitor_arrivals` has the inquiries that wait for their verdict, and verdicts that were read first.
`sla_monitor_watched_since` says since when all are remembered (1), and when the release before has ended (0).
"""

import sqlalchemy as sa

from shared.db.engine import Instant
from shared.db.tables import metadata, partial_index, runtime_tables
from shared.db.text import Key, Text

tables = runtime_tables("sla_monitor")

windows = sa.Table(
    "sla_monitor_windows",
    metadata,
    sa.Column("window_id", Key, primary_key=True),
    sa.Column("lead_id", Key, nullable=False, index=True),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("promise", Text, nullable=False),
    sa.Column("owner", Text, nullable=False),
    sa.Column("state", Text, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("look_at", Instant),
    sa.Column("paused_until", Instant),
    sa.Column("body", sa.LargeBinary, nullable=False),
    partial_index("ix_sla_monitor_windows_look_at", "partition", "look_at", where=sa.text("look_at IS NOT NULL")),
    partial_index("ix_sla_monitor_windows_periods", "due_at", "window_id", where=sa.text("partition = -1")),
    sa.Index("ix_sla_monitor_windows_due_at", "due_at", "window_id"),
)
facts = sa.Table(
    "sla_monitor_facts",
    metadata,
    sa.Column("lead_id", Key, primary_key=True),
    sa.Column("activity_id", Key, primary_key=True),
    sa.Column("kind", Text, nullable=False),
    sa.Column("accepted_at", Instant, nullable=False),
    sa.Column("outcome", Text),
    sa.Column("by", Text),
    sa.Column("reason", Text),
    sa.Column("happened_at", Instant),
)
hand_offs = sa.Table(
    "sla_monitor_hand_offs",
    metadata,
    sa.Column("lead_id", Key, primary_key=True),
    sa.Column("cycle", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("handed_at", Instant, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("straight", sa.Boolean, nullable=False),
    sa.Column("starts_at", Instant, nullable=False),
    sa.Column("filled", Text),
    sa.Column("counts_at", Instant, index=True),
    sa.Column("hand_off_s", sa.Float),
    sa.Column("accepted_at", Instant, index=True),
    sa.Column("rejected_at", Instant, index=True),
)
arrivals = sa.Table(
    "sla_monitor_arrivals",
    metadata,
    sa.Column("inquiry_id", Key, primary_key=True),
    sa.Column("lead_id", Key, nullable=False),
    sa.Column("accepted_at", Instant),
    sa.Column("agreement", Text),
    sa.Column("decided_at", Instant),
    sa.Column("verdict_id", Key),
    sa.Column("look_at", Instant, nullable=False, index=True),
)
watched_since = sa.Table(
    "sla_monitor_watched_since",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("since_at", Instant, nullable=False),
)
merged = sa.Table(
    "sla_monitor_merged",
    metadata,
    sa.Column("lead_id", Key, primary_key=True),
    sa.Column("into", Key, nullable=False, index=True),
    sa.Column("merged_at", Instant, nullable=False),
    sa.Column("was_lead", sa.Boolean, nullable=False),
)
steps = sa.Table(
    "sla_monitor_steps",
    metadata,
    sa.Column("window_id", Key, primary_key=True),
    sa.Column("loop", sa.Integer, primary_key=True),
    sa.Column("level", sa.Integer, primary_key=True),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("fired_at", Instant, nullable=False),
    sa.Column("outcome", Text, nullable=False),
)
watermarks = sa.Table(
    "sla_monitor_watermarks",
    metadata,
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("instance", Key, primary_key=True),
    sa.Column("upto_at", Instant, nullable=False),
    sa.Column("state", Text, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False, server_default="-1"),
    sa.Column("skew_s", sa.Float, server_default="0"),
)
escalations = sa.Table(
    "sla_monitor_escalations",
    metadata,
    sa.Column("escalation_id", Key, primary_key=True),
    sa.Column("lead_id", Key, nullable=False, index=True),
    sa.Column("state", Text, nullable=False),
    sa.Column("quiet_until_at", Instant),
    sa.Column("raised_at", Instant, nullable=False),
    sa.Column("silence_id", Key),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("ix_sla_monitor_escalations_raised_at", "raised_at", "escalation_id"),
    partial_index("ix_sla_monitor_escalations_silence_id", "silence_id", where=sa.text("silence_id IS NOT NULL")),
)
silences = sa.Table(
    "sla_monitor_silences",
    metadata,
    sa.Column("silence_id", Key, primary_key=True),
    sa.Column("starts_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False, index=True),
    sa.Column("reason", Text, nullable=False),
    sa.Column("by", Text, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("promise", Text),
    sa.Column("owner", Text),
    sa.Column("pool", Text),
    sa.Column("side", Text),
    sa.Column("ended_by", Text),
)
overrides = sa.Table(
    "sla_monitor_overrides",
    metadata,
    sa.Column("override_id", Key, primary_key=True),
    sa.Column("role", Text, nullable=False),
    sa.Column("person", Text, nullable=False),
    sa.Column("starts_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False, index=True),
    sa.Column("by", Text, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
)
holds = sa.Table(
    "sla_monitor_holds",
    metadata,
    sa.Column("quarantine_id", Key, primary_key=True),
    sa.Column("lead_id", Key, nullable=False, index=True),
    sa.Column("digest", Text, nullable=False),
    sa.Column("reason", Text, nullable=False),
    sa.Column("held_at", Instant, nullable=False),
    sa.Column("released_at", Instant),
)
