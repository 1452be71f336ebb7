"""Every metric that Baton exports, with its meaning and unit."""

from prometheus_client import Counter, Gauge, Histogram

records_handled = Counter(
    "baton_records_handled", "Records handled and committed, by service and topic", ["service", "topic"]
)
records_quarantined = Counter(
    "baton_records_quarantined", "Records quarantined because they could not be handled", ["service"]
)
batches_retried = Counter(
    "baton_batches_retried", "Batches retried after an outage of the database or the log", ["service"]
)
partitions_paused = Gauge(
    "baton_partitions_paused",
    "Partitions paused because records of many leads failed and none of their kind succeeded, by service",
    ["service"],
)
messages_set_aside = Counter(
    "baton_messages_set_aside", "Events that the log will never accept, quarantined by the relay", ["service"]
)
task_waits = Gauge("baton_task_waits", "1 while a task waits for the database or the log, else 0", ["service", "task"])
task_failures = Counter("baton_task_failures", "Times that a task failed and was restarted", ["task"])
rows_trimmed = Counter("baton_rows_trimmed", "Rows deleted because their retention ended, by table", ["table"])
partitions_stopped = Gauge(
    "baton_partitions_stopped",
    "Partitions stopped because records disappeared before they were read, by service and topic",
    ["service", "topic"],
)
events_published = Counter("baton_events_published", "Events written to the log from the outbox", ["service"])
verdicts = Counter("baton_router_verdicts", "Router verdicts, by kind", ["verdict"])
conditions_failed = Counter(
    "baton_router_conditions_failed", "Conditions that failed at run time and counted as a missing fact"
)
watermark_lag_seconds = Gauge(
    "baton_sla_monitor_watermark_lag_seconds", "Seconds between now and the oldest watermark of any partition"
)
looked_at = Gauge(
    "baton_sla_monitor_looked_timestamp_seconds",
    "When the monitor last looked for promises that are due, in seconds since 1970; 0 in other services",
)
ingest_ahead_seconds = Gauge(
    "baton_sla_monitor_ingest_ahead_seconds",
    "Seconds by which an ingest clock is ahead of the database's (below 0: behind); verdicts wait unless it is 0",
)
delivery_attempts = Counter(
    "baton_delivery_attempts", "Webhook attempts, by the resulting state of the delivery", ["state"]
)
notices = Counter("baton_delivery_notices", "Notices to people, by state: due, then told, failed or dropped", ["state"])
notice_attempts = Counter(
    "baton_delivery_notice_attempts",
    "Attempts to send a message, by kind of channel and outcome: taken, retry or failed",
    ["channel", "outcome"],
)
notices_oldest_due_seconds = Gauge(
    "baton_delivery_notices_oldest_due_seconds",
    "Seconds since the oldest notice that is not sent yet is due; 0 if none",
)
windows_opened = Counter("baton_sla_monitor_windows_opened", "Promises started, by promise", ["promise"])
windows_ended = Counter(
    "baton_sla_monitor_windows_ended",
    "Verdicts on promises: met, cancelled, breached or retracted",
    ["promise", "outcome"],
)
detection_seconds = Histogram(
    "baton_sla_monitor_detection_seconds",
    "Seconds from a deadline plus the tolerance to the announcement of the breach",
    buckets=(0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 1800, 7200),
)
levels_fired = Counter(
    "baton_sla_monitor_levels_fired",
    "Ladder levels fired, by outcome: warned, raised, silenced or skipped",
    ["outcome"],
)
leads_held = Counter(
    "baton_sla_monitor_leads_held", "Leads whose promises were put on hold because an activity could not be read"
)
facts_accepted = Counter("baton_ingest_accepted", "Facts answered with 2xx, including duplicates, by kind", ["kind"])
payloads_refused = Counter("baton_ingest_refused", "Requests answered with 4xx or 5xx, by status", ["status"])
rejections_unchecked = Counter(
    "baton_ingest_rejections_unchecked",
    "Rejections accepted although it was not known whether the attempts that their reason asks for were made",
)
spool_rows = Gauge("baton_ingest_spool_rows", "Accepted facts that are not in the log yet")
agreement_refused = Gauge(
    "baton_agreement_refused",
    "1 while the agreement file is refused, else 0, by service",
    ["service"],
)
audit_differences = Gauge(
    "baton_audit_differences", "Promises of which the last audit found another state than the facts call for"
)
audit_late = Gauge(
    "baton_audit_late", "Promises that had no verdict at the last audit, ten minutes after it could have been given"
)
audit_last_clean = Gauge(
    "baton_audit_last_clean_timestamp_seconds",
    "When the last audit ended that found nothing wrong, in seconds since 1970",
)
orphans = Gauge(
    "baton_scoreboard_orphans",
    "Lead ids that activities name and no inquiry has: waiting for one, or expired",
    ["state"],
)
orphan_age_s = Gauge(
    "baton_scoreboard_orphan_age_seconds", "How long the orphan has waited that has waited longest; 0 if none waits"
)
orphans_expired = Counter(
    "baton_scoreboard_orphans_expired", "Orphans set aside because they waited too long, or because too many wait"
)
heartbeats = Counter(
    "baton_delivery_heartbeats", "Calls of the heartbeat URL that were sent, failed, or withheld", ["outcome"]
)
watermark_stalled = Gauge(
    "baton_sla_monitor_watermark_stalled",
    "1 while promises wait for a verdict and the oldest watermark is over 30 seconds old or missing, else 0",
)
