"""What an endpoint can't do to us: lead us into our own network, send us elsewhere, or keep us reading."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpcore
import pytest

from services.delivery.channels.connecting import VettingBackend, resolve, vet_host
from services.delivery.channels.http_client import MAX_READ, HttpClient, Request
from services.delivery.channels.webhook import Webhooks
from services.delivery.domain.retry import EndpointResponse
from shared.clock import SystemClock
from shared.domain.errors import Refused
from tests.kit.listening import stop_accepting
from tests.kit.mail_server import self_signed
from tests.kit.subscribers import receiving

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
INTERNAL = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.1",
    "::1", "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "fe80::1%1", "2001::1",
]  # fmt: skip


def names(*answers: Sequence[str]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """A resolver that gives these answers one after the other, the last one for good."""
    left = list(answers)

    async def resolving(_host: str, _port: int) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolving


def webhooks(
    resolving: Callable[[str, int], Awaitable[Sequence[str]]] = resolve,
    *,
    loopback: bool = True,
    deadline_s: float = 15,
) -> Webhooks:
    clock = SystemClock()
    return Webhooks(HttpClient(clock=clock, resolve=resolving, allow_loopback=loopback, deadline_s=deadline_s), clock)


async def post(sender: Webhooks, url: str) -> EndpointResponse:
    try:
        return await sender.post(url, [SECRET], "ev_1", b"{}")
    finally:
        await sender._client.close()


@pytest.mark.parametrize("address", INTERNAL)
async def test_a_name_that_resolves_into_our_network_is_not_connected_to(address: str) -> None:
    answer = await post(webhooks(names([address])), "https://hooks.example.com/")
    assert answer.forbidden
    assert address not in answer.problem


async def test_one_internal_address_among_public_ones_is_enough_to_refuse() -> None:
    answer = await post(webhooks(names(["93.184.215.14", "10.0.0.1"])), "https://hooks.example.com/")
    assert answer.forbidden


async def test_a_name_that_changes_after_it_was_subscribed_is_refused_when_it_is_sent_to() -> None:
    resolving = names(["93.184.215.14"], ["127.0.0.1"])
    await vet_host("hooks.example.com", 443, resolving, allow_loopback=False)
    assert (await post(webhooks(resolving), "https://hooks.example.com/")).forbidden


async def test_the_vetted_address_is_the_one_connected_to() -> None:
    asked: list[str] = []

    class Sockets(httpcore.AsyncMockBackend):
        async def connect_tcp(self, host: str, *args: object, **options: object) -> httpcore.AsyncNetworkStream:
            asked.append(host)
            if host == "93.184.215.14":
                raise httpcore.ConnectError("not this one")
            return await super().connect_tcp(host, 443)

    backend = VettingBackend(names(["93.184.215.14", "1.1.1.1"], ["10.0.0.1"]), allow_loopback=False)
    backend._sockets = Sockets([])  # type: ignore[assignment]
    await backend.connect_tcp("hooks.example.com", 443)
    assert asked == ["93.184.215.14", "1.1.1.1"]


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://localhost:8443/", "http://127.0.0.1:1/", "https://[::1]/"]
)
async def test_this_machine_is_not_sent_to_unless_that_is_allowed(url: str) -> None:
    assert (await post(webhooks(loopback=False), url)).forbidden


async def test_a_loopback_url_that_was_allowed_once_is_refused_when_it_no_longer_is() -> None:
    async with receiving() as receiver:
        assert (await post(webhooks(loopback=True), receiver.url)).status == 200
        assert (await post(webhooks(loopback=False), receiver.url)).forbidden
        assert len(receiver.seen) == 1


async def test_allowing_loopback_does_not_let_a_foreign_name_lead_there() -> None:
    assert (await post(webhooks(names(["127.0.0.1"]), loopback=True), "https://hooks.example.com/")).forbidden


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost"])
async def test_spellings_that_only_the_resolver_understands_end_at_the_same_guard(host: str) -> None:
    with pytest.raises(Refused) as refused:
        await vet_host(host, 443, resolve, allow_loopback=False)
    assert refused.value.pointer == "/url"


async def test_a_proxy_from_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert (await post(webhooks(), receiver.url)).status == 200
        assert proxy.seen == []


@asynccontextmanager
async def raw(
    head: bytes, chunk: bytes = b"", every_s: float = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that answers with `head` and then `chunk` again and again; its URL, and the bytes it got rid of."""
    sent = [0]
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head)
            while not over.is_set():
                await writer.drain()
                if not chunk:
                    await over.wait()
                    break
                writer.write(chunk)
                sent[0] += len(chunk)
                await asyncio.sleep(every_s)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/", sent
    finally:
        over.set()
        await stop_accepting(server.sockets)
        server.close()
        await server.wait_closed()


async def test_of_a_flood_little_is_read_and_the_status_counts() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n"
    async with raw(head, b"x" * 65_536) as (url, sent):
        async with asyncio.timeout(60):
            assert (await post(webhooks(), url)).status == 200
        assert sent[0] < 64 * 1024 * 1024
        assert MAX_READ == 16 * 1024


async def test_a_trickle_after_the_status_holds_us_for_two_seconds_at_most() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    async with raw(head, b"1\r\nx\r\n", 0.05) as (url, _):
        async with asyncio.timeout(60):
            assert (await post(webhooks(), url)).status == 200


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nx: y\r\n"])
async def test_silence_ends_at_the_deadline(head: bytes) -> None:
    async with raw(head) as (url, _):
        answer = await post(webhooks(deadline_s=1), url)
        assert (answer.status, answer.problem, answer.forbidden) == (None, "no answer within 1 s", False)


async def test_headers_that_trickle_do_not_stretch_the_deadline() -> None:
    async with raw(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", 0.02) as (url, _):
        async with asyncio.timeout(60):
            assert (await post(webhooks(deadline_s=0.5), url)).problem == "no answer within 0.5 s"


async def test_endless_headers_are_cut_off() -> None:
    async with raw(b"HTTP/1.1 200 OK\r\n", b"x: " + b"y" * 5000 + b"\r\n") as (url, _):
        problem = (await post(webhooks(deadline_s=5), url)).problem
        assert problem.startswith("the connection broke: what answers there does not speak HTTP")


async def test_a_bomb_is_not_unpacked() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nbomb"
    async with raw(head) as (url, _):
        assert (await post(webhooks(), url)).status == 200


@pytest.mark.parametrize("head", [b"nonsense\r\n\r\n", b"HTTP/1.1 999999 X\r\n\r\n", b"\x00\x01\x02\r\n\r\n"])
async def test_nonsense_is_a_broken_connection(head: bytes) -> None:
    async with raw(head) as (url, _):
        answer = await post(webhooks(deadline_s=2), url)
        assert answer.problem.startswith("the connection broke")


async def test_a_certificate_that_nobody_vouches_for_is_named(tmp_path: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*self_signed(tmp_path))
    async with raw(b"", tls=tls) as (url, _):
        answer = await post(webhooks(), url)
    assert (answer.problem, answer.sent) == ("the TLS certificate does not verify: self-signed certificate", False)


async def test_nobody_at_home_says_so() -> None:
    async with receiving() as gone:
        url = gone.url
    assert (await post(webhooks(), url)).problem == "the connection was refused or not answered"


async def test_a_name_without_address_says_so_and_is_worth_another_try() -> None:
    async def unknown(_host: str, _port: int) -> Sequence[str]:
        raise OSError("no such host")

    answer = await post(webhooks(unknown), "https://hooks.example.com/")
    assert (answer.problem, answer.forbidden) == ("the host does not resolve", False)


async def test_tls_is_verified() -> None:
    sender = webhooks(deadline_s=1)
    assert sender._client._tls.verify_mode is ssl.CERT_REQUIRED
    assert sender._client._tls.check_hostname
    async with raw(b"HTTP/1.1 200 OK\r\n\r\n") as (url, _):
        answer = await post(sender, url.replace("http:", "https:"))
    assert answer.problem == "the connection was not answered in time"


async def test_connections_are_used_again_and_pools_of_many_hosts_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.delivery.channels.http_client.MAX_POOLS", 2)
    sender = webhooks()
    async with receiving() as one, receiving() as two, receiving() as three, receiving() as four:
        for receiver in (one, two, three, four, one, two, three, four):
            assert (await sender.post(receiver.url, [SECRET], "ev_1", b"{}")).status == 200
        assert len(sender._client._pools) == 2
        await sender._client.close()


async def test_only_a_named_host_may_resolve_into_a_private_network() -> None:
    async with receiving() as receiver:
        port = receiver.url.rpartition(":")[2]
        client = HttpClient(
            clock=SystemClock(), resolve=names(["127.0.0.1"]), allow_loopback=False, internal={"alerts.internal"}
        )
        made = Request(f"http://alerts.internal:{port}", b"{}", ((b"content-type", b"application/json"),))
        assert (await client.post(made)).status == 200
        other = await client.post(Request("https://hooks.example.com/", b"{}", ()))
        await client.close()
    assert other.forbidden
