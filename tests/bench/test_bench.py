"""Every benchmark works, in its short form; no figure is judged here."""

import shutil
import subprocess
import sys

import pytest

from tests.journeys.processes import ROOT


@pytest.mark.slow
@pytest.mark.xdist_group("layouts")
@pytest.mark.timeout(600)
def test_every_benchmark_runs_and_prints_its_row() -> None:
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not on PATH (Debian's package is called wrk)")
    command = [sys.executable, "-m", "tests.bench", "--short"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=580, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    for figure in (
        "P1a",
        "P1b",
        "P2",
        "P3 p50",
        "P3 p99",
        "P4",
        "P4 idle",
        "P4 late",
        "P4 fresh",
        "P5",
        "P6 leads",
        "P6 reps",
        "P6 rules",
        "P6 rule",
        "P6 rep",
        "P8",
        "P8 memory",
        "P9 start",
        "P9 memory",
    ):
        assert f"| {figure} |" in done.stdout
