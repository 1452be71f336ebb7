"""Kafka, PostgreSQL and the front door as plain processes, from locked wheels and jars: for tests and for `make
production`.
"""
