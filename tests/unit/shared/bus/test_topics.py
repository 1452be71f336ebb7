"""The topics file becomes values, and what is wrong with it is reported with its place."""

from pathlib import Path

import pytest

from shared.bus.topics import read_topics
from shared.domain.errors import Misconfigured
from shared.domain.events import TOPICS

HEAD = "partitions: 12\nreplication_factor: 3\nmin_insync_replicas: 2\n"


def test_the_shipped_file_has_every_topic_that_events_name_with_one_partition_count() -> None:
    topics = read_topics()
    assert set(topics) == set(TOPICS)
    assert len({topic.partitions for topic in topics.values()}) == 1
    assert all(topic.retention_s >= 7 * 86_400 for topic in topics.values())


def test_a_topics_own_settings_win_over_those_for_all(tmp_path: Path) -> None:
    file = tmp_path / "topics.yaml"
    file.write_text(
        HEAD + "config: {retention.ms: 1000, unclean.leader.election.enable: false}\n"
        "topics:\n  - name: a\n  - {name: b, partitions: 3, config: {retention.ms: -1, max.message.bytes: 5000}}\n"
    )
    a, b = read_topics(file).values()
    assert (a.partitions, a.retention_s, a.config["unclean.leader.election.enable"]) == (12, 1.0, "false")
    assert (b.partitions, b.retention_s, b.max_bytes) == (3, float("inf"), 3976)
    assert (b.replication_factor, b.min_insync_replicas) == (3, 2)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "can't be read: No such file"),
        ("topics: [", "is not YAML"),
        (HEAD, "lacks 'topics'"),
        ("topics: [{name: a}]", "lacks 'partitions'"),
        (HEAD + "topics: [{}]", "lacks 'name'"),
        (HEAD + "topics: [{name: a, partitions: many}]", "is not a list of topics"),
        ("[]", "is not a list of topics"),
    ],
)
def test_a_wrong_file_is_refused_with_its_path_and_what_is_wrong(tmp_path: Path, text: str | None, why: str) -> None:
    file = tmp_path / "topics.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Misconfigured, match=why) as refused:
        read_topics(file)
    assert str(file) in str(refused.value)
