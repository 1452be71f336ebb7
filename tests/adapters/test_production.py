"""The production layout starts for real, survives the death of each of its processes, and leaves none behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Self

import httpx
import psutil
import pytest

from deploy.layout import SERVICES
from deploy.local.ports import free_ports
from deploy.local.postgres import PostgresCluster
from deploy.local.process import Process, end_marked
from services.cli.doctor import examine
from tests.kit.layouts import ADMIN, KEY, environment, has_owner, lead, post_lead
from tests.kit.servers import own_folder
from tests.kit.waiting import eventually

ROOT = Path(__file__).parents[2]

# Each of these tests starts a JVM and five services: side by side they only make each other late.
pytestmark = pytest.mark.xdist_group("layouts")


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


class Command:
    """`python -m deploy.production`, as someone at a terminal starts it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        given = {"BATON_DATA": str(folder), "BATON_PORT": "0", "BATON_ADMIN_KEY": KEY, **settings}
        self.errors = folder.with_suffix(".err")
        self.output = ""
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.production"],
                cwd=ROOT,
                env=environment(**given),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def until(self, text: str) -> str:
        """Its output up to `text`. Fails if it ends before."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.output += line
            if text in line:
                return self.output
        pytest.fail(f"it ended: {self.output}{self.errors.read_text()}")

    @property
    def url(self) -> str:
        """The address that its ready line names."""
        return self.output.partition("Baton is ready at ")[2].split()[0]

    def ready(self) -> dict[str, int]:
        """Once it is ready: its parts and their process ids, from the table that it shows."""
        rows = [line.split() for line in self.until("Ctrl-C stops everything").splitlines() if ".log" in line]
        return {row[0]: int(row[2]) for row in rows if row[2] != "-"}

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(90)

    def end_when_ready(self) -> None:
        self.ready()
        assert self.end(signal.SIGINT) == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGTERM)
        assert self.process.stdout
        self.process.stdout.close()


def accepts(client: httpx.Client, email: str) -> bool:
    return client.post("/v1/leads", json=lead(email)).status_code == 202


def run_command(folder: Path, **settings: str) -> tuple[int, str]:
    with Command(folder, **settings) as command:
        code = command.process.wait(60)
        return code, command.errors.read_text()


@contextmanager
def folder_for_command() -> Iterator[Path]:
    folder = own_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.timeout(300)
def test_one_command_starts_everything_and_ctrl_c_leaves_no_process() -> None:
    with folder_for_command() as folder, Command(folder) as command:
        components = command.ready()
        assert set(components) == {*SERVICES, "postgres", "kafka", "front"}
        assert all(lives(pid) for pid in components.values())
        assert KEY not in command.output
        with httpx.Client(base_url=command.url, headers=ADMIN, timeout=10, trust_env=False) as client:
            post_lead(client, "jo@example.com")
            eventually(lambda: has_owner(client, "jo@example.com"))
            counted = {"received": 1, "assigned": 1, "in_flight": 0, "balanced": True}
            eventually(lambda: counted.items() <= client.get("/v1/conservation").json().items())
            os.kill(components["router"], signal.SIGKILL)
            eventually(lambda: has_owner(client, "jo@example.com"))
            assert not lives(components["router"])
        private = ("ingest", "kafka/data", "postgres/data", "log/ingest.log", "admin.key", "identity.key")
        assert [name for name in private if (folder / name).exists() and (folder / name).stat().st_mode & 0o077] == []
        code, output = run_command(folder)
        assert code == 2
        assert "in use by another `make production`" in output
        assert command.end(signal.SIGINT) == 0
        assert not any(lives(pid) for pid in components.values())
        assert command.errors.read_text() == output


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.timeout(300)
def test_a_killed_run_is_cleared_away_by_the_next_and_what_cannot_live_ends_nothing_else() -> None:
    with folder_for_command() as folder, ExitStack() as stack:
        folder.mkdir(parents=True)
        sources = folder / "sources.yaml"
        sources.write_text("sources: {}\n")
        killed = stack.enter_context(Command(folder, BATON_SOURCES=str(sources)))
        killed.until("Starting the services")
        killed.end(signal.SIGKILL)

        command = stack.enter_context(Command(folder, BATON_SOURCES=str(sources)))
        components = command.ready()
        assert "Stopping kafka, which an earlier run left behind" in command.output
        assert "Stopping postgres, which an earlier run left behind" in command.output
        sources.unlink()
        os.kill(components["ingest"], signal.SIGKILL)
        eventually(lambda: "ingest keeps ending" in command.errors.read_text())
        assert f"BATON_SOURCES names {sources}, which can't be read" in command.errors.read_text()
        failing = examine({"BATON_DATA": str(folder)})[-1]
        assert (failing.check, failing.state) == ("parts", "fail")
        assert "ingest keeps ending" in failing.detail
        sources.write_text("sources: {}\n")
        with httpx.Client(base_url=command.url, headers=ADMIN, timeout=10, trust_env=False) as client:
            eventually(lambda: client.get("/readyz").status_code == 200)
            post_lead(client, "back@example.com")
        assert command.end(signal.SIGINT) == 0
        assert not any(lives(pid) for pid in components.values())


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.timeout(300)
def test_leads_are_accepted_while_kafka_cannot_start_and_go_on_once_it_can() -> None:
    with folder_for_command() as folder, ExitStack() as stack:
        stack.enter_context(Command(folder)).end_when_ready()
        # What a full disk does to the broker: it can't open its own log, however often it is started.
        blocked = folder / "kafka" / "data" / "__cluster_metadata-0"
        aside = folder / "aside"
        blocked.rename(aside)
        blocked.touch()
        command = stack.enter_context(Command(folder))
        components = command.ready()
        assert "kafka can't start yet" in command.output
        with httpx.Client(base_url=command.url, headers=ADMIN, timeout=10, trust_env=False) as client:
            eventually(lambda: accepts(client, "spooled@example.com"))
            eventually(lambda: "kafka" in command.errors.read_text())
            assert command.process.poll() is None
            blocked.unlink()
            aside.rename(blocked)
            eventually(lambda: has_owner(client, "spooled@example.com"), within_s=120)
        assert command.end(signal.SIGINT) == 0
        assert not any(lives(pid) for pid in components.values())


def test_a_process_that_was_started_just_before_its_parent_was_killed_is_found_by_the_next_run(tmp_path: Path) -> None:
    component = Process("sleeper", tmp_path / "log")
    (tmp_path / "log").mkdir()
    component.start(["sleep", "60"], ready=lambda: True, deadline_s=5)
    pid = component.pid
    assert pid is not None
    # The parent was killed before it could write this.
    (tmp_path / "log" / "sleeper.pid").unlink()
    assert end_marked(tmp_path / "other") == []
    assert end_marked(tmp_path) == [pid]
    assert not lives(pid)


@pytest.mark.kafka
@pytest.mark.postgres
def test_ctrl_c_during_the_start_leaves_no_process() -> None:
    with folder_for_command() as folder, Command(folder) as command:
        command.until("Starting Kafka")
        (pid_file,) = folder.glob("postgres/*.pid")
        pid = int(pid_file.read_text().split()[0])
        assert lives(pid)
        assert command.end(signal.SIGINT) == 0
        assert not lives(pid)
        assert list(folder.glob("*/*.pid")) == []


def test_a_port_in_use_is_reported_before_anything_starts(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        code, output = run_command(tmp_path / "data", BATON_PORT=str(port))
    assert code == 2
    assert output == f"baton: front: port {port} is taken. Set BATON_PORT to a free port, or stop what uses it.\n"
    assert list((tmp_path / "data").glob("*/*.pid")) == []


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Command(tmp_path / "x", BATON_DATA=str(tmp_path / "file" / "data")) as command:
        assert command.process.wait(60) == 2
    assert f"{tmp_path}/file/data can't be written" in command.errors.read_text()
    assert "Set BATON_DATA" in command.errors.read_text()


def test_this_layout_is_not_for_other_machines(tmp_path: Path) -> None:
    code, output = run_command(tmp_path / "data", BATON_HOST="0.0.0.0")  # noqa: S104
    assert code == 2
    assert "Unset BATON_HOST" in output


def test_a_misspelt_setting_is_reported_before_anything_starts(tmp_path: Path) -> None:
    code, output = run_command(tmp_path / "data", BATON_AGREMENT="x")
    assert code == 2
    assert "Did you mean BATON_AGREEMENT?" in output


@pytest.mark.postgres
@pytest.mark.timeout(120)
def test_a_service_whose_database_is_away_waits_and_says_so_until_it_is_there(tmp_path: Path) -> None:
    folder = own_folder()
    database = PostgresCluster(folder)
    database.start()
    url = database.url
    database.kill()
    (port,) = free_ports(1)
    env = environment(BATON_DATABASE_URL=url, BATON_PORT=str(port), BATON_DATA=str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-m", "services.scoreboard"], cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True
    ) as service:
        readiness = partial(says_at, f"http://127.0.0.1:{port}/readyz")
        eventually(lambda: "the database does not answer" in readiness())
        database.start()
        eventually(lambda: "the database has schema none" in readiness())
        subprocess.run([ROOT / "baton", "migrate"], env=env, check=True, capture_output=True)
        eventually(lambda: '"ready":true' in readiness())
        assert service.poll() is None
        service.send_signal(signal.SIGTERM)
        _, output = service.communicate(timeout=30)
        assert service.returncode == 0
        assert "task_waits" in output
        assert database.url.split(":")[2].split("@")[0] not in output
    database.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.timeout(120)
def test_a_service_whose_broker_is_away_waits_and_says_so(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    env = environment(BATON_KAFKA="127.0.0.1:1", BATON_PORT=str(port), BATON_DATA=str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-m", "services.scoreboard"], cwd=ROOT, env=env, stderr=subprocess.DEVNULL
    ) as service:
        eventually(lambda: "Kafka at 127.0.0.1:1 can't be reached" in says_at(f"http://127.0.0.1:{port}/readyz"))
        assert says_at(f"http://127.0.0.1:{port}/healthz") == '{"status":"ok"}'
        service.send_signal(signal.SIGTERM)
        assert service.wait(30) == 0


def says_at(url: str) -> str:
    try:
        return httpx.get(url, trust_env=False, timeout=30).text
    except httpx.TransportError:
        return ""
