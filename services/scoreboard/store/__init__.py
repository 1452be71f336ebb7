"""The scoreboard's tables: inquiries, leads, windows, escalations, timelines, and counters that match them."""
