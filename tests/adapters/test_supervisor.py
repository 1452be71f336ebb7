"""A supervised component is restarted however often it ends; one that can't run is reported with its last output."""

import os
import signal
from pathlib import Path
from typing import Self

from deploy.local.component import Component
from deploy.local.supervisor import Supervisor
from tests.kit.waiting import eventually


class Shell(Component):
    """A component that runs one line of shell."""

    def __init__(self, folder: Path, line: str) -> None:
        super().__init__("shell", folder)
        self._line = line

    def start(self) -> Self:
        self._process.start(["sh", "-c", self._line], ready=lambda: True, deadline_s=5)
        return self


Report = tuple[str, str | None]


def test_a_supervised_component_that_exits_is_restarted_until_supervision_ends(tmp_path: Path) -> None:
    reports: list[Report] = []
    component = Shell(tmp_path, "exec sleep 60")
    component.start()
    supervisor = Supervisor("sleeper", component, lambda name, why: reports.append((name, why)))
    supervisor.begin()
    first = component.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    eventually(lambda: component.pid not in (None, first), within_s=10)
    supervisor.end()
    assert component.pid is None
    assert reports == []


def test_a_part_that_cannot_live_is_reported_and_tried_again_until_it_lives(tmp_path: Path) -> None:
    reports: list[Report] = []
    room = tmp_path / "room"
    component = Shell(tmp_path, f"echo the disk is full; test -e {room} && exec sleep 60")
    component.start()
    supervisor = Supervisor("broken", component, lambda name, why: reports.append((name, why)), steady_s=0.5)
    supervisor.begin()
    eventually(lambda: bool(reports), within_s=10)
    ((name, why),) = reports
    assert name == "broken"
    assert why is not None
    assert why.startswith("broken keeps ending (3 times so far)")
    assert why.endswith("the disk is full\nthe disk is full\nthe disk is full")
    room.touch()
    eventually(lambda: reports[1:] == [("broken", None)], within_s=30)
    assert component.pid is not None
    supervisor.end()
    assert component.pid is None
