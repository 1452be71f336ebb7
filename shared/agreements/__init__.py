"""The agreement in force: the file followed without a restart, and the versions stored in the database."""
