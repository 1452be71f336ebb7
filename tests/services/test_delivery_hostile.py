"""Endpoints that answer anything at all: each attempt is recorded as it ended, and the sender goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import sqlalchemy as sa

from services.delivery.store.tables import subscriptions
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from tests.kit.listening import stop_accepting
from tests.kit.subscribers import assigned, receiving
from tests.services.test_delivery import delivery_on

OK = b"HTTP/1.1 200 OK\r\n"
DELIVERED = {
    "cookie flood": OK + b"Set-Cookie: a=b\r\n" * 1_000 + b"Content-Length: 0\r\n\r\n",
    "body shorter than its length": OK + b"Content-Length: 1000\r\n\r\nshort",
    "broken gzip": OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x00\xff\x00\xff",
    "broken chunks": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "informational before": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50 + OK + b"Content-Length: 0\r\n\r\n",
}
NOT_DELIVERED = {
    "far date": b"HTTP/1.1 503 x\r\nRetry-After: Mon, 20 Nov 9999999999 12:00:00 +0000\r\nContent-Length: 0\r\n\r\n",
    "year 9999": b"HTTP/1.1 503 x\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 -2359\r\nContent-Length: 0\r\n\r\n",
    "long number": b"HTTP/1.1 429 x\r\nRetry-After: " + b"9" * 20_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "odd zone": b"HTTP/1.1 503 x\r\nRetry-After: Mon, 20 Nov 2026 12:00:00 +999999999999\r\n\r\n",
    "bytes": b"HTTP/1.1 503 x\r\nRetry-After: \xff\xfe\xfd\r\nContent-Length: 0\r\n\r\n",
    "no status": b"HTTP/1.1\r\n\r\n",
    "status 999999": b"HTTP/1.1 999999 x\r\n\r\n",
    "status 000": b"HTTP/1.1 000 x\r\nContent-Length: 0\r\n\r\n",
    "status 999": b"HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n",
    "only informational": b"HTTP/1.1 100 Continue\r\n\r\n" * 500,
    "switching protocols": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 100,
    "nothing": b"",
    "header bomb": OK + b"X: " + b"a" * 150_000 + b"\r\n\r\n",
    "NUL in a header": OK + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "huge length": OK + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n",
    "redirect": b"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
}


@asynccontextmanager
async def answering(raw: bytes) -> AsyncIterator[str]:
    """An endpoint that reads a request and answers with these bytes, then closes."""
    open_ones: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_ones[writer] = task
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.partition(b":")[2]))
            writer.write(raw)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        await stop_accepting(server.sockets)
        server.close()
        await server.wait_closed()
        for writer in open_ones:
            writer.transport.abort()
        await asyncio.gather(*open_ones.values())


async def test_whatever_endpoints_answer_each_attempt_is_recorded_and_the_sender_goes_on(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with AsyncExitStack() as stack:
        delivery = await stack.enter_async_context(
            delivery_on(database, embedded_bus, schedule_s=(0.01,), deadline_s=2)
        )
        subscribed = {
            name: await delivery.subscribe(await stack.enter_async_context(answering(raw)))
            for name, raw in {**DELIVERED, **NOT_DELIVERED}.items()
        }
        await delivery.publish(assigned(1))
        for name, subscription in subscribed.items():
            (status,) = await delivery.standings(subscription, "delivered" if name in DELIVERED else "failed")
            assert name in DELIVERED or status["last_error"], name
        good = await stack.enter_async_context(receiving(200))
        other = await delivery.subscribe(good.url)
        await delivery.publish(assigned(2))
        await delivery.standings(other, "delivered")


async def test_an_exception_in_one_attempt_is_the_failure_of_that_attempt(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with receiving(200) as good, delivery_on(database, embedded_bus, schedule_s=(0.01,)) as delivery:
        broken, other = [await delivery.subscribe(good.url) for _ in range(2)]
        async with database.begin() as tx:
            damaged = sa.update(subscriptions).where(subscriptions.c.id == broken["subscription_id"])
            await tx.execute(damaged.values(secrets="whsec_!!!"))
        await delivery.publish(assigned(1))
        (status,) = await delivery.standings(broken, "failed")
        assert status["last_error"].startswith("the attempt failed on our side")
        await delivery.standings(other, "delivered")
