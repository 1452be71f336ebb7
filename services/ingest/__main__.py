"""Runs the ingest service in its own process; it needs no database."""

import os
import sys

from services.ingest.service import build
from shared.runtime.run import main

if __name__ == "__main__":
    sys.exit(main([build], os.environ, accepts_only=True))
