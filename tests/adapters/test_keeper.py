"""A kept part comes back when it ends, and is given up, with its last words, when it can't live."""

import os
import signal
from pathlib import Path

from deploy.parts.keeper import Keeper
from deploy.parts.process import Process
from tests.layouts import eventually


class Shell:
    """A part that runs one line of shell."""

    def __init__(self, folder: Path, line: str) -> None:
        self._process = Process("shell", folder)
        self._line = line

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def log(self) -> Path:
        return self._process.log

    def start(self) -> None:
        self._process.start(["sh", "-c", self._line], ready=lambda: True, deadline_s=5)

    def stop(self) -> None:
        self._process.stop()


def test_a_kept_part_that_ends_is_started_anew_until_the_keeping_ends(tmp_path: Path) -> None:
    reasons: list[str] = []
    part = Shell(tmp_path, "exec sleep 60")
    part.start()
    keeper = Keeper("sleeper", part, reasons.append, most_ends=5)
    keeper.begin()
    first = part.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    eventually(lambda: part.pid not in (None, first), within_s=10)
    keeper.end()
    assert part.pid is None
    assert reasons == []


def test_a_part_that_ends_again_and_again_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    reasons: list[str] = []
    part = Shell(tmp_path, "echo the disk is gone; exit 1")
    part.start()
    keeper = Keeper("broken", part, reasons.append, most_ends=3)
    keeper.begin()
    eventually(lambda: bool(reasons), within_s=10)
    keeper.end()
    (reason,) = reasons
    assert reason.startswith("broken ended 3 times within 60 s")
    assert reason.endswith("the disk is gone\nthe disk is gone\nthe disk is gone")
