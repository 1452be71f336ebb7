"""`make fuzz MINUTES=60`: hostile input for that long, to every reader and to both layouts, which have to survive it.

Each round takes one reader under atheris and one layout, with new inputs every time. What is found is printed at once
and counted at the end; the exit code is 1 if there was anything. Bytes that broke a reader stay in `.cache/fuzz`:
move them to `tests/fuzz/corpus/<target>`, where the tests try them forever.
"""

import asyncio
import contextlib
import itertools
import logging
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings

from shared import log
from tests.fuzz.answers import answer_anything
from tests.fuzz.records import write_anything
from tests.fuzz.running import ask_anything, call_anything, post_anything, repeat_the_known
from tests.fuzz.targets import TARGETS
from tests.journeys.processes import ROOT, Running, running

CACHE = ROOT / ".cache" / "fuzz"
ATHERIS_S = 20
_HOW = settings(
    max_examples=100, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)


def main(minutes: float) -> int:
    """Fuzz; the exit code."""
    logging.disable(logging.CRITICAL)
    log.configure(level="CRITICAL")
    rounds, found = 0, 0
    with contextlib.ExitStack() as stack:
        layouts = [stack.enter_context(_layout(kind)) for kind in ("embedded", "production")]
        began = time.monotonic()
        for target, (name, work) in zip(itertools.cycle(TARGETS), itertools.cycle(_works(layouts)), strict=False):
            if time.monotonic() - began > minutes * 60:
                break
            rounds += 1
            found += _failed(f"bytes of {target}", lambda target=target: _atheris(target)) + _failed(name, work)  # type: ignore[misc]
            passed_s = time.monotonic() - began
            _say(f"{passed_s / 60:6.1f} of {minutes:g} min, round {rounds}: {target}, {name}; findings: {found}")
    _say(f"{rounds} rounds in {(time.monotonic() - began) / 60:.1f} minutes, {found} findings; both layouts survived.")
    return 1 if found else 0


def _works(layouts: list[Running]) -> Iterator[tuple[str, Callable[[], None]]]:
    yield "answers to webhooks", lambda: answer_anything(_HOW)
    yield "records on topics", _records
    for baton in layouts:
        yield f"known inputs, {baton.kind}", lambda baton=baton: repeat_the_known(baton)  # type: ignore[misc]
        yield f"bodies, {baton.kind}", lambda baton=baton: post_anything(baton, _HOW)  # type: ignore[misc]
        yield f"pages, {baton.kind}", lambda baton=baton: ask_anything(baton, _HOW)  # type: ignore[misc]
        yield f"operations, {baton.kind}", lambda baton=baton: call_anything(baton, settings(_HOW, max_examples=10))  # type: ignore[misc]


def _records() -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(write_anything(Path(folder), _HOW))


def _atheris(target: str) -> None:
    corpus, saved = CACHE / target, ROOT / "tests" / "fuzz" / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.coverage_guided", target, f"-max_total_time={ATHERIS_S}"]
    command += ["-timeout=10", "-max_len=20000", f"-artifact_prefix={CACHE}/{target}-", str(corpus)]
    command += [str(saved)] if saved.exists() else []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def _failed(name: str, work: Callable[[], None]) -> bool:
    try:
        work()
    except Exception:
        _say(f"FOUND in {name}:\n{traceback.format_exc()[-4000:]}")
        return True
    return False


@contextlib.contextmanager
def _layout(kind: str) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as folder, running(kind, Path(folder)) as baton:
        yield baton
        assert baton.process.poll() is None, f"{kind} has ended"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
