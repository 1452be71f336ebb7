"""All services in one process, on SQLite and the embedded log: a list of the same builders, no logic of its own.

Hears: what its services hear
Says: what its services say
Keeps: the data folder
"""
