"""The offsets available in each partition, and the topic's id, which distinguishes a topic from one that was recreated
under the same name.

aiokafka asks for metadata without topic ids, so version 12 of that request is described here (Kafka 3.1 and later).
Wire format: https://kafka.apache.org/protocol, "Metadata API".
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import LeaderNotAvailableError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from shared.ports import Span, TopicPartition

_EARLIEST, _LATEST = -2, -1
_LEADERS_FOR_S = 5.0
_READ_UNCOMMITTED = 0
_TAGS = ("tags", TaggedFields)
_TEXT = CompactString("utf-8")


class _Uuid(AbstractType[UUID]):  # type: ignore[misc]
    @classmethod
    def encode(cls, value: UUID | None) -> bytes:
        return (value or UUID(int=0)).bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), _TAGS)),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", _TEXT),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        _TAGS,
                    ),
                ),
                ("authorized_operations", Int32),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _MetadataRequestV12(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", _TEXT), _TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_authorized_operations", Boolean),
        _TAGS,
    )


class _MetadataRequest(Request[_MetadataRequestV12]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataRequestV12]) -> _MetadataRequestV12:
        return request_struct_class([(None, name, {}) for name in self._topics], False, False, {})


async def spans(admin: AIOKafkaAdminClient, topic_partitions: Sequence[TopicPartition]) -> dict[TopicPartition, Span]:
    """What the cluster has of each of `topic_partitions`. Raises `KafkaError`, also where a topic or its leader is
    missing.
    """
    client = admin._client
    ids, leaders = await _metadata(client, topic_partitions)
    starts = await _offsets(client, topic_partitions, leaders, _EARLIEST)
    ends = await _offsets(client, topic_partitions, leaders, _LATEST)
    return {
        topic_partition: Span(starts[topic_partition], ends[topic_partition], ids[topic_partition[0]])
        for topic_partition in topic_partitions
    }


class Ends:
    """Asks for the ends alone, mostly in one request: who leads the partitions is asked again every few seconds, and
    after an error.
    """

    def __init__(self) -> None:
        self._leaders: dict[TopicPartition, int] = {}
        self._asked_s = 0.0

    async def ask(
        self, admin: AIOKafkaAdminClient, topic_partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """The end of each of `topic_partitions`. Raises as `spans`."""
        now_s = asyncio.get_running_loop().time()
        try:
            if now_s - self._asked_s > _LEADERS_FOR_S or not self._leaders.keys() >= set(topic_partitions):
                _, self._leaders = await _metadata(admin._client, topic_partitions)
                self._asked_s = now_s
            return await _offsets(admin._client, topic_partitions, self._leaders, _LATEST)
        except BaseException:
            self._leaders = {}
            raise


async def _metadata(
    client: Any, topic_partitions: Sequence[TopicPartition]
) -> tuple[dict[str, str], dict[TopicPartition, int]]:
    """The id of each topic, and the leader of each of its partitions."""
    metadata = await client.send(
        client.get_random_node(), _MetadataRequest(sorted({topic for topic, _ in topic_partitions}))
    )
    ids: dict[str, str] = {}
    leaders: dict[TopicPartition, int] = {}
    for topic in metadata.to_object()["topics"]:
        if topic["error_code"]:
            raise for_code(topic["error_code"])(topic["name"])
        ids[topic["name"]] = str(topic["topic_id"])
        leaders.update({(topic["name"], part["partition"]): part["leader"] for part in topic["partitions"]})
    return ids, leaders


async def _offsets(
    client: Any, topic_partitions: Sequence[TopicPartition], leaders: dict[TopicPartition, int], which: int
) -> dict[TopicPartition, int]:
    wanted: dict[int, dict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    for topic_partition in topic_partitions:
        leader = leaders.get(topic_partition)
        if leader is None:
            raise UnknownTopicOrPartitionError(topic_partition)
        if leader < 0:
            raise LeaderNotAvailableError(topic_partition)
        wanted[leader][topic_partition[0]].append((topic_partition[1], which))
    found: dict[TopicPartition, int] = {}
    for leader, topics in wanted.items():
        answer = await client.send(leader, OffsetRequest(-1, _READ_UNCOMMITTED, list(topics.items())))
        for name, partitions in answer.topics:
            for partition, error_code, _timestamp, offset in partitions:
                if error_code:
                    raise for_code(error_code)((name, partition))
                found[name, partition] = offset
    return found
