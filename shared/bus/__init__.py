"""The event log behind one port: an embedded one and Apache Kafka."""
