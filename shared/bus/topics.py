"""The topics that Baton needs, read from `deploy/kafka/topics.yaml`: the same partitions and retention on either log,
so that a deployment can move from the embedded log to Kafka without changes to services.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from shared.domain.errors import Misconfigured

TOPICS_FILE = Path(__file__).parents[2] / "deploy" / "kafka" / "topics.yaml"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic to create. `config` uses Kafka's names and values."""

    name: str
    partitions: int
    replication_factor: int
    min_insync_replicas: int
    config: Mapping[str, str]

    @property
    def retention_s(self) -> float:
        """The minimum retention of a record in seconds; infinite if records are never deleted."""
        retention_ms = int(self.config.get("retention.ms", "-1"))
        return retention_ms / 1000 if retention_ms >= 0 else float("inf")

    @property
    def max_bytes(self) -> int:
        """The maximum size of a record with key and headers, leaving room for Kafka's framing."""
        return int(self.config.get("max.message.bytes", "1048588")) - 1024


def read_topics(file: Path = TOPICS_FILE) -> Mapping[str, Topic]:
    """All topics by name. Raises `Misconfigured` with the place in the file."""
    try:
        whole = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
        topics = {topic.name: topic for topic in (_topic(whole, each) for each in whole["topics"])}
    except OSError as error:
        raise Misconfigured(f"the topics file {file} can't be read: {error.strerror}") from error
    except YAMLError as error:
        raise Misconfigured(f"the topics file {file} is not YAML: {error}") from error
    except KeyError as error:
        raise Misconfigured(f"the topics file {file} lacks {error.args[0]!r}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise Misconfigured(f"the topics file {file} is not a list of topics: {error}") from error
    return MappingProxyType(topics)


def _topic(whole: Mapping[str, Any], own: Mapping[str, Any]) -> Topic:
    config = {**whole.get("config", {}), **own.get("config", {})}
    return Topic(
        name=own["name"],
        partitions=int(own.get("partitions", whole["partitions"])),
        replication_factor=int(whole["replication_factor"]),
        min_insync_replicas=int(whole["min_insync_replicas"]),
        config=MappingProxyType({name: _in_kafkas_words(value) for name, value in config.items()}),
    )


def _in_kafkas_words(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
