"""What every Baton service stands on: domain values, ports, bus, database, runtime."""
