"""A component as a process: started until it is ready, stopped within a deadline, with the reason when it ends. The
folder is enough to stop it, so the next run can end a process left behind by a killed parent.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

_LOOK_AGAIN_S = 0.05
_LINES_SHOWN = 20
_TAIL_BYTES = 16_384
_KILLED_WITHIN_S = 10
_MARK = "DEPLOY_PART_OF"


class ComponentError(RuntimeError):
    """A component cannot be used; the message names it, what is wrong and what to do."""

    def __init__(self, component: str, detail: str) -> None:
        super().__init__(f"{component}: {detail}")


@dataclass(frozen=True, slots=True)
class User:
    """A user and group of this system, by number."""

    uid: int
    gid: int


def run_as(user: User | None) -> dict[str, Any]:
    """The arguments of `subprocess` that run a program as `user`, or as we are if None."""
    return {} if user is None else {"user": user.uid, "group": user.gid, "extra_groups": []}


def marked(folder: Path) -> dict[str, str]:
    """The environment variable by which `end_marked` finds the processes of `folder`."""
    return {_MARK: str(folder)}


def without_settings() -> dict[str, str]:
    """The environment of this process without Baton's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}


def end_of(log: Path, *, since: int = 0) -> str:
    """A sentence with the last 20 lines of a log behind its byte `since`."""
    lines: list[str] = []
    if log.exists():
        with log.open("rb") as file:
            file.seek(max(since, log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()[-_LINES_SHOWN:]
    return f"The end of {log} says:\n" + ("\n".join(lines) or "(nothing)")


def end_marked(folder: Path) -> list[int]:
    """Kill every process that was started for `folder` or a folder below it, and return their ids.

    The mark is part of a process from its first instant, so a parent that was killed before it could write the id down
    leaves no unknown process behind.
    """
    ended = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            mark = process.environ().get(_MARK, "")
            if process.pid != os.getpid() and mark and Path(mark).is_relative_to(folder):
                process.kill()
                ended.append(process.pid)
                process.wait(_KILLED_WITHIN_S)
    return ended


class Process:
    """The process `name` in `folder`, with its output in `<name>.log` and its id in `<name>.pid`.

    It runs in its own session: Ctrl-C in a terminal reaches only the parent, which can then stop the services first and
    their dependencies last. Thread-safe.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._pid_file = folder / f"{name}.pid"
        self._log_start = 0
        # A kill that still tidies up must not meet the start that follows it.
        self._lock = threading.RLock()

    @property
    def pid(self) -> int | None:
        """The process id while it is running or paused, no matter who started it; else None."""
        with self._lock:
            running = self._running()
            return running.pid if running else None

    def start(
        self,
        command: Sequence[str | Path],
        *,
        ready: Callable[[], bool],
        deadline_s: float,
        env: Mapping[str, str] | None = None,
        user: User | None = None,
    ) -> None:
        """Start `command` and return when `ready` is true; polls every 50 ms for at most `deadline_s` seconds.

        `env` is added to this process's environment without Baton's settings. `user` is the user to run as, if not the
        current one. Raises ComponentError with the last lines of its log if it exits or is not ready in time; then
        nothing is left running.
        """
        with self._lock:
            self._spawn(command, env or {}, user)
        try:
            self._wait_until(ready, deadline_s)
        except BaseException:
            self.kill()
            raise

    def stop(self, ask: signal.Signals = signal.SIGTERM, deadline_s: float = 15) -> None:
        """Ask it to end with the signal `ask`; after `deadline_s` seconds kill it. Nothing happens if it does not
        run.
        """
        with self._lock, suppress(psutil.NoSuchProcess):
            running = self._running()
            if running is None:
                return
            running.send_signal(signal.SIGCONT)
            running.send_signal(ask)
            end = time.monotonic() + deadline_s
            while self._running() is not None:
                if time.monotonic() > end:
                    self.kill()
                    break
                time.sleep(_LOOK_AGAIN_S)
            self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """Kill it and its children with SIGKILL, like a crash, and wait until all are gone."""
        with self._lock:
            running = self._running()
            if running is not None:
                family = [running, *running.children(recursive=True)]
                for each in family:
                    with suppress(psutil.NoSuchProcess):
                        each.kill()
                while any(_lives(each) for each in family):
                    time.sleep(_LOOK_AGAIN_S)
            self._pid_file.unlink(missing_ok=True)

    def pause(self) -> None:
        """Suspend it with SIGSTOP: connections stay open, nothing answers. Returns when every thread has stopped."""
        with self._lock:
            self._signal(signal.SIGSTOP)
            threads = Path(f"/proc/{self.pid}/task")
            while threads.exists() and not all(map(_stands, threads.glob("*/stat"))):
                time.sleep(_LOOK_AGAIN_S)

    def resume(self) -> None:
        """Resume a paused process."""
        with self._lock:
            self._signal(signal.SIGCONT)

    def _spawn(self, command: Sequence[str | Path], env: Mapping[str, str], user: User | None) -> None:
        if (pid := self.pid) is not None:
            raise ComponentError(
                self.name, f"already runs from {self.log.parent} as process {pid}. Stop that one first."
            )
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                [str(word) for word in command],
                env=without_settings() | dict(env) | marked(self.log.parent),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **run_as(user),
            )
        self._pid_file.write_text(f"{child.pid} {psutil.Process(child.pid).create_time()}")
        # Known by its id from here on, since it may outlive this process; Popen would warn of that.
        child.returncode = 0

    def _signal(self, which: signal.Signals) -> None:
        running = self._running()
        if running is None:
            raise ComponentError(self.name, f"does not run. {self._where_to_look()}")
        running.send_signal(which)

    def _wait_until(self, ready: Callable[[], bool], deadline_s: float) -> None:
        end = time.monotonic() + deadline_s
        while not ready():
            if self.pid is None:
                raise ComponentError(self.name, f"ended while it started. {self._where_to_look()}")
            if time.monotonic() > end:
                raise ComponentError(self.name, f"was not ready within {deadline_s:g} s. {self._where_to_look()}")
            time.sleep(_LOOK_AGAIN_S)

    def _where_to_look(self) -> str:
        return end_of(self.log, since=self._log_start)

    def _running(self) -> psutil.Process | None:
        try:
            pid, born = self._pid_file.read_text().split()
            found = psutil.Process(int(pid))
            # Process ids are reused; the start time distinguishes them.
            if found.create_time() == float(born) and _lives(found):
                return found
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            pass
        return None


def _lives(process: psutil.Process) -> bool:
    # Dead means that nothing is left, so that its ports and files are free. A killed process is a zombie before
    # that, while its threads still end; and it stays one until its parent, if that is not us, takes note.
    try:
        if not process.is_running():
            return False
        with suppress(ChildProcessError):
            return os.waitpid(process.pid, os.WNOHANG) == (0, 0)
        return bool(process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    except psutil.NoSuchProcess:
        return False


def _stands(stat: Path) -> bool:
    """Whether a thread is stopped, by the state that Linux gives behind its name; one that is gone counts too."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0] in ("T", "t", "Z", "X")
    except OSError:
        return True
