"""The real parts keep what they confirmed over a crash, refuse what is not theirs, and say why when they cannot
start.
"""

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import get_args

import asyncpg
import httpx
import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.jars import KAFKA_LOCK, locked_jars
from deploy.local.kafka import KafkaBroker
from deploy.local.ports import free_ports, is_free
from deploy.local.postgres import PostgresCluster
from deploy.local.process import ComponentError, Process
from deploy.local.proxy import ReverseProxy, Service
from tests.kit.servers import SharedKafka

ROOT = Path(__file__).parent.parent.parent


def readline(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


async def make_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def send(bootstrap: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, value)


async def first_record(bootstrap: str, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        value: bytes | None = (await consumer.getone()).value
        return value
    finally:
        await consumer.stop()


async def test_a_shared_broker_carries_a_message_from_a_topic_to_its_reader(kafka_broker: SharedKafka) -> None:
    await make_topic(kafka_broker.bootstrap, "parts-round-trip")
    await send(kafka_broker.bootstrap, "parts-round-trip", b"hello")
    assert await first_record(kafka_broker.bootstrap, "parts-round-trip") == b"hello"


async def test_a_broker_killed_after_it_confirmed_a_message_still_has_it_after_its_restart(
    own_kafka_broker: KafkaBroker,
) -> None:
    await make_topic(own_kafka_broker.bootstrap, "kept")
    await send(own_kafka_broker.bootstrap, "kept", b"confirmed")
    own_kafka_broker.kill()
    assert own_kafka_broker.pid is None
    own_kafka_broker.start()
    assert await first_record(own_kafka_broker.bootstrap, "kept") == b"confirmed"


async def test_a_paused_broker_takes_connections_and_answers_only_after_it_goes_on(
    own_kafka_broker: KafkaBroker,
) -> None:
    await make_topic(own_kafka_broker.bootstrap, "paused")
    own_kafka_broker.pause()
    with socket.create_connection(("127.0.0.1", own_kafka_broker.port), timeout=1) as connection:
        connection.sendall(bytes.fromhex("0000000a 0012 0000 00000001 ffff"))
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        own_kafka_broker.resume()
        connection.settimeout(10)
        assert connection.recv(1)


def test_a_broker_refuses_a_port_that_another_program_holds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ComponentError, match=rf"^kafka: port {port} on 127.0.0.1 is taken"):
            KafkaBroker(tmp_path / "kafka", port=port).start()
    assert not (tmp_path / "kafka").exists()


def test_a_broker_that_exits_while_starting_reports_its_own_reason(tmp_path: Path) -> None:
    data = tmp_path / "kafka" / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=1\nnode.id=7\ncluster.id=AAAAAAAAAAAAAAAAAAAAAA\n")
    broker = KafkaBroker(tmp_path / "kafka", profile="fast")
    with pytest.raises(ComponentError, match=r"(?s)ended while it started.*node id.*7"):
        broker.start()
    assert broker.pid is None


def test_a_jar_that_is_not_the_locked_one_is_refused_before_anything_starts(tmp_path: Path) -> None:
    lock = tmp_path / "jars.lock.toml"
    lock.write_text(re.sub(r'sha256 = "\w{8}', 'sha256 = "00000000', KAFKA_LOCK.read_text(), count=1))
    locked_jars()
    with pytest.raises(ComponentError, match=r"is not the locked .*the lock says 00000000"):
        KafkaBroker(tmp_path / "kafka", lock=lock).start()
    assert not (tmp_path / "kafka").exists()


def test_a_jar_without_a_locked_sha256_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "jars.lock.toml"
    lock.write_text(re.sub(r"sha256 = .*\n", "", KAFKA_LOCK.read_text()))
    with pytest.raises(ComponentError, match="the lock says None"):
        locked_jars(lock)


async def test_postgresql_killed_after_a_commit_still_has_it_after_its_restart(own_postgres: PostgresCluster) -> None:
    address = own_postgres.url.replace("+asyncpg", "")
    connection = await asyncpg.connect(address)
    await connection.execute("CREATE TABLE kept (word text)")
    await connection.execute("INSERT INTO kept VALUES ('committed')")
    own_postgres.kill()
    await connection.close(timeout=1)
    own_postgres.start()
    connection = await asyncpg.connect(address)
    assert await connection.fetchval("SELECT word FROM kept") == "committed"
    assert await connection.fetchval("SHOW fsync") == "on"
    assert await connection.fetchval("SHOW synchronous_commit") == "on"
    await connection.close()
    own_postgres.stop()
    assert own_postgres.pid is None


async def test_postgresql_asks_for_its_password(own_postgres: PostgresCluster) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(host="127.0.0.1", port=own_postgres.port, user="baton", password="guess")


async def test_a_fresh_database_is_empty_and_its_own(fresh_database: str) -> None:
    connection = await asyncpg.connect(fresh_database.replace("+asyncpg", ""))
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    await connection.close()


def test_anyone_who_knows_the_folder_can_end_a_part_that_someone_else_started(tmp_path: Path) -> None:
    started = Process("sleeper", tmp_path)
    started.start(["sleep", "60"], ready=lambda: True, deadline_s=5)
    other = Process("sleeper", tmp_path)
    with pytest.raises(ComponentError, match=f"already runs from .* as process {started.pid}"):
        other.start(["sleep", "60"], ready=lambda: True, deadline_s=5)
    other.stop()
    assert started.pid is None


def test_a_component_that_is_not_ready_in_time_is_stopped_and_its_last_output_reported(tmp_path: Path) -> None:
    slow = Process("slow", tmp_path)
    with pytest.raises(ComponentError, match=r"(?s)was not ready within 0.2 s.*still warming up"):
        slow.start(["sh", "-c", "echo still warming up; sleep 60"], ready=lambda: False, deadline_s=0.2)
    assert slow.pid is None


def test_a_part_gets_none_of_our_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_ADMIN_KEY", "secret")
    printer = Process("printer", tmp_path)
    with pytest.raises(ComponentError):
        printer.start(["env"], ready=lambda: False, deadline_s=5, env={"FOR_IT": "yes"})
    assert "FOR_IT=yes" in printer.log.read_text()
    assert "BATON_" not in printer.log.read_text()


def test_ports_are_below_those_that_a_system_gives_to_clients() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(20_000 <= port < 32_768 and is_free(port) for port in ports)


def test_no_two_running_processes_are_given_the_same_free_port() -> None:
    code = "from deploy.local.ports import free_ports; print(*free_ports(300), flush=True); open(0).read()"
    with ExitStack() as stack:
        others = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(3)
        ]
        ports = [free_ports(300), *([int(port) for port in readline(other).split()] for other in others)]
    assert len({port for given in ports for port in given}) == 1200


class Echo(BaseHTTPRequestHandler):
    """Answers every request with the name of the service that it stands for."""

    def do_any(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        if len(self.rfile.read(length)) < length:
            return
        answer = self.server.service.encode()  # type: ignore[attr-defined]
        self.send_response(200)
        if self.path.startswith("/v1/events"):
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b"data: first\n\n")
            self.wfile.flush()
            self.server.let_go.wait(10)  # type: ignore[attr-defined]
            return
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_any

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def services() -> Iterator[dict[Service, ThreadingHTTPServer]]:
    with ExitStack() as stack:
        found: dict[Service, ThreadingHTTPServer] = {}
        for name in get_args(Service):
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Echo))
            server.service = name  # type: ignore[attr-defined]
            server.let_go = threading.Event()  # type: ignore[attr-defined]
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            found[name] = server
        yield found


@pytest.fixture(scope="module")
def front(
    services: dict[Service, ThreadingHTTPServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    upstreams = {name: f"127.0.0.1:{server.server_port}" for name, server in services.items()}
    with (
        ReverseProxy(tmp_path_factory.mktemp("front"), upstreams) as proxy,
        httpx.Client(base_url=proxy.url, timeout=10, trust_env=False) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("method", "path", "service"),
    [
        ("POST", "/v1/leads", "ingest"),
        ("OPTIONS", "/v1/leads", "ingest"),
        ("GET", "/v1/leads?email=jo%40example.com", "router"),
        ("GET", "/v1/leads/l1", "router"),
        ("GET", "/v1/leads/l1/proof", "router"),
        ("GET", "/v1/leads/l1/timeline", "scoreboard"),
        ("POST", "/v1/activities", "ingest"),
        ("POST", "/v1/sources/website", "ingest"),
        ("GET", "/v1/sources/meta?hub.challenge=1", "ingest"),
        ("OPTIONS", "/v1/sources/website", "ingest"),
        ("GET", "/v1/reps", "router"),
        ("PUT", "/v1/reps/ann/availability", "router"),
        ("GET", "/v1/agreement", "router"),
        ("GET", "/v1/agreement/versions/3", "router"),
        ("GET", "/v1/windows?state=open", "sla_monitor"),
        ("POST", "/v1/escalations/e1/acknowledge", "sla_monitor"),
        ("POST", "/v1/silences", "sla_monitor"),
        ("GET", "/v1/duty", "sla_monitor"),
        ("DELETE", "/v1/duty/ops/overrides/o1", "sla_monitor"),
        ("POST", "/v1/subscriptions", "delivery"),
        ("DELETE", "/v1/subscriptions/s1", "delivery"),
        ("GET", "/v1/deliveries", "delivery"),
        ("GET", "/v1/conservation", "scoreboard"),
        ("GET", "/v1/kpis", "scoreboard"),
        ("GET", "/v1/nothing", "scoreboard"),
        ("GET", "/", "scoreboard"),
        ("GET", "/leads/l1", "scoreboard"),
        ("GET", "/static/baton.css", "scoreboard"),
        ("GET", "/readyz", "ingest"),
        ("GET", "/openapi.json", "ingest"),
    ],
)
def test_the_reverse_proxy_leads_each_path_to_its_service(
    front: httpx.Client, method: str, path: str, service: str
) -> None:
    answer = front.request(method, path)
    assert (answer.status_code, answer.text) == (200, service)


def test_the_reverse_proxy_answers_for_itself_that_it_lives(front: httpx.Client) -> None:
    assert front.get("/healthz").text == "ok"


def test_the_reverse_proxy_shows_no_metrics(front: httpx.Client) -> None:
    answer = front.get("/metrics")
    assert answer.status_code == 404
    assert answer.json()["status"] == 404


def test_the_reverse_proxy_refuses_more_than_two_megabytes(front: httpx.Client) -> None:
    assert front.post("/v1/leads", content=b"x" * 1_900_000).text == "ingest"
    answer = front.post("/v1/leads", content=b"x" * 2_100_000)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert "fewer items" in answer.json()["detail"]


def test_the_reverse_proxy_passes_each_event_on_at_once(
    front: httpx.Client, services: dict[Service, ThreadingHTTPServer]
) -> None:
    with front.stream("GET", "/v1/events", headers={"Accept": "text/event-stream"}) as answer:
        try:
            assert next(answer.iter_lines()) == "data: first"
        finally:
            services["delivery"].let_go.set()  # type: ignore[attr-defined]


def test_a_service_that_is_away_is_503_with_a_time_and_what_was_asked_stays_out_of_the_log(tmp_path: Path) -> None:
    with ReverseProxy(tmp_path, {}) as proxy:
        answer = httpx.get(f"{proxy.url}/v1/leads?email=jo@example.com", timeout=10, trust_env=False)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["title"] == "Not available"
    assert proxy.pid is None
    assert "connection refused" in proxy.log.read_text()
    assert "example.com" not in proxy.log.read_text()


def test_all_topics_have_the_same_number_of_partitions() -> None:
    topics = yaml.safe_load((ROOT / "deploy" / "kafka" / "topics.yaml").read_text())
    assert [topic["name"] for topic in topics["topics"]] == [
        f"baton.{name}.v1" for name in ("inquiries", "activities", "assignments", "escalations", "quarantine")
    ]
    assert topics["partitions"] == 12
    assert not any("partitions" in topic for topic in topics["topics"])
