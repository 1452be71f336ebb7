"""The errors of a start that can't work, and the answers of a running process: probes, description, errors."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.ports import free_ports
from services.embedded.__main__ import own_url
from tests.journeys.processes import ROOT, Running, running

pytestmark = pytest.mark.xdist_group("start")  # they share what takes seconds to start


def start(folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Start everything in one process, which is expected to end by itself."""
    given = {"BATON_DATA": str(folder / "data"), "BATON_PORT": str(free_ports(1)[0]), **environ}
    bare = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
    command = [sys.executable, "-m", "services.embedded"]
    return subprocess.run(command, cwd=ROOT, env=bare | given, capture_output=True, text=True, timeout=180, check=False)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:9000"),
        ("0.0.0.0", "http://127.0.0.1:9000"),  # noqa: S104
        ("::", "http://[::1]:9000"),
        ("10.0.0.7", "http://10.0.0.7:9000"),
        ("::1", "http://[::1]:9000"),
    ],
)
def test_a_process_reaches_itself_at_the_address_that_it_listens_on(host: str, url: str) -> None:
    assert own_url({"BATON_HOST": host, "BATON_PORT": "9000"}) == url


def test_a_port_in_use_is_reported_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = start(tmp_path, BATON_PORT=port)
    assert done.returncode == 2
    assert f"can't listen on 127.0.0.1:{port}" in done.stderr
    assert "Set BATON_PORT to a free port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_setting_that_nobody_reads_stops_the_start(tmp_path: Path) -> None:
    done = start(tmp_path, BATON_DELIVERY_KEEP_DAYZ="7")
    assert done.returncode == 2
    assert (
        "BATON_DELIVERY_KEEP_DAYZ is set, but nothing reads it. Did you mean BATON_DELIVERY_KEEP_DAYS?" in done.stderr
    )


def test_an_agreement_that_does_not_load_is_reported_with_file_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "deal.yaml").write_text("agreement: x\npoools: {}\n")
    done = start(tmp_path, BATON_AGREEMENT=str(tmp_path / "deal.yaml"))
    assert done.returncode == 2
    assert f"{tmp_path}/deal.yaml:2:1: unknown key `poools`" in done.stderr
    assert "Traceback" not in done.stderr


def test_opening_to_the_network_without_a_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("")
    done = start(tmp_path, BATON_HOST="0.0.0.0", BATON_ADMIN_KEY_FILE=str(tmp_path / "key"))  # noqa: S104
    assert done.returncode == 2
    assert "set BATON_ADMIN_KEY first" in done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])  # noqa: S104
def test_a_key_that_can_be_guessed_stops_the_start_with_one_line(tmp_path: Path, host: str) -> None:
    done = start(tmp_path, BATON_HOST=host, BATON_ADMIN_KEY="a")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "BATON_ADMIN_KEY has fewer than 16 characters: set it to random characters" in done.stderr


def test_what_kubernetes_sets_for_a_service_called_baton_is_ignored_with_a_line_in_the_log(tmp_path: Path) -> None:
    links = {"BATON_PORT": "tcp://10.0.0.1:80", "BATON_SERVICE_HOST": "10.0.0.1", "BATON_PORT_80_TCP_PORT": "80"}
    done = start(tmp_path, BATON_AGREEMENT=str(tmp_path / "none.yaml"), **links)
    assert "service_links_ignored" in done.stderr
    assert all(name in done.stderr for name in links)
    assert "nothing reads it" not in done.stderr


def test_an_unreachable_database_address_is_refused_without_its_password(tmp_path: Path) -> None:
    done = start(tmp_path, BATON_DATABASE_URL="mysql://me:s3cret@127.0.0.1/x")
    assert done.returncode == 2
    assert "BATON_DATABASE_URL must look like postgresql+asyncpg://" in done.stderr
    assert "s3cret" not in done.stderr


@pytest.fixture(scope="module")
def baton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running("embedded", tmp_path_factory.mktemp("start")) as it:
        yield it


def test_probes_answer_and_name_every_check(baton: Running) -> None:
    assert httpx.get(f"{baton.url}/healthz", timeout=30).json() == {"status": "ok"}
    ready = httpx.get(f"{baton.url}/readyz", timeout=30)
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    assert {name.split(".")[0] for name in ready.json()["checks"]} >= {"ingest", "router", "sla_monitor", "delivery"}
    assert "baton_ingest_spool_rows" in httpx.get(f"{baton.url}/metrics", timeout=30).text


def test_the_description_covers_hot_endpoints_and_routes(baton: Running) -> None:
    document = httpx.get(f"{baton.url}/openapi.json", timeout=30).json()
    assert {"get", "post"} <= set(document["paths"]["/v1/leads"])
    body = document["paths"]["/v1/leads"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    lead = document["components"]["schemas"][body["oneOf"][0]["$ref"].rpartition("/")[2]]
    assert lead["required"] == ["contact"]
    assert {"/v1/activities", "/v1/sources/{source}", "/v1/windows", "/v1/subscriptions"} <= set(document["paths"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("DELETE", "/v1/leads", 405),
        ("GET", "/v1/activities", 405),
        ("GET", "/v1/leads", 401),
    ],
)
def test_every_error_is_a_problem_document(baton: Running, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, baton.url + path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["detail"]
    if status == 405:
        assert answer.headers["allow"]


GARBAGE = b"this is no database, though it is long enough to be taken for one " * 100


@pytest.mark.parametrize("name", ["baton.db", "log.db", "spool-0.db"])
def test_a_file_that_is_no_database_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "identity.key").write_text("a key of more than sixteen characters")
    (data / name).write_bytes(GARBAGE)
    ended = start(tmp_path)
    lines = [line for line in ended.stderr.splitlines() if line.startswith("baton: ")]
    assert (ended.returncode, len(lines)) == (2, 1), ended.stderr
    assert name in lines[0]
    assert "file from a backup" in lines[0]
    assert "Traceback" not in ended.stderr


def test_data_without_its_identity_key_is_not_used(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "spool-0.db").touch()
    ended = start(tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert "identity.key is missing" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_data_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    ended = start(tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert "BATON_DATA" in ended.stderr
    assert "Traceback" not in ended.stderr
