"""Writes the next migration from the difference between the migrations so far and the tables that the stores define.

`python -m deploy.migrations.make 0002 "leads remember their source"`; read what it wrote before you commit it.
"""

import sys
import tempfile
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from shared.db import schema


def make(revision: str, message: str) -> None:
    """Write `versions/<revision>_<message>.py`."""
    with tempfile.TemporaryDirectory() as folder:
        engine = sa.create_engine(f"sqlite:///{Path(folder) / 'scratch.db'}")
        with engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(schema.MIGRATIONS))
            config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
            config.attributes["connection"] = connection
            if schema.head():
                command.upgrade(config, "head")
            command.revision(config, message, autogenerate=True, rev_id=revision)
        engine.dispose()


if __name__ == "__main__":
    make(sys.argv[1], sys.argv[2])
