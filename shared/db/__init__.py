"""State: one database, tables owned by services, and the tables that make handling exactly once in effect."""
