"""The real Kafka and PostgreSQL that tests ask for by fixture: started when the first test needs them, shared by
all workers of one run, ended with it. A pytest plugin.

`BATON_KAFKA` and `BATON_DATABASE_URL` name running ones to use instead. A test whose part cannot be had is skipped
by name; with CI=true it fails. Tests that kill or pause take `own_kafka_broker` or `own_postgres`.
"""

import asyncio
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from deploy.local.kafka import KafkaBroker
from deploy.local.postgres import PostgresCluster, create_database, drop_database
from deploy.local.process import ComponentError, Process
from shared.clock import SystemClock
from shared.db.engine import Database
from tests.kit.tables import fingerprint, make_tables

T = TypeVar("T")

# Workers get it through their environment. Not BATON_...: services refuse settings that they do not know.
_FOLDER = "PARTS_OF_THIS_TEST_RUN"
_QUICK_FOLDER = "QUICK_PARTS_OF_THIS_TEST_RUN"
_PREFIX = "baton-parts-"
_DISK, _MEMORY = Path(tempfile.gettempdir()), Path("/dev/shm")  # noqa: S108
_ROOM = 4 * 1024**3
"""What must be free in memory before a server for tests is put there; it takes less than a quarter of this."""
_MARKS = {
    "kafka_broker": "kafka",
    "own_kafka_broker": "kafka",
    "postgres": "postgres",
    "own_postgres": "postgres",
}


@dataclass(frozen=True)
class SharedKafka:
    """A running broker that other tests use too: make topics with names of your own."""

    bootstrap: str


@dataclass(frozen=True)
class SharedPostgres:
    """A running server that other tests use too: make databases with names of your own, or take `fresh_database`."""

    url: str = field(repr=False)

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make the database `name`, empty or as a copy of another that nobody is connected to; its SQLAlchemy URL."""
        create_database(self.url, name, template)
        return f"{self.url.rpartition('/')[0]}/{name}"

    def drop_database(self, name: str) -> None:
        """Remove the database `name` and close the connections to it."""
        drop_database(self.url, name)


@pytest.fixture(scope="session")
def kafka_broker() -> SharedKafka:
    """Where a real Kafka answers."""
    return SharedKafka(os.environ.get("BATON_KAFKA") or _shared("kafka", _start_kafka))


@pytest.fixture(scope="session")
def postgres() -> SharedPostgres:
    """Where a real PostgreSQL answers, as a role that may make databases."""
    given = os.environ.get("BATON_DATABASE_URL", "")
    return SharedPostgres(given if given.startswith("postgresql") else _shared("postgres", _start_postgres))


@pytest.fixture
def fresh_database(postgres: SharedPostgres) -> Iterator[str]:
    """The SQLAlchemy URL of an empty PostgreSQL database that only this test uses."""
    name = f"test_{secrets.token_hex(8)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture
def database_with_tables(postgres: SharedPostgres) -> Iterator[str]:
    """The SQLAlchemy URL of a PostgreSQL database with the tables of the services that the test has loaded."""
    # A copy takes a tenth of the time of making so many tables and indexes.
    template = f"tables_{fingerprint()}"

    def make(_folder: Path) -> str:
        with ThreadPoolExecutor() as threads:  # this one may have an event loop running
            threads.submit(asyncio.run, _with_tables(postgres.create_database(template))).result()
        return template

    name = f"test_{secrets.token_hex(8)}"
    yield postgres.create_database(name, _shared(template, make))
    postgres.drop_database(name)


async def _with_tables(url: str) -> None:
    database = Database(url, SystemClock())
    await make_tables(database)
    await database.close()


@pytest.fixture
def own_kafka_broker() -> Iterator[KafkaBroker]:
    """A broker that only this test uses, started, quick to recover; for kills, pauses and restarts."""
    broker = KafkaBroker(own_folder(), profile="fast")
    try:
        _or_without(broker.start)
        yield broker
    finally:
        broker.kill()


@pytest.fixture
def own_postgres() -> Iterator[PostgresCluster]:
    """A PostgreSQL server that only this test uses, started; for kills and restarts."""
    cluster = PostgresCluster(own_folder())
    try:
        _or_without(cluster.start)
        yield cluster
    finally:
        cluster.kill()


def pytest_configure(config: pytest.Config) -> None:
    """In the process that leads the run: end what a killed run left behind, and choose the folder of this one."""
    if _is_worker(config):
        return
    for folder in (*_DISK.glob(f"{_PREFIX}*"), *_MEMORY.glob(f"{_PREFIX}*")):
        leader = folder.name.removeprefix(_PREFIX).partition("-")[0]
        with suppress(FileNotFoundError):  # another run that starts now ends it too
            if folder.stat().st_uid == os.getuid() and leader.isdigit() and not psutil.pid_exists(int(leader)):
                _end(folder)
    for name, place in ((_FOLDER, _DISK), (_QUICK_FOLDER, _MEMORY if _memory_has_room() else _DISK)):
        os.environ[name] = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the parts when all workers are done."""
    for name in () if _is_worker(config) else (_FOLDER, _QUICK_FOLDER):
        if folder := os.environ.pop(name, None):
            _end(Path(folder))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the parts that its fixtures need, so that `-m "not kafka"` leaves them out."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in _MARKS:
                item.add_marker(_MARKS[fixture])


def _shared(component: str, start: Callable[[Path], str]) -> str:
    folder = Path(os.environ[_FOLDER])
    address = folder / f"{component}.address"
    with (folder / f"{component}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not address.exists():
            address.write_text(_or_without(lambda: start(folder / component)))
    return address.read_text()


def own_folder() -> Path:
    """A folder for parts of one test, not made yet, removed with the run; a part left running there is ended."""
    # Not below tmp_path: pytest closes that to other users, and run as root the PostgreSQL server is another user.
    return Path(os.environ[_FOLDER]) / secrets.token_hex(4)


def _start_kafka(folder: Path) -> str:
    return KafkaBroker(folder, profile="fast").start().bootstrap


def _start_postgres(folder: Path) -> str:
    # Nobody kills it, so it need not write to the disk before it answers, which takes half the time of most tests.
    # In memory, because a database is 600 files: ext4 takes half a second to make so many just after it removed others.
    quick = Path(os.environ[_QUICK_FOLDER]) / folder.name
    settings = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "128MB"}
    return PostgresCluster(quick, settings=settings).start().url


def _memory_has_room() -> bool:
    if not os.access(_MEMORY, os.W_OK):
        return False
    return min(shutil.disk_usage(_MEMORY).free, psutil.virtual_memory().available) > _ROOM


def _or_without(start: Callable[[], T]) -> T:
    try:
        return start()
    except ComponentError as error:
        missing = error
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have every part. {missing}", pytrace=False)
    pytest.skip(str(missing))


def _end(folder: Path) -> None:
    for left in folder.rglob("*.pid"):
        Process(left.stem, left.parent).kill()
    shutil.rmtree(folder, ignore_errors=True)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")
