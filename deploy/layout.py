"""The production layout on this machine: Kafka, PostgreSQL, one process per service and the reverse proxy. Crash-only:
a process that exits is restarted, and a start first ends what a killed run left behind.
"""

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, get_args

from deploy.local.component import Component
from deploy.local.kafka import KafkaBroker, Profile
from deploy.local.ports import LOOPBACK, free_ports, is_free
from deploy.local.postgres import PostgresCluster
from deploy.local.process import ComponentError, Process, end_marked, end_of, without_settings
from deploy.local.proxy import ReverseProxy, Service
from deploy.local.service import ROOT, ServiceProcess
from deploy.local.status import Status
from deploy.local.supervisor import Supervisor
from shared.sqlite_file import claim
from shared.whole_file import replace_file

SERVICES: tuple[Service, ...] = get_args(Service)
ADDRESSES = ("BATON_KAFKA", "BATON_DATABASE_URL")

_READY_WITHIN_S = 120
_LOOK_AGAIN_S = 0.2
_MIGRATE_AGAIN_S = 2.0


class Layout:
    """The production layout, with all of its data in `folder`.

    `environ` has settings for the services (`BATON_...`); missing keys are generated and stored in `folder`.
    `kafka` (a bootstrap address) and `database_url` name running ones to use instead. The reverse proxy is on `port`,
    or a free one if None. `replicas` is the number of processes of a service, if not one. With `restart` a process
    that exits is restarted for as long as the layout runs, and `warn` gets a line when one keeps failing and when it
    runs again; `parts.json` in `folder` says the same. Usable as a context manager that starts and
    stops.
    """

    def __init__(
        self,
        folder: Path,
        *,
        environ: Mapping[str, str] | None = None,
        kafka: str | None = None,
        database_url: str | None = None,
        port: int | None = None,
        services: tuple[Service, ...] = SERVICES,
        replicas: Mapping[Service, int] | None = None,
        restart: bool = True,
        profile: Profile = "steady",
        say: Callable[[str], object] = lambda _: None,
        warn: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.folder = folder.resolve()
        self.port = port or 0
        self.parts: dict[str, Component] = {}
        self.kafka = kafka or ""
        self.database_url = database_url or ""
        self.made_up: dict[str, str] = {}
        self._owner_url = self.database_url
        self._own_kafka, self._own_database = not kafka, not database_url
        self._environ = {name: value for name, value in (environ or {}).items() if name.startswith("BATON_")}
        self._names = [(name, number) for name in services for number in range((replicas or {}).get(name, 1))]
        self._restart, self._profile, self._say = restart, profile, say
        self._status = Status(self.folder / "parts.json", warn)
        self._keepers: list[Supervisor] = []
        self._late: set[str] = set()
        self._own_postgres: PostgresCluster | None = None
        self._migrating: threading.Thread | None = None
        self._stopping = threading.Event()
        self._lock: int | None = None

    @property
    def url(self) -> str:
        """Where the reverse proxy answers, without a slash at the end; known for sure once it is started."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def services(self) -> list[ServiceProcess]:
        """The services' processes, in the order of their start."""
        return [component for component in self.parts.values() if isinstance(component, ServiceProcess)]

    def service(self, name: Service, number: int = 0) -> ServiceProcess:
        """A service's process, to kill, pause or start it; `number` counts from 0."""
        component = self.parts[_numbered(name, number)]
        assert isinstance(component, ServiceProcess)  # noqa: S101 (only services have these names)
        return component

    def start(self) -> Self:
        """Start everything and return when every service is ready, or immediately if Kafka or PostgreSQL ran before and
        cannot start now. Raises ComponentError; then nothing is left running.
        """
        self._take_folder()
        self._stopping.clear()
        self._late.clear()
        self._status.clear()
        try:
            self._stop_leftovers()
            if self.port and not is_free(self.port):
                raise ComponentError(
                    "front", f"port {self.port} is taken. Set BATON_PORT to a free port, or stop what uses it."
                )
            self._start_stores()
            self._migrate()
            self._start_services()
            if self._restart:
                self._keepers = [
                    Supervisor(name, component, self._status.report) for name, component in self.parts.items()
                ]
                for supervisor in self._keepers:
                    supervisor.begin()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the services together (they drain; SIGKILL after 15 s), then the reverse proxy, Kafka and PostgreSQL."""
        self._stopping.set()
        ends: dict[str, Callable[[], None]] = {name: component.stop for name, component in self.parts.items()}
        if self._keepers:
            ends = dict(zip(self.parts, (supervisor.end for supervisor in self._keepers), strict=True))
        together = [ends.pop(service.name) for service in self.services]
        if together:
            with ThreadPoolExecutor(len(together)) as threads:
                list(threads.map(lambda end: end(), together))
        for name in ("front", "kafka", "postgres"):
            if name in ends:
                ends[name]()
        self._keepers = []
        if self._migrating is not None:
            self._migrating.join()
            self._migrating = None
        if self._lock is not None:
            self._status.clear()
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _take_folder(self) -> None:
        try:
            (self.folder / "log").mkdir(parents=True, exist_ok=True)
            self._lock = claim(self.folder / "lock")
        except OSError as wrong:
            raise ComponentError(
                "data folder",
                f"{self.folder} can't be written ({wrong.strerror}). Set BATON_DATA to a folder that you may write to.",
            ) from wrong
        if self._lock is None:
            raise ComponentError(
                "data folder",
                f"{self.folder} is in use by another `make production`. Stop that one, or set BATON_DATA to another "
                f"folder (and BATON_PORT to another port).",
            )

    def _stop_leftovers(self) -> None:
        places = (self.folder / name for name in ("log", "front", "kafka", "postgres"))
        for left in [file for place in places for file in place.glob("*.pid")]:
            process = Process(left.stem, left.parent)
            if process.pid is not None:
                self._say(f"Stopping {left.stem}, which an earlier run left behind ...")
            if left.stem in ("kafka", "postgres"):
                # PostgreSQL would wait for its clients to leave if asked with SIGTERM.
                process.stop(signal.SIGINT if left.stem == "postgres" else signal.SIGTERM)
            else:
                process.kill()
        for pid in end_marked(self.folder):
            self._say(f"Stopped process {pid}, which an earlier run left behind.")

    def _start_stores(self) -> None:
        if self._own_database:
            self._say("Starting PostgreSQL ...")
            postgres = PostgresCluster(self.folder / "postgres")
            self._start_store("postgres", postgres)
            self._owner_url, self.database_url = postgres.role_urls
            self._own_postgres = postgres
        if self._own_kafka:
            self._say("Starting Kafka (the first time, its jars are fetched) ...")
            broker = KafkaBroker(self.folder / "kafka", profile=self._profile)
            self._start_store("kafka", broker)
            self.kafka = broker.bootstrap

    def _start_store(self, name: str, store: PostgresCluster | KafkaBroker) -> None:
        """Start it. If it has run before it may be down because of a full disk: the layout starts without it, so that
        leads are accepted meanwhile.
        """
        self.parts[name] = store
        try:
            store.start()
        except ComponentError as wrong:
            if not (self._restart and store.made):
                raise
            self._late.add(name)
            self._status.report(name, str(wrong))

    def _migrate(self) -> None:
        if "postgres" in self._late:
            self._migrating = threading.Thread(target=self._migrate_when_there, name="migrate", daemon=True)
            self._migrating.start()
        else:
            self._migrate_now()

    def _migrate_when_there(self) -> None:
        while not self._stopping.wait(_MIGRATE_AGAIN_S):
            with suppress(ComponentError):
                return self._migrate_now()
        return None

    def _migrate_now(self) -> None:
        if self._own_postgres is not None:
            self._own_postgres.separate_roles()
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", "migrate"],
            env={
                **without_settings(),
                **self._own_settings(),
                "BATON_DATABASE_URL": self._owner_url,
                "PYTHONPATH": str(ROOT),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ComponentError("migrate", f"the database could not be brought up to date.\n{done.stderr.strip()}")

    def _start_services(self) -> None:
        self._say("Starting the services ...")
        # Chosen late, all together: a port that is free now may be taken by the time Kafka has started.
        ports = free_ports(len(self._names))
        self.port = self.port or free_ports(1)[0]
        common = self._settings()
        upstreams: dict[Service, str] = {}
        for (name, number), port in zip(self._names, ports, strict=True):
            own = _numbered(name, number)
            env = {**common, "BATON_DATA": str(self.folder / name)}
            self.parts[own] = ServiceProcess(name, self.folder / "log", name=own, port=port, env=env).start()
            upstreams[name] = f"{upstreams.get(name, '')} {LOOPBACK}:{port}".strip()
        front = ReverseProxy(self.folder / "front", upstreams, port=self.port)
        self.parts["front"] = front
        front.start()
        if self._late:
            self._say(f"{' and '.join(sorted(self._late))} can't start yet: leads are accepted and kept meanwhile.")
        else:
            self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + _READY_WITHIN_S
        waiting = self.services
        while waiting := [service for service in waiting if not service.ready()]:
            for service in waiting:
                if service.pid is None:
                    raise ComponentError(service.name, f"ended while it started. {end_of(service.log)}")
            if time.monotonic() > end:
                self._say_who_is_late(waiting)
                return
            time.sleep(_LOOK_AGAIN_S)

    def _say_who_is_late(self, waiting: list[ServiceProcess]) -> None:
        """A process that is alive and waiting is no reason to stop the others: leads are accepted meanwhile."""
        for late in waiting:
            answer = late.readiness().rpartition(b"\r\n")[2].decode(errors="replace") or "no answer"
            self._say(f"{late.name} is not ready after {_READY_WITHIN_S} s: {answer}")

    def _settings(self) -> dict[str, str]:
        given = self._environ
        defaults = {
            "BATON_AGREEMENT": str(ROOT / "deploy" / "agreement.example.yaml"),
            "BATON_ALLOW_LOOPBACK_ENDPOINTS": "true",
            "BATON_PUBLIC_URL": self.url,
            "BATON_INGEST_MONITOR_URL": self.url,
        }
        if self._own_kafka:
            defaults["BATON_KAFKA_REPLICATION"] = "1"
        for name in ("ADMIN_KEY", "IDENTITY_KEY"):
            if not given.keys() & {f"BATON_{name}", f"BATON_{name}_FILE"}:
                defaults[f"BATON_{name}_FILE"] = str(self._secret_file(name))
        return {**defaults, **self._own_settings(), **self._addresses()}

    def _own_settings(self) -> dict[str, str]:
        return {name: value for name, value in self._environ.items() if name.removesuffix("_FILE") not in ADDRESSES}

    def _addresses(self) -> dict[str, str]:
        return dict(zip(ADDRESSES, (self.kafka, self.database_url), strict=True))

    def _secret_file(self, name: str) -> Path:
        file = self.folder / f"{name.lower().replace('_', '.')}"
        if not file.exists():
            # Whole or not at all: an identity key that changes would make strangers of all known leads.
            self.made_up[name] = "bk_" + secrets.token_urlsafe(32)
            replace_file(file, f"{self.made_up[name]}\n".encode())
        return file


def _numbered(name: str, number: int) -> str:
    return name if number == 0 else f"{name}-{number + 1}"
