"""The scoreboard: counts what happened and shows both sides the same numbers, live, with the story of every lead.

Consumes: baton.inquiries.v1, baton.activities.v1, baton.assignments.v1, baton.escalations.v1, baton.quarantine.v1
Publishes: nothing
Stores: scoreboard_inquiries, scoreboard_leads, scoreboard_windows, scoreboard_pilot_assignments,
scoreboard_escalations, scoreboard_timeline, scoreboard_counts, scoreboard_markers, scoreboard_spools,
scoreboard_read_numbers, scoreboard_missing_numbers, scoreboard_ingests, scoreboard_positions, scoreboard_inbox,
scoreboard_outbox, scoreboard_audits, scoreboard_waits
"""
