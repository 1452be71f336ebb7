"""Inspects a cluster without changing it, to check an installation."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.bus.kafka.access import Access
from shared.bus.kafka.topics import absent
from shared.bus.topics import Topic
from shared.domain.errors import Unavailable


async def missing_topics(access: Access, topics: Mapping[str, Topic], *, within_s: float = 10) -> list[str]:
    """The names of `topics` that the cluster does not have yet.

    Raises `Unavailable` if it does not answer within `within_s` seconds, `Misconfigured` if a topic differs from the
    file.
    """
    admin = AIOKafkaAdminClient(**access.arguments(request_timeout_s=within_s))
    try:
        async with asyncio.timeout(within_s):
            await admin.start()
            return await absent(admin, topics)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(
            f"Kafka at {access.bootstrap} does not answer. Start it, or set BATON_KAFKA to its address."
        ) from error
    finally:
        with suppress(KafkaError, OSError):
            await admin.close()
