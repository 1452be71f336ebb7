"""Ingest's rules: strict parsing, contact keys, identity, and what is stored of a submission."""
