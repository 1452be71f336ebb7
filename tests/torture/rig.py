"""Baton as separate services for the torture test: on a Kafka and a PostgreSQL of its own, each service a process that
is started again whenever it is gone, so that it can be killed at any moment."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from deploy.parts.front import Service
from deploy.parts.kafka import KafkaBroker
from deploy.parts.ports import free_ports
from deploy.parts.process import PartError
from deploy.parts.service import ROOT, ServiceProcess
from tests.agreements import agreement_text
from tests.torture.ledger import Rules

SERVICES: tuple[Service, ...] = ("ingest", "router", "sla_monitor", "delivery", "scoreboard")
KEY = "torture-admin-key"
TOLERANCE_S = 1.0
RULES = Rules({"benelux": {"ann": 2, "bob": 1}, "alone": {"cleo": 1}}, TOLERANCE_S)

_AGREED = {"within": "6 seconds", "warn": "3 seconds", "move": "2 seconds", "page": "4 seconds"}
_READY_WITHIN_S = 90
_LOOK_AGAIN_S = 0.05


class Launched(ServiceProcess):
    """A service as it is, or with its discipline broken in the `way` that `tests.torture.sabotage` names."""

    def __init__(self, service: Service, folder: Path, *, port: int, env: Mapping[str, str], way: str | None) -> None:
        super().__init__(service, folder, name=service, port=port, env=env)
        if way is not None:
            self._command = [sys.executable, "-m", "tests.torture.sabotage", way, f"services.{service}"]


class Rig:
    """All five services, with their state next to the broker's folder; afterwards their logs are in `logs`. `sabotage`
    names services and ways.
    """

    def __init__(
        self, broker: KafkaBroker, database_url: str, logs: Path, sabotage: Mapping[Service, str] | None = None
    ) -> None:
        self.broker = broker
        self.database_url = database_url
        # Next to the parts that tests share, so that a killed test run leaves nothing that the next one does not end.
        self.folder = broker.log.parent.with_name(f"{broker.log.parent.name}-services")
        self.kills: Counter[str] = Counter()
        self.starts: Counter[str] = Counter()
        self._logs = logs
        self._keeping: list[asyncio.Task[None]] = []
        self.folder.mkdir()
        (self.folder / "agreement.yaml").write_text(agreement_text(**_AGREED))  # type: ignore[arg-type]
        ports, ways = free_ports(len(SERVICES)), sabotage or {}
        self.processes = {
            name: Launched(name, self.folder, port=port, env=self._environ(name), way=ways.get(name))
            for name, port in zip(SERVICES, ports, strict=True)
        }

    def port(self, service: Service) -> int:
        """Where a service answers."""
        return self.processes[service].port

    async def kill(self, service: Service) -> None:
        """SIGKILL, whatever it is doing; if it is just not there, as soon as it is."""
        process = self.processes[service]
        while process.pid is None:
            await asyncio.sleep(_LOOK_AGAIN_S / 5)
        await asyncio.to_thread(process.kill)
        self.kills[service] += 1

    def crashes(self) -> dict[str, int]:
        """How often each service ended without having been killed from here."""
        return {name: ended for name in SERVICES if (ended := self.starts[name] - 1 - self.kills[name])}

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self._migrate)
            self._keeping = [asyncio.create_task(self._keep(name)) for name in SERVICES]
            await self.until_ready()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        await asyncio.gather(*(asyncio.to_thread(process.stop) for process in self.processes.values()))
        for process in self.processes.values():
            if process.log.exists():
                shutil.copy(process.log, self._logs)

    async def until_ready(self) -> None:
        """Return when every service says that it is ready. Raises PartError."""
        end = time.monotonic() + _READY_WITHIN_S
        for process in self.processes.values():
            while not await asyncio.to_thread(process.ready):
                if time.monotonic() > end:
                    raise PartError(process.name, f"is not ready: {process.readiness()!r}. See {process.log}.")
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def _keep(self, name: Service) -> None:
        process = self.processes[name]
        while True:
            if process.pid is None:
                await asyncio.to_thread(process.start)
                self.starts[name] += 1
            await asyncio.sleep(_LOOK_AGAIN_S)

    def _environ(self, name: Service) -> dict[str, str]:
        return {
            "BATON_KAFKA": self.broker.bootstrap,
            "BATON_KAFKA_REPLICATION": "1",
            # Short, so that a service that was killed works for a while before it is killed again.
            "BATON_KAFKA_SESSION_S": "2",
            "BATON_DATABASE_URL": self.database_url,
            "BATON_DATA": str(self.folder / name),
            "BATON_AGREEMENT": str(self.folder / "agreement.yaml"),
            "BATON_ADMIN_KEY": KEY,
            "BATON_IDENTITY_KEY": "torture-identity-key-of-no-value",
            "BATON_ALLOW_LOOPBACK_ENDPOINTS": "true",
            "BATON_SLA_MONITOR_TOLERANCE_S": str(TOLERANCE_S),
            "BATON_DELIVERY_PER_ENDPOINT": "16",
        }

    def _migrate(self) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
        environ |= {"BATON_DATABASE_URL": self.database_url, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [sys.executable, "-m", "services.cli", "migrate"], env=environ, cwd=ROOT, check=True, capture_output=True
        )
