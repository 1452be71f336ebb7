"""What a client may do to a service's port: a real process, real sockets, and a client that means no good."""

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from deploy.local.ports import free_ports
from tests.journeys.processes import KEY, ROOT, Running, running

FILES = 256


@pytest.fixture(scope="module")
def baton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running("embedded", tmp_path_factory.mktemp("connections")) as it:
        yield it


@contextmanager
def connected(baton: Running, sent: bytes = b"") -> Iterator[socket.socket]:
    """A connection over which `sent` was sent."""
    address = urlsplit(baton.url)
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


def head(baton: Running, method: str, path: str, *lines: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {urlsplit(baton.url).netloc}", *lines, ""]).encode()


def held(baton: Running, client: socket.socket) -> bool:
    """Whether Baton still holds the connection; a client that reads nothing isn't told of its end."""
    ends = psutil.Process(baton.process.pid).net_connections("tcp")
    return any(end.raddr and end.raddr.port == client.getsockname()[1] for end in ends)


def test_headers_have_a_size_however_they_arrive(baton: Running) -> None:
    large = head(baton, "GET", "/healthz", f"X-Much: {'x' * 40_000}") + b"\r\n"
    with connected(baton, large) as client:
        assert answer(client).startswith(b"HTTP/1.1 431 ")
    with connected(baton, head(baton, "GET", "/" + "x" * 40_000) + b"\r\n") as client:
        assert answer(client).startswith(b"HTTP/1.1 431 ")
    before = psutil.Process(baton.process.pid).memory_info().rss
    with connected(baton, head(baton, "GET", "/healthz")) as client:
        sent = 0
        try:
            for _ in range(2000):
                client.sendall(b"X-Much: " + b"x" * 100_000 + b"\r\n")
                sent += 100_000
        except ConnectionError:
            pass
    assert sent < 20_000_000
    assert psutil.Process(baton.process.pid).memory_info().rss - before < 30_000_000
    fits = head(baton, "GET", "/healthz", f"X-Much: {'x' * 20_000}", "Connection: close") + b"\r\n"
    with connected(baton, fits) as client:
        assert answer(client).startswith(b"HTTP/1.1 200 ")


def test_silence_and_half_a_request_are_not_waited_for(baton: Running) -> None:
    login = f"Authorization: Bearer {KEY}"
    half_body = head(baton, "POST", "/v1/subscriptions", login, "Content-Length: 999") + b"\r\n{"
    drips = head(baton, "GET", "/healthz")
    asks_and_never_reads = (head(baton, "GET", "/openapi.json") + b"\r\n") * 2000
    begun = time.monotonic()
    with ExitStack() as stack:
        reader = stack.enter_context(connected(baton, asks_and_never_reads))
        silent, half, body, lines = (
            stack.enter_context(connected(baton, sent)) for sent in (b"", drips, half_body, b"\r\n")
        )
        assert answer(silent) == b""
        assert answer(half).startswith(b"HTTP/1.1 408 ")
        assert answer(lines) in (b"", b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        assert 9 < time.monotonic() - begun < 20
        assert answer(body).startswith(b"HTTP/1.1 408 ")
        assert 29 < time.monotonic() - begun < 45
        while held(baton, reader):
            assert time.monotonic() - begun < 60
            time.sleep(0.5)


def test_who_is_answered_is_not_cut_off_for_reading_a_stream(baton: Running) -> None:
    with httpx.stream("GET", f"{baton.url}/live", timeout=45) as stream:
        begun = time.monotonic()
        for _ in stream.iter_raw():
            if time.monotonic() - begun > 12:
                break
    assert time.monotonic() - begun > 12


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Baton that may have few files open, and its address."""
    folder, port = tmp_path_factory.mktemp("narrow"), free_ports(1)[0]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
    environ = {**bare, "BATON_DATA": str(folder), "BATON_PORT": str(port), "BATON_ADMIN_KEY": KEY}
    process = subprocess.Popen(
        [sys.executable, "-m", "services.embedded"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES)),  # noqa: PLW1509
    )
    assert process.stdout is not None
    with process.stdout:
        assert any(line.startswith("Baton is ready at ") for line in process.stdout)
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"POST /v1/leads HTTP/1.1\r\n"])
def test_more_idle_connections_than_file_descriptors_do_not_stop_new_requests(narrow: str, sent: bytes) -> None:
    address = urlsplit(narrow)
    login = {"Authorization": f"Bearer {KEY}"}
    with ExitStack() as stack:
        for number in range(FILES * 2):
            client = stack.enter_context(socket.create_connection((address.hostname, address.port), timeout=10))
            if sent:
                client.sendall(sent)
            if number % 64 == 63:
                lead = {"contact": {"email": f"jo{number}@example.com"}}
                assert httpx.post(f"{narrow}/v1/leads", json=lead, headers=login, timeout=10).status_code == 202
        assert httpx.get(f"{narrow}/readyz", timeout=10).status_code == 200


def test_a_service_may_open_as_many_files_as_it_is_allowed_to(baton: Running) -> None:
    limits = Path(f"/proc/{baton.process.pid}/limits").read_text().splitlines()
    soft, hard = next(line for line in limits if line.startswith("Max open files")).split()[3:5]
    assert soft == hard
