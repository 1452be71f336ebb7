"""The scoreboard's own tables: what became of each inquiry, lead, window and escalation, the story of each lead, and
counters kept in step with them.
"""
