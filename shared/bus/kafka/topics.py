"""Creates Baton's topics on the cluster with the partitions and settings of the topics file. Existing topics are
checked and never changed.
"""

from collections.abc import Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidReplicationFactorError,
    KafkaError,
    LeaderNotAvailableError,
    NoError,
    PolicyViolationError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from shared.bus.topics import Topic
from shared.domain.errors import Misconfigured, Unavailable


async def ensure_topics(admin: AIOKafkaAdminClient, topics: Mapping[str, Topic], copies: int | None) -> None:
    """Make the topics that are missing and check that every partition is served; `copies` overrides the file's.

    Raises `Misconfigured` where the cluster is at odds with the file or won't let us; `KafkaError` when it is not yet
    so far, or went away, and `Unavailable` while it has too few brokers: call again.
    """
    missing = await absent(admin, topics)
    if missing:
        answer = await admin.create_topics([_new(topics[name], copies) for name in missing])
        for name, code, message in answer.topic_errors:
            _refuse(topics[name], for_code(code), message, copies)
    if not _served(await _there(admin, topics), topics):
        raise LeaderNotAvailableError("the topics are not served yet")


async def absent(admin: AIOKafkaAdminClient, topics: Mapping[str, Topic]) -> list[str]:
    """The names of `topics` that the cluster lacks. Raises `Misconfigured` for one that it has otherwise."""
    there = await _there(admin, topics)
    return [name for name in topics if name not in there]


async def _there(admin: AIOKafkaAdminClient, topics: Mapping[str, Topic]) -> Mapping[str, list[Mapping[str, Any]]]:
    # All topics are listed, since asking for one by name can make it where the broker is set to do so.
    found = {each["topic"]: each["partitions"] for each in await admin.describe_topics()}
    for name in found.keys() & topics.keys():
        if len(found[name]) != topics[name].partitions:
            raise Misconfigured(
                f"the Kafka topic {name} has {len(found[name])} partitions, but {topics[name].partitions} are needed: "
                f"with another number, leads change partitions and lose their order. Recreate the topic with "
                f"{topics[name].partitions}, or give Baton a cluster of its own."
            )
    return found


def _served(found: Mapping[str, list[Mapping[str, Any]]], topics: Mapping[str, Topic]) -> bool:
    return all(name in found and all(part["leader"] >= 0 for part in found[name]) for name in topics)


def _new(topic: Topic, copies: int | None) -> NewTopic:
    number = copies or topic.replication_factor
    config = {**topic.config, "min.insync.replicas": str(min(topic.min_insync_replicas, number))}
    return NewTopic(topic.name, topic.partitions, number, topic_configs=config)


def _refuse(topic: Topic, error: type[KafkaError], message: str | None, copies: int | None) -> None:
    if error in (NoError, TopicAlreadyExistsError):
        return
    if error is InvalidReplicationFactorError:
        raise Unavailable(
            f"Kafka can't store {copies or topic.replication_factor} copies of the topic {topic.name} ({message}). "
            f"Start the other brokers, or set BATON_KAFKA_REPLICATION to how many there are (1 for a single one)."
        )
    if error in (TopicAuthorizationFailedError, ClusterAuthorizationFailedError, PolicyViolationError):
        raise Misconfigured(
            f"Kafka does not allow Baton to create the topic {topic.name} ({message or error.__name__}). "
            f"Create it yourself with {topic.partitions} partitions, or grant this user the right."
        )
    raise error(f"making the topic {topic.name}: {message}")
