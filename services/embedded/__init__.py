"""All services in one process, on SQLite and the embedded log: a list of the same builders, no logic of its own.

Consumes: what its services hear
Publishes: what its services say
Stores: the data folder
"""
