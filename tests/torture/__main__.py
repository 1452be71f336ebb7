"""`make torture MINUTES=60`: torture runs in turn for that long, each with another seed.

Each run has a broker and a database of its own. Findings are printed at once, with the seed that gives the same plans
again and the folder with the services' logs; the exit code is 1 if there was any.
"""

import asyncio
import itertools
import logging
import secrets
import sys
import tempfile
import time
from pathlib import Path

from deploy.local.kafka import KafkaBroker
from deploy.local.postgres import PostgresCluster
from tests.torture.run import RUNS, Outcome, Run, torture


def main(minutes: float) -> int:
    """Run until the time is over; the exit code."""
    logging.disable(logging.ERROR)
    folder, began, found = Path(tempfile.mkdtemp(prefix="baton-torture-")), time.monotonic(), 0
    folder.chmod(0o755)  # run as root, the PostgreSQL server is another user
    for number, (name, run) in enumerate(itertools.cycle(RUNS.items()), 1):
        if time.monotonic() - began > minutes * 60:
            break
        seed, logs = secrets.randbelow(2**31), folder / f"{number}-{name}"
        logs.mkdir()
        outcome = _one(run, logs, seed)
        found += len(outcome.findings)
        passed_s = time.monotonic() - began
        _say(f"{passed_s / 60:6.1f} of {minutes:g} min, run {number} ({name}), seed {seed}: {dict(outcome.kinds)}")
        for finding in outcome.findings[:40]:
            _say(f"  {finding.kind}: {finding.what}")
    _say(f"{found} findings. Logs and figures: {folder}")
    return 1 if found else 0


def _one(run: Run, logs: Path, seed: int) -> Outcome:
    with KafkaBroker(logs / "kafka", profile="fast") as broker, PostgresCluster(logs / "postgres") as postgres:
        return asyncio.run(torture(broker, postgres, logs, run, seed=seed))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
