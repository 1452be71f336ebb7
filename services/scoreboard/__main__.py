"""Runs the scoreboard alone: `python -m services.scoreboard`."""

import os
import sys

from services.scoreboard.service import build
from shared.runtime.run import main

if __name__ == "__main__":
    sys.exit(main([build], os.environ))
