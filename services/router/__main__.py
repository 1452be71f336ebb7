"""`python -m services.router`."""

import os
import sys

from services.router.service import build
from shared.runtime.run import main

if __name__ == "__main__":
    sys.exit(main([build], os.environ))
