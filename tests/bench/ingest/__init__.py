"""P1: leads that one ingest process accepts, each synced to disk before its 2xx, next to two peers that store
nothing.
"""

import asyncio
import contextlib
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from deploy.local.ports import free_ports
from tests.bench.figures import Figure

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("post_leads.lua")
KEY = "bench-administrator-key"


def wrk(port: int, run: str, *, seconds: int) -> float:
    """Requests a second over 64 connections; fails when any answer is not a 2xx."""
    command = ["wrk", "-t1", "-c64", f"-d{seconds}s", "-s", str(SCRIPT), f"http://127.0.0.1:{port}"]
    environ = {**os.environ, "BENCH_KEY": KEY, "BENCH_RUN": run}
    output = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in output, output
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert found is not None, output
    return float(found[1])


@contextlib.contextmanager
def serving(command: Sequence[str], port: int, environ: dict[str, str], path: str) -> Iterator[None]:
    """A server process, from its first answer to its end."""
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environ})
    try:
        asyncio.run(_answers(port, path))
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


async def _answers(port: int, path: str) -> None:
    async with asyncio.timeout(60), httpx.AsyncClient() as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(f"http://127.0.0.1:{port}{path}")).status_code < 500:
                    return
            await asyncio.sleep(0.1)


def peer(app: str, seconds: int, run: str) -> float:
    """One of the peers in `bare`, on the same uvicorn."""
    [port] = free_ports(1)
    arguments = ["--port", str(port), "--no-access-log", "--log-level", "warning", "--lifespan", "off"]
    command = [sys.executable, "-m", "uvicorn", f"tests.bench.ingest.bare:{app}", *arguments]
    with serving(command, port, {}, "/healthz"):
        return wrk(port, run, seconds=seconds)


def ours(folder: Path, seconds: int, run: str) -> float:
    """One ingest process on the embedded log."""
    [port] = free_ports(1)
    environ = {"BATON_PORT": str(port), "BATON_DATA": str(folder / run), "BATON_ADMIN_KEY": KEY}
    environ["BATON_LOG_LEVEL"] = "WARNING"
    with serving([sys.executable, "-m", "services.ingest"], port, environ, "/readyz"):
        return wrk(port, run, seconds=seconds)


def measure(folder: Path, *, seconds: int, rounds: int) -> Sequence[Figure]:
    """P1, `rounds` times in turn."""
    taken = []
    for number in range(rounds):
        run = f"r{number}"
        taken.append((ours(folder, seconds, run), peer("app", seconds, run), peer("framework", seconds, run)))
    mine, bare, framework = (statistics.median(column) for column in zip(*taken, strict=True))
    what = "accept: one ingest process, 600-byte lead, fsync before 2xx, 64 connections"
    pairs = [(one, two) for one, two, _ in taken]
    more = [(one, three) for one, _, three in taken]
    return [
        Figure(
            "P1a", what, "leads/s", mine, "bare ASGI app, stores nothing", bare, ">= 0.5", mine >= 0.5 * bare, pairs
        ),
        Figure(
            "P1b",
            what,
            "leads/s",
            mine,
            "FastAPI + pydantic body, stores nothing",
            framework,
            ">= 2",
            mine >= 2 * framework,
            more,
        ),
    ]
