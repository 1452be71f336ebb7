"""What all services share: domain values, ports, bus, database, runtime."""
