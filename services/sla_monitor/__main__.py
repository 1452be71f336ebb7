"""`python -m services.sla_monitor`."""

import os
import sys

from services.sla_monitor.service import build
from shared.runtime.run import main

if __name__ == "__main__":
    sys.exit(main([build], os.environ))
