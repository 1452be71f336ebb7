"""Ingest's rules: strict reading, contact keys, identity, and what is kept of a submission."""
