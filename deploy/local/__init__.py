"""Kafka, PostgreSQL and the reverse proxy as plain processes, from locked wheels and jars: for tests and for `make
production`.
"""
