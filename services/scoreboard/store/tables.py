"""The scoreboard's tables, with the indexes that its pages read by."""

import sqlalchemy as sa

from services.scoreboard.domain.conservation import IN_FLIGHT
from shared.db.engine import Instant
from shared.db.tables import metadata, partial_index, runtime_tables
from shared.db.text import Key, Text

tables = runtime_tables("scoreboard")

inquiries = sa.Table(
    "scoreboard_inquiries",
    metadata,
    sa.Column("inquiry_id", Key, primary_key=True),
    sa.Column("lead_id", Text),
    sa.Column("source", Text),
    sa.Column("channel", Text),
    sa.Column("campaign", Text),
    sa.Column("received_at", Instant),
    sa.Column("test", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("outcome", Text, nullable=False, server_default=IN_FLIGHT),
    sa.Column("decided_at", Instant),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="-1"),
    sa.Column("acceptances", Text, nullable=False, server_default=""),  # of an earlier version; no longer read
)
inquiries_waiting = sa.and_(
    inquiries.c.outcome == sa.literal_column(f"'{IN_FLIGHT}'"), inquiries.c.received_at.is_not(None)
)
partial_index("ix_scoreboard_inquiries_in_flight", inquiries.c.received_at, where=inquiries_waiting)
inquiries_early = sa.and_(inquiries.c.outcome != sa.literal_column(f"'{IN_FLIGHT}'"), inquiries.c.received_at.is_(None))
partial_index("ix_scoreboard_inquiries_early", inquiries.c.decided_at, where=inquiries_early)

markers = sa.Table(
    "scoreboard_markers",
    metadata,
    sa.Column("spool", Key, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("first", sa.BigInteger, nullable=False),
    sa.Column("last", sa.BigInteger, nullable=False),
)
spools = sa.Table(
    "scoreboard_spools",
    metadata,
    sa.Column("spool", Key, primary_key=True),
    sa.Column("checked", sa.BigInteger, nullable=False),
)
read_numbers = sa.Table(
    "scoreboard_read_numbers",
    metadata,
    sa.Column("spool", Key, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
)
missing_numbers = sa.Table(
    "scoreboard_missing_numbers",
    metadata,
    sa.Column("spool", Key, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
)
sa.Table(  # of an earlier version; no longer used
    "scoreboard_ingests",
    metadata,
    sa.Column("instance", Key, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("upto", Instant, nullable=False),
    sa.Column("state", Text, nullable=False),
    sa.Column("inquiries", sa.BigInteger, nullable=False),
)

leads = sa.Table(
    "scoreboard_leads",
    metadata,
    sa.Column("lead_id", Key, primary_key=True),
    sa.Column("name", Text),
    sa.Column("email", Text),
    sa.Column("phone", Text),
    sa.Column("job_title", Text),
    sa.Column("company", Text),
    sa.Column("source", Text),
    sa.Column("channel", Text),
    sa.Column("campaign", Text),
    sa.Column("received_at", Instant, index=True),
    sa.Column("state", Text, nullable=False, server_default="received"),
    sa.Column("reason", Text),
    sa.Column("stage", Text),
    sa.Column("sales_stage", Text),
    sa.Column("sales_at", Instant),
    sa.Column("score", sa.Integer),
    sa.Column("owner", Text),
    sa.Column("pool", Text),
    sa.Column("assigned_at", Instant),
    sa.Column("respond_by", Instant),
    sa.Column("inquiry_id", Text),
    sa.Column("began_at", Instant),
    sa.Column("settled_at", Instant),
    sa.Column("queue", Key),
    sa.Column("clause", Key),
    sa.Column("ended_at", Instant),
    sa.Column("ended_as", Text),
    sa.Column("ended_by", Text),
    sa.Column("ended_because", Key),
    sa.Column("ended_text", Text),
    sa.Column("merged_into", Key),
    sa.Column("split_at", Instant),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="-1"),
    sa.Column("respond_version", sa.BigInteger, nullable=False, server_default="-1"),
    sa.Column("orphan_activities", sa.Integer, nullable=False, server_default="0"),
    sa.Column("orphan_since", Instant),
    sa.Column("orphan_expired_at", Instant),
)
leads_orphaned = sa.and_(leads.c.orphan_since.is_not(None), leads.c.orphan_expired_at.is_(None))
leads_expired = sa.and_(leads.c.orphan_since.is_not(None), leads.c.orphan_expired_at.is_not(None))
leads_parked = leads.c.state == sa.literal_column("'parked'")
leads_rejected = leads.c.state == sa.literal_column("'rejected'")
leads_refused = sa.and_(
    leads.c.state == sa.literal_column("'closed'"), leads.c.ended_as == sa.literal_column("'rejected'")
)
partial_index("ix_scoreboard_leads_parked", leads.c.queue, leads.c.settled_at, leads.c.lead_id, where=leads_parked)
partial_index("ix_scoreboard_leads_rejected", leads.c.clause, leads.c.settled_at, leads.c.lead_id, where=leads_rejected)
partial_index(
    "ix_scoreboard_leads_refused", leads.c.ended_because, leads.c.ended_at, leads.c.lead_id, where=leads_refused
)
partial_index("ix_scoreboard_leads_orphaned", leads.c.orphan_since, leads.c.lead_id, where=leads_orphaned)
partial_index("ix_scoreboard_leads_expired", leads.c.orphan_since, leads.c.lead_id, where=leads_expired)
partial_index("ix_scoreboard_leads_joined", leads.c.merged_into, where=leads.c.merged_into.is_not(None))

windows = sa.Table(
    "scoreboard_windows",
    metadata,
    sa.Column("window_id", Key, primary_key=True),
    sa.Column("lead_id", Key, index=True),
    sa.Column("promise", Text),
    sa.Column("side", Text),
    sa.Column("owner", Text),
    sa.Column("generation", sa.Integer, nullable=False, server_default="0"),
    sa.Column("opened_at", Instant),
    sa.Column("due_at", Instant),
    sa.Column("state", Text),
    sa.Column("ended_at", Instant),
    sa.Column("fault", Text),
    sa.Column("due_since", Instant),
    sa.Column("per", Text),
    sa.Column("counted", sa.BigInteger),
    sa.Column("counted_of", sa.BigInteger),
    sa.Column("target", sa.Float),
    sa.Column("pace", sa.Float),
    sa.Column("counted_at", Instant),
    sa.Column("paused_until", Instant),
)
windows_running = windows.c.state == sa.literal_column("'open'")
windows_of_periods = windows.c.per.is_not(None)
partial_index("ix_scoreboard_windows_periods", windows.c.due_at, windows.c.window_id, where=windows_of_periods)
partial_index("ix_scoreboard_windows_running", windows.c.due_at, where=windows_running)

waits = sa.Table(
    "scoreboard_waits",
    metadata,
    sa.Column("lead_id", Key, primary_key=True),
    sa.Column("cycle", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("asked_at", Instant, nullable=False, index=True),
    sa.Column("answered_at", Instant),
    sa.Column("rep", Text),
    sa.Column("since_at", Instant),
    sa.Column("buyer_s", sa.Float),
    sa.Column("buyer_work_s", sa.Float),
    sa.Column("rep_s", sa.Float),
    sa.Column("rep_work_s", sa.Float),
)

pilot_assignments = sa.Table(
    "scoreboard_pilot_assignments",
    metadata,
    sa.Column("pilot", Key, primary_key=True),
    sa.Column("lead_id", Key, primary_key=True),
    sa.Column("cycle", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("arm", Key, nullable=False),
    sa.Column("assigned_at", Instant, nullable=False, index=True),
)

escalations = sa.Table(
    "scoreboard_escalations",
    metadata,
    sa.Column("escalation_id", Key, primary_key=True),
    sa.Column("lead_id", Key, index=True),
    sa.Column("window_id", Text),
    sa.Column("promise", Text),
    sa.Column("owner", Text),
    sa.Column("level", sa.Integer, nullable=False, server_default="0"),
    sa.Column("state", Text),
    sa.Column("raised_at", Instant),
    sa.Column("changed_at", Instant),
    sa.Column("acknowledged_by", Text),
    sa.Column("quiet_until", Instant),
    sa.Column("fault", Text),
)
_NOT_CLOSED = ("firing", "acknowledged", "exhausted")
escalations_firing = escalations.c.state.in_([sa.literal_column(f"'{state}'") for state in _NOT_CLOSED])
partial_index("ix_scoreboard_escalations_open", escalations.c.raised_at, where=escalations_firing)

timeline = sa.Table(
    "scoreboard_timeline",
    metadata,
    sa.Column("event_id", Key, primary_key=True),
    sa.Column("lead_id", Key, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("type", Text, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Index("ix_scoreboard_timeline_lead", "lead_id", "at", "rank", "event_id"),
)
timeline_owed = timeline.c.type.in_(
    [sa.literal_column(f"'baton.lead.{kind}.v1'") for kind in ("assigned", "reassigned", "parked")]
)
partial_index("ix_scoreboard_timeline_owed", timeline.c.at, timeline.c.event_id, where=timeline_owed)
timeline_counted = timeline.c.type.in_(
    [sa.literal_column(f"'baton.{kind}.v1'") for kind in ("lead.assigned", "lead.reassigned", "activity.recorded")]
)
partial_index("ix_scoreboard_timeline_counted", timeline.c.at, timeline.c.event_id, where=timeline_counted)

audits = sa.Table(
    "scoreboard_audits",
    metadata,
    sa.Column("finished_at", Instant, primary_key=True),
    sa.Column("since_at", Instant, nullable=False),
    sa.Column("checked", sa.Integer, nullable=False),
    sa.Column("differences", sa.Integer, nullable=False),
    sa.Column("late", sa.Integer, nullable=False),
    sa.Column("not_checked", sa.Integer, nullable=False),
    sa.Column("clean", sa.Boolean, nullable=False),
)

counts = sa.Table(
    "scoreboard_counts",
    metadata,
    sa.Column("period", Key, primary_key=True),
    sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", Key, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
