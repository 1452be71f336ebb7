"""What was accepted, on disk until the log has it: the writer, its file, and the relay."""
