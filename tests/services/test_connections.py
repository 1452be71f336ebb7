"""What a client may do to a service's port: a real server, real sockets, and a client that means no good."""

import asyncio
import os
import resource
import select
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from deploy.local.ports import free_ports
from services.delivery.service import build as delivery
from services.scoreboard.service import build as scoreboard
from shared.bus.embedded import EmbeddedBus
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.http.entrance import Entrance
from shared.runtime.connections import Limits
from shared.runtime.serving import serving
from shared.runtime.web import Web
from tests.journeys.processes import KEY, ROOT
from tests.kit.services import platform_on
from tests.kit.tables import make_tables
from tests.kit.waiting import eventually

pytestmark = pytest.mark.xdist_group("connections")  # they share what takes seconds to start

FILES = 256
PATIENCE = Limits(header_s=1, body_s=6, read_s=6)


@dataclass(frozen=True)
class Baton:
    """A running Baton, which may have few files open."""

    url: str
    process: "subprocess.Popen[str]"


@pytest.fixture(scope="module")
def baton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Baton]:
    folder, port = tmp_path_factory.mktemp("connections"), free_ports(1)[0]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
    environ = {**bare, "BATON_DATA": str(folder), "BATON_PORT": str(port), "BATON_ADMIN_KEY": KEY}
    process = subprocess.Popen(
        [sys.executable, "-m", "services.embedded"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FILES // 2, FILES)),  # noqa: PLW1509
    )
    assert process.stdout is not None
    with process.stdout:
        assert any(line.startswith("Baton is ready at ") for line in process.stdout)
        yield Baton(f"http://127.0.0.1:{port}", process)
        process.terminate()
        assert process.wait(timeout=30) == 0


@pytest.fixture
async def impatient(tmp_path: Path, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The URL of a server in this process that waits for its clients only as long as `PATIENCE` says."""
    monkeypatch.setattr("shared.runtime.serving.limits_for_this_process", lambda: PATIENCE)
    monkeypatch.setattr("shared.runtime.connections.SWEEP_S", 0.1)
    monkeypatch.setattr("services.scoreboard.pages.live.KEEP_ALIVE_S", 0.2)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/baton.db", SystemClock())
    await make_tables(database)
    platform = platform_on(database, embedded_bus, BATON_PORT="0", BATON_ADMIN_KEY=KEY)
    entrance = Entrance()
    entrance.web = web = Web(platform, [delivery(platform), scoreboard(platform)])
    web.open()
    async with serving(entrance, platform.settings) as server:
        yield server.url
    await database.close()


@contextmanager
def connected(url: str, sent: bytes = b"") -> Iterator[socket.socket]:
    """A connection over which `sent` was sent."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=45) as client:
        client.sendall(sent)
        yield client


def answer(client: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    parts = []
    while part := _received(client):
        parts.append(part)
    return b"".join(parts)


def _received(client: socket.socket) -> bytes:
    try:
        return client.recv(65536)
    except ConnectionError:
        return b""


def head(url: str, method: str, path: str, *lines: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {urlsplit(url).netloc}", *lines, ""]).encode()


def held(client: socket.socket) -> bool:
    """Whether the server in this process still holds the connection; a client that reads nothing can't notice."""
    ends = psutil.Process().net_connections("tcp")
    return any(end.raddr and end.raddr.port == client.getsockname()[1] for end in ends)


def test_headers_have_a_size_however_they_arrive(baton: Baton) -> None:
    large = head(baton.url, "GET", "/healthz", f"X-Much: {'x' * 40_000}") + b"\r\n"
    with connected(baton.url, large) as client:
        assert answer(client).startswith(b"HTTP/1.1 431 ")
    with connected(baton.url, head(baton.url, "GET", "/" + "x" * 40_000) + b"\r\n") as client:
        assert answer(client).startswith(b"HTTP/1.1 431 ")
    before = psutil.Process(baton.process.pid).memory_info().rss
    with connected(baton.url, head(baton.url, "GET", "/healthz")) as client:
        sent = 0
        try:
            for _ in range(2000):
                client.sendall(b"X-Much: " + b"x" * 100_000 + b"\r\n")
                sent += 100_000
        except ConnectionError:
            pass
    assert sent < 20_000_000
    assert psutil.Process(baton.process.pid).memory_info().rss - before < 30_000_000
    fits = head(baton.url, "GET", "/healthz", f"X-Much: {'x' * 20_000}", "Connection: close") + b"\r\n"
    with connected(baton.url, fits) as client:
        assert answer(client).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("path", "status", "lines"),
    [
        ("/v1/leads", 401, []),
        ("/v1/leads", 413, [f"Authorization: Bearer {KEY}", "Content-Type: application/json"]),
        ("/v1/leads", 415, [f"Authorization: Bearer {KEY}", "Content-Encoding: gzip"]),
        ("/v1/subscriptions", 401, []),
        ("/v1/subscriptions", 413, [f"Authorization: Bearer {KEY}"]),
        ("/v1/agreement/simulations", 413, ["Content-Type: application/yaml"]),
        ("/v1/agreement/simulations", 415, []),
        ("/act/lead", 410, []),
        ("/no/such/path", 401, []),
    ],
)
def test_a_refusal_is_not_lost_while_the_body_is_still_being_sent(
    baton: Baton, path: str, status: int, lines: list[str]
) -> None:
    part = b"a: b\n" * (24_000 if status == 413 else 20_000)
    start = head(baton.url, "POST", path, "Connection: close", f"Content-Length: {9 * len(part)}", *lines) + b"\r\n"
    with connected(baton.url, start) as client:
        for _ in range(9):
            select.select([client], [], [], 0.02)  # what closes now resets what follows
            client.sendall(part)
        received = answer(client)
    assert received.startswith(b"HTTP/1.1 %d " % status)
    assert b"application/problem+json" in received or path.startswith("/act/")


async def test_silence_and_half_a_request_are_not_waited_for(impatient: str) -> None:
    limits = Limits()
    assert (limits.header_s, limits.body_s, limits.read_s) == (10, 30, 30)
    await asyncio.to_thread(silence_and_half_a_request, impatient)


def silence_and_half_a_request(url: str) -> None:
    half_body = head(url, "POST", "/v1/subscriptions", f"Authorization: Bearer {KEY}", "Content-Length: 999") + b"\r\n{"
    drips = head(url, "GET", "/healthz")
    asks_and_never_reads = (head(url, "GET", "/openapi.json") + b"\r\n") * 2000
    begun = time.monotonic()
    with ExitStack() as stack:
        reader = stack.enter_context(connected(url, asks_and_never_reads))
        silent, half, body, lines = (
            stack.enter_context(connected(url, sent)) for sent in (b"", drips, half_body, b"\r\n")
        )
        assert answer(silent) == b""
        assert time.monotonic() - begun > PATIENCE.header_s
        assert answer(half).startswith(b"HTTP/1.1 408 ")
        assert answer(lines) in (b"", b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        assert held(body)
        assert held(reader)
        assert answer(body).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - begun > PATIENCE.body_s
        eventually(lambda: not held(reader))


async def test_who_is_answered_is_not_cut_off_for_reading_a_stream(impatient: str) -> None:
    loop = asyncio.get_running_loop()
    async with httpx.AsyncClient(timeout=45) as client, client.stream("GET", f"{impatient}/live") as stream:
        begun = loop.time()
        async for _ in stream.aiter_raw():
            if loop.time() - begun > 2 * PATIENCE.header_s:
                break
    assert loop.time() - begun > 2 * PATIENCE.header_s


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"POST /v1/leads HTTP/1.1\r\n"])
def test_more_idle_connections_than_file_descriptors_do_not_stop_new_requests(baton: Baton, sent: bytes) -> None:
    address = urlsplit(baton.url)
    login = {"Authorization": f"Bearer {KEY}"}
    with ExitStack() as stack:
        for number in range(FILES * 2):
            client = stack.enter_context(socket.create_connection((address.hostname, address.port), timeout=10))
            if sent:
                client.sendall(sent)
            if number % 64 == 63:
                lead = {"contact": {"email": f"jo{number}@example.com"}}
                assert httpx.post(f"{baton.url}/v1/leads", json=lead, headers=login, timeout=10).status_code == 202
        assert httpx.get(f"{baton.url}/readyz", timeout=10).status_code == 200


def test_a_service_may_open_as_many_files_as_it_is_allowed_to(baton: Baton) -> None:
    limits = Path(f"/proc/{baton.process.pid}/limits").read_text().splitlines()
    soft, hard = next(line for line in limits if line.startswith("Max open files")).split()[3:5]
    assert soft == hard == str(FILES)
