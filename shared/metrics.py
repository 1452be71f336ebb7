"""Every metric that Baton exports, with its meaning and unit, in one list."""

from prometheus_client import Counter, Gauge, Histogram

records_handled = Counter(
    "baton_records_handled", "Records handled and committed, by service and topic", ["service", "topic"]
)
records_quarantined = Counter(
    "baton_records_quarantined", "Records set aside because they could not be handled", ["service"]
)
batches_retried = Counter(
    "baton_batches_retried", "Batches tried again after the database or the log was away", ["service"]
)
partitions_paused = Gauge(
    "baton_partitions_paused",
    "Partitions that wait because records of many leads failed and none of their kind could be handled, by service",
    ["service"],
)
messages_set_aside = Counter(
    "baton_messages_set_aside", "Events that the log would never take, quarantined by the relay", ["service"]
)
task_waits = Gauge(
    "baton_task_waits", "1 while a task waits for the database or the log to come back, else 0", ["service", "task"]
)
task_failures = Counter("baton_task_failures", "Times that a task failed and was started again", ["task"])
rows_trimmed = Counter("baton_rows_trimmed", "Rows deleted because their time was up, by table", ["table"])
partitions_stopped = Gauge(
    "baton_partitions_stopped",
    "Partitions that are not read because records were gone before they were read, by service and topic",
    ["service", "topic"],
)
events_published = Counter("baton_events_published", "Events written to the log from the outbox", ["service"])
verdicts = Counter("baton_router_verdicts", "Verdicts of the router, by kind", ["verdict"])
conditions_failed = Counter(
    "baton_router_conditions_failed", "Conditions that failed at run time and counted as a fact that is not there"
)
watermark_lag_seconds = Gauge(
    "baton_sla_monitor_watermark_lag_seconds", "Seconds between now and the oldest watermark of any partition"
)
ingest_ahead_seconds = Gauge(
    "baton_sla_monitor_ingest_ahead_seconds",
    "Seconds that an ingest instance dates facts ahead of the database's clock; verdicts are held while it is not 0",
)
delivery_attempts = Counter(
    "baton_delivery_attempts", "Webhook attempts, by how the delivery stands after them", ["state"]
)
windows_opened = Counter("baton_sla_monitor_windows_opened", "Promises that began to run, by promise", ["promise"])
windows_ended = Counter(
    "baton_sla_monitor_windows_ended",
    "Verdicts on promises: met, cancelled, breached or retracted",
    ["promise", "outcome"],
)
detection_seconds = Histogram(
    "baton_sla_monitor_detection_seconds",
    "Seconds from the end of the tolerance after a deadline to the breach's announcement",
    buckets=(0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 1800, 7200),
)
levels_fired = Counter(
    "baton_sla_monitor_levels_fired", "Levels of ladders that are done: warned, raised or silenced", ["outcome"]
)
leads_held = Counter(
    "baton_sla_monitor_leads_held", "Leads whose promises were put on hold, because an activity could not be read"
)
facts_accepted = Counter("baton_ingest_accepted", "Facts answered with 2xx, repeats included, by kind", ["kind"])
payloads_refused = Counter("baton_ingest_refused", "Requests answered with 4xx or 5xx, by status", ["status"])
spool_rows = Gauge("baton_ingest_spool_rows", "Facts accepted that the log does not have yet")
agreement_refused = Gauge(
    "baton_agreement_refused",
    "1 while the agreement file is refused and has no effect, else 0, by service",
    ["service"],
)
