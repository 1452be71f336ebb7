"""The router's tables: leads and their owners, turns, loads of reps, and a record of everything received and decided,
in order.
"""
