"""Tracks promises: opens a window per promise and lead, announces once whether it was met or breached, and climbs the
agreement's ladder after a breach. Lag, restarts and wrong clocks delay a verdict but never falsify it.

Consumes: baton.inquiries.v1, baton.assignments.v1, baton.activities.v1
Publishes: baton.window.opened.v1, baton.window.rescheduled.v1, baton.window.paused.v1, baton.window.resumed.v1,
baton.window.warned.v1, baton.window.met.v1, baton.window.breached.v1, baton.window.cancelled.v1,
baton.period.progressed.v1, baton.breach.retracted.v1, baton.escalation.raised.v1,
baton.escalation.acknowledged.v1, baton.escalation.exhausted.v1, baton.escalation.closed.v1, baton.move.requested.v1
Stores: sla_monitor_windows, sla_monitor_facts, sla_monitor_hand_offs, sla_monitor_arrivals, sla_monitor_watched_since,
sla_monitor_steps, sla_monitor_watermarks, sla_monitor_escalations, sla_monitor_holds, sla_monitor_merged,
sla_monitor_silences, sla_monitor_overrides, sla_monitor_positions, sla_monitor_inbox, sla_monitor_outbox
"""
