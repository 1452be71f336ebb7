"""What stands in the file: YAML with positions, values, findings."""
