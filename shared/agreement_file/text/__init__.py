"""The text of the file: YAML with positions, values, findings."""
