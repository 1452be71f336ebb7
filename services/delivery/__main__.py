"""Runs the delivery service in its own process."""

import os
import sys

from services.delivery.service import build
from shared.runtime.run import main

if __name__ == "__main__":
    sys.exit(main([build], os.environ))
