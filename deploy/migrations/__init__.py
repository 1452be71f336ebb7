"""Database migrations, run by `shared.db.schema`; `make.py` writes a new one from what the stores say."""
