"""Whatever is sent, every reader answers or refuses, and in linear time."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.growth import FRAMES, Text, largest, texts, too_slow
from tests.fuzz.strategies import for_target
from tests.fuzz.targets import TARGETS, run

CORPUS = Path(__file__).parent / "corpus"
SAVED = sorted(path for path in CORPUS.rglob("*") if path.is_file())
QUICK = settings(
    max_examples=100, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("saved", SAVED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_once_broke_a_reader_does_so_no_more(saved: Path) -> None:
    run(saved.parent.name, saved.read_bytes())


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_every_reader_answers_or_refuses_whatever_is_sent(target: str) -> None:
    @QUICK
    @given(for_target(target))
    def sent(data: bytes) -> None:
        run(target, data)

    sent()


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_every_reader_takes_time_in_proportion_to_what_is_sent(target: str) -> None:
    size = largest(target)
    found = (too_slow(lambda data: run(target, data), text, size) for text in texts(target))
    slow = next((each for each in found if each is not None), None)
    assert slow is None


def test_a_reader_in_quadratic_time_is_noticed() -> None:
    def quadratic(data: bytes) -> None:
        for start in range(0, len(data), 24):
            data[start:].count(b"a")

    assert too_slow(quadratic, Text(b"", b"a", b"")) is not None


def test_every_target_has_texts_that_grow() -> None:
    assert FRAMES.keys() == TARGETS.keys()


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this machine")
def test_mutated_bytes_break_no_reader(tmp_path: Path) -> None:
    """Coverage-guided, from the corpus, with the same seed every time."""
    for path in SAVED:
        number = list(TARGETS).index(path.parent.name)
        (tmp_path / f"{path.parent.name}-{path.name}").write_bytes(bytes([number]) + path.read_bytes())
    command = [sys.executable, "-m", "tests.fuzz.coverage_guided", "all", "-seed=1", "-runs=10000", "-max_len=1024"]
    command += ["-timeout=10", f"-artifact_prefix={tmp_path}/found-", str(tmp_path)]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_broken_reader_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes) -> None:
        data.decode()

    monkeypatch.setitem(TARGETS, "email", broken)
    with pytest.raises(UnicodeDecodeError):
        QUICK(given(st.binary(max_size=9))(lambda data: run("email", data)))()
