"""`python -m services.cli`, which is what `./baton` starts."""

import sys

from services.cli.app import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
