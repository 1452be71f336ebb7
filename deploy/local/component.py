"""The base of the components of a layout: a process to start, stop, kill and pause."""

import signal
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from deploy.local.process import Process


class Component(ABC):
    """A program of the layout that runs under the name `name`, with its log and process id in `folder`.

    May be used from any thread, and as a context manager that starts and stops.
    """

    stopped_within_s: ClassVar[float] = 15
    """How long it may take to end, in seconds; afterwards it is killed."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._process = Process(name, folder)

    @property
    def log(self) -> Path:
        """The file with its output."""
        return self._process.log

    @property
    def pid(self) -> int | None:
        """Its process id while it is running or paused, no matter who started it; else None."""
        return self._process.pid

    @abstractmethod
    def start(self) -> Self:
        """Start it. Raises ComponentError if it can't; then nothing is left running."""

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if it takes longer than `stopped_within_s`; nothing happens if it does not run."""
        self._process.stop(signal.SIGTERM, self.stopped_within_s)

    def kill(self) -> None:
        """SIGKILL to it and its children, as a crash would; returns when they are gone."""
        self._process.kill()

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        self._process.pause()

    def resume(self) -> None:
        """SIGCONT after `pause`."""
        self._process.resume()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
