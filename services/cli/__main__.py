"""`python -m services.cli`, which `./baton` runs."""

import sys

from services.cli.app import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
