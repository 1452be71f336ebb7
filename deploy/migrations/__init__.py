"""Database migrations, run by `shared.db.schema`; `make.py` generates a new one from the stores' tables."""
