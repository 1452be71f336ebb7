"""Tests of one group run in one process, whatever pytest and pytest-xdist do with the ids of tests."""

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = """
import os
import time

import pytest

pytestmark = pytest.mark.xdist_group("other")


@pytest.mark.parametrize("number", [pytest.param(n, marks=pytest.mark.xdist_group("one")) for n in range(4)] + [4, 5])
def test_where_it_runs(number):
    time.sleep(0.2)  # or one worker is done with all before the other asks for any
    with open({file!r}, "a") as file:
        file.write(f"{{'one' if number < 4 else 'other'}} {{os.environ['PYTEST_XDIST_WORKER']}}\\n")
"""


def test_tests_of_one_group_run_in_one_process(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"test_{number}.py").write_text(TESTS.format(file=str(tmp_path / "ran")))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow: ...\n")
    options = ["-p", "xdist", "-p", "tests.kit.groups", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadgroup"]
    command = [sys.executable, "-m", "pytest", *options, "--rootdir", str(tmp_path), str(tmp_path)]
    environ = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # the others take seconds to load, three times
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    workers = defaultdict(set)
    for line in (tmp_path / "ran").read_text().splitlines():
        group, worker = line.split()
        workers[group].add(worker)
    assert {group: len(ran_in) for group, ran_in in workers.items()} == {"one": 1, "other": 1}
    assert workers["one"] != workers["other"]
