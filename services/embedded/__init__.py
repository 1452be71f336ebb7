"""All services in one process, on SQLite and the embedded log, with the same builders and no logic of its own.

Consumes: what its services consume
Publishes: what its services publish
Stores: the data folder
"""
