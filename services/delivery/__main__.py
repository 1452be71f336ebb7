"""Runs the delivery service as a process of its own."""

import os
import sys

from services.delivery.service import build
from shared.runtime.run import main

if __name__ == "__main__":
    sys.exit(main([build], os.environ))
