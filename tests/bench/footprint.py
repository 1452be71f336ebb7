"""P9: how soon `make run`'s process answers on an installed checkout, and what it weighs after 10,000 leads."""

import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import psutil

from deploy.local.ports import free_ports
from tests.bench.figures import Figure

ROOT = Path(__file__).parents[2]
KEY = "bench-administrator-key"
IMPORTS = (
    "aiosqlite, fastapi, httpx, jinja2, msgspec, phonenumbers, prometheus_client, pydantic, ruamel.yaml, "
    "sqlalchemy.ext.asyncio, structlog, uvicorn, uvloop, holidays, alembic.command"
)


def start(folder: Path) -> "tuple[subprocess.Popen[str], str, float]":
    """The process, its address, and the seconds it took to say that it is ready."""
    environ = {**os.environ, "BATON_PORT": str(free_ports(1)[0]), "BATON_DATA": str(folder), "BATON_ADMIN_KEY": KEY}
    began = time.perf_counter()
    command = [sys.executable, "-m", "services.embedded"]
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = None
    while found is None:
        found = re.match(r"Baton is ready at (\S+)", process.stdout.readline())
    return process, found[1], time.perf_counter() - began


def stop(process: "subprocess.Popen[str]") -> None:
    """As Ctrl-C does."""
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


def libraries_alone() -> tuple[float, float]:
    """Seconds and MiB of a Python that only imports the libraries that we use."""
    code = f"import {IMPORTS}, psutil; print(psutil.Process().memory_info().rss)"
    began = time.perf_counter()
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return time.perf_counter() - began, int(output) / 2**20


def weigh(folder: Path, leads: int) -> float:
    """MiB resident after so many leads were posted and decided."""
    process, url, _ = start(folder)
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        for first in range(0, leads, 500):
            batch = [
                {
                    "source": "website",
                    "kind": "demo_request",
                    "external_id": f"n{n}",
                    "contact": {"email": f"n{n}@example.com"},
                }
                | {"consent": {"basis": "opt_in"}, "company": {"name": "Example NV", "employees": 120}}
                for n in range(first, min(first + 500, leads))
            ]
            client.post("/v1/leads", json=batch).raise_for_status()
        deadline = time.monotonic() + 120
        while (counts := client.get("/v1/conservation").json())["assigned"] < leads:
            assert time.monotonic() < deadline, counts
            time.sleep(0.2)
    weight = psutil.Process(process.pid).memory_info().rss / 2**20
    stop(process)
    return float(weight)


def measure(folder: Path, *, leads: int, rounds: int) -> Sequence[Figure]:
    """P9: starts in an empty data folder each time."""
    seconds, floors = [], []
    for number in range(rounds):
        process, _, took = start(folder / f"start{number}")
        stop(process)
        seconds.append(took)
        floors.append(libraries_alone())
    took, floor_s = statistics.median(seconds), statistics.median(s for s, _ in floors)
    weight, floor_mib = weigh(folder / "weigh", leads), statistics.median(m for _, m in floors)
    name = "python + the libraries alone"
    return [
        Figure("P9 start", "`make run` to ready, empty data folder", "s", took, name, floor_s, "<= 2.5 s", took <= 2.5),
        Figure(
            "P9 memory", f"resident after {leads:,} leads", "MiB", weight, name, floor_mib, "<= 180 MiB", weight <= 180
        ),
    ]
