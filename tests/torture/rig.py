"""Baton as separate services for the torture test: on a Kafka and a PostgreSQL of its own, several processes of each
service, which are started again whenever they are gone, so that each can be killed at any moment."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Self

from deploy.local.kafka import KafkaBroker
from deploy.local.ports import free_ports
from deploy.local.process import ComponentError
from deploy.local.proxy import Service
from deploy.local.service import ROOT, ServiceProcess
from tests.kit.agreements import agreement_text
from tests.torture.clocks import step
from tests.torture.ledger import Rules
from tests.torture.receiver import Receiver

SERVICES: tuple[Service, ...] = ("ingest", "router", "sla_monitor", "delivery", "scoreboard")
KEY = "torture-admin-key"
FORM, GOOGLE = "/v1/sources/open", "/v1/sources/google"
SOURCES = """\
sources:
  open: {type: form, public: true}
  google: {type: google_ads, key_from: env:GOOGLE_KEY}
"""
TOLERANCE_S = 1.0
CHANNELS = """\
channels:
  rep: {webhook: {url_from: env:NOTICE_URL, secret_from: env:NOTICE_SECRET}}
  manager: {webhook: {url_from: env:NOTICE_URL, secret_from: env:NOTICE_SECRET}}
  ops: {webhook: {url_from: env:NOTICE_URL, secret_from: env:NOTICE_SECRET}}
"""
MARKETING = """\
  marketing:
    volume: {mql_accepted: 20, per: day, ladder: commitments}
    accepted_share: {at_least: 60%, per: day, ladder: commitments}
    completeness: {fields: [contact.email], at_least: 99%, per: day, ladder: commitments}
    hand_off_latency: {p95: 2 seconds, per: day, ladder: commitments}

ladders:
  commitments:
    - {at: 0 seconds, tell: [ops]}
"""
RULES = Rules(
    {"benelux": {"ann": 2, "bob": 1}, "alone": {"cleo": 1}},
    TOLERANCE_S,
    steps={2: ("manager",), 4: ("ops",)},
    hand_off_within_s=2.0,
    commitments={
        "volume": Fraction(20),
        "accepted_share": Fraction(60, 100),
        "completeness": Fraction(99, 100),
        "hand_off_latency": Fraction(2),
    },
    complete_with=("email",),
)

_AGREED = {"within": "6 seconds", "warn": "3 seconds", "move": "2 seconds", "page": "4 seconds"}
_NOTICE_INTERVAL_S = 2
_READY_WITHIN_S = 240
_LOOK_AGAIN_S = 0.05


def names_of(service: Service, copies: int) -> list[str]:
    """The names of the processes of a service."""
    return [f"{service}-{number}" for number in range(1, copies + 1)]


class Launched(ServiceProcess):
    """A process of a service. Its clock can be stepped, or one of its disciplines is broken in the `way` that
    `tests.torture.sabotage` names."""

    def __init__(
        self, service: Service, folder: Path, *, name: str, port: int, env: Mapping[str, str], way: str | None
    ) -> None:
        super().__init__(service, folder, name=name, port=port, env=env)
        self._clock = folder / f"{name}.clock"
        self.step_clock(0)
        broken = ["tests.torture.sabotage", way] if way is not None else []
        what = [*broken, f"services.{service}"]
        self._command = [sys.executable, "-m", "tests.torture.clocks", str(self._clock), *what]

    def step_clock(self, seconds: float, *, database: bool = False) -> None:
        """From now on its clock is off by so much, and for it that of the `database` as well."""
        step(self._clock, seconds, seconds if database else 0.0)


class Rig:
    """All five services, `copies` processes of each, with their state next to the broker's folder; afterwards their
    logs are in `logs`. People are notified at `notices`. `sabotage` names services and ways. Processes are named
    `ingest-1`, `ingest-2`, `router-1` ... During what is in `interrupted`, what delivery sent may go unrecorded.
    """

    def __init__(
        self,
        broker: KafkaBroker,
        database_url: str,
        logs: Path,
        *,
        notices: Receiver,
        copies: int = 1,
        sabotage: Mapping[Service, str] | None = None,
    ) -> None:
        self.broker = broker
        self.database_url = database_url
        # Next to the parts that tests share, so that a killed test run leaves nothing that the next one does not end.
        self.folder = broker.log.parent.with_name(f"{broker.log.parent.name}-services")
        self.kills: Counter[str] = Counter()
        self.starts: Counter[str] = Counter()
        self.interrupted: list[tuple[datetime, datetime]] = []
        self._notices = notices
        self._logs = logs
        self._keeping: list[asyncio.Task[None]] = []
        self.folder.mkdir()
        (self.folder / "agreement.yaml").write_text(agreement())
        (self.folder / "sources.yaml").write_text(SOURCES)
        names = {name: service for service in SERVICES for name in names_of(service, copies)}
        ports, ways = free_ports(len(names)), sabotage or {}
        self._of: dict[Service, list[Launched]] = {service: [] for service in SERVICES}
        self.processes: dict[str, Launched] = {}
        for port, (name, service) in zip(ports, names.items(), strict=True):
            env = self._environ(service)
            self.processes[name] = Launched(service, self.folder, name=name, port=port, env=env, way=ways.get(service))
            self._of[service].append(self.processes[name])

    def ports(self, service: Service) -> list[int]:
        """Where the processes of a service answer."""
        return [process.port for process in self._of[service]]

    async def kill(self, name: str) -> None:
        """SIGKILL, whatever it is doing; if it is just not there, as soon as it is."""
        process = self.processes[name]
        while process.pid is None:
            await asyncio.sleep(_LOOK_AGAIN_S / 5)
        with self.interrupting():
            await asyncio.to_thread(process.kill)
        self.kills[name] += 1

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Meanwhile delivery may not be able to record what it sent."""
        began = datetime.now(UTC)
        try:
            yield
        finally:
            self.interrupted.append((began, datetime.now(UTC)))

    @asynccontextmanager
    async def paused(self, *services: Service) -> AsyncIterator[None]:
        """All processes of these services hang meanwhile."""
        processes = [process for service in services for process in self._of[service]]
        try:
            for process in processes:
                process.pause()
            yield
        finally:
            for process in processes:
                process.resume()

    def crashes(self) -> dict[str, int]:
        """How often each process ended without having been killed from here."""
        return {name: ended for name in self.processes if (ended := self.starts[name] - 1 - self.kills[name])}

    def facts_in_spools(self) -> int:
        """How many facts the log is not known to have yet, in the spools of all ingest processes."""
        return sum(map(_waiting, self.folder.glob("ingest/spool-*.db")))

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self._migrate)
            self._keeping = [asyncio.create_task(self._restart(name)) for name in self.processes]
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
        """Return when every service reports ready. Raises ComponentError."""
        end = time.monotonic() + _READY_WITHIN_S
        for process in self.processes.values():
            while not await asyncio.to_thread(process.ready):
                if time.monotonic() > end:
                    raise ComponentError(process.name, f"is not ready: {process.readiness()!r}. See {process.log}.")
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def _restart(self, name: str) -> None:
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
            "BATON_SOURCES": str(self.folder / "sources.yaml"),
            "GOOGLE_KEY": "torture-google-key",
            "BATON_ADMIN_KEY": KEY,
            "BATON_IDENTITY_KEY": "torture-identity-key-of-no-value",
            "BATON_ALLOW_LOOPBACK_ENDPOINTS": "true",
            "BATON_SLA_MONITOR_TOLERANCE_S": str(TOLERANCE_S),
            "BATON_DELIVERY_PER_ENDPOINT": "16",
            "BATON_DELIVERY_NOTICE_INTERVAL_S": str(_NOTICE_INTERVAL_S),
            "NOTICE_URL": self._notices.url,
            "NOTICE_SECRET": self._notices.secret,
        }

    def _migrate(self) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
        environ |= {"BATON_DATABASE_URL": self.database_url, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [sys.executable, "-m", "services.cli", "migrate"], env=environ, cwd=ROOT, check=True, capture_output=True
        )


def agreement() -> str:
    """The text of the agreement that is in force."""
    text = agreement_text(**_AGREED) + CHANNELS  # type: ignore[arg-type]
    text = text.replace("\nladders:\n", MARKETING, 1).replace("  mql:\n", "  mql:\n    hand_off_within: 2 seconds\n", 1)
    # Many people give a phone number first.
    text = text.replace("minimum_data: [contact.email]", "minimum_data: [contact.country]")
    # The rep is warned, which is enough to be notified for.
    return text.replace("tell: [rep, manager]", "tell: [manager]")


def _waiting(spool: Path) -> int:
    with closing(sqlite3.connect(f"file:{spool}?mode=ro", uri=True)) as file:
        relayed = "SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE name = 'relayed'"
        return int(file.execute(f"SELECT count(*) FROM entries WHERE seq > ({relayed})").fetchone()[0])  # noqa: S608
