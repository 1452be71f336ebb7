"""Accepted facts, on disk until the log has them: the writer, its file, and the relay."""
