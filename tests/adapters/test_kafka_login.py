"""A broker that asks for a login: the right one works; with another or none the start names what to correct."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.kafka import KafkaBroker
from shared.bus.kafka import Access, KafkaBus
from shared.domain.errors import Misconfigured, Unavailable
from shared.ports import Message
from shared.settings import Settings, read
from tests.adapters.test_kafka_bus import a_topic, started
from tests.adapters.test_kafka_bus import read as read_from
from tests.kit.services import from_start

PASSWORD = "the-password-of-the-tests"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    made = KafkaBroker(tmp_path / "kafka", profile="fast", password=PASSWORD)
    try:
        yield made.start()
    finally:
        made.kill()


def access(broker: KafkaBroker, **environ: str) -> Access:
    return Access.of(read(Settings, {"BATON_KAFKA": broker.bootstrap, **environ}))


@pytest.mark.kafka
async def test_services_log_in_to_kafka_with_the_password_of_a_file(tmp_path: Path, broker: KafkaBroker) -> None:
    topics = a_topic()
    name = next(iter(topics))
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    login = {"BATON_KAFKA_USERNAME": "baton", "BATON_KAFKA_PASSWORD_FILE": str(tmp_path / "password")}
    async with started(KafkaBus(access(broker, **login), topics)) as bus:
        await bus.publish([Message(name, "lead", b"kept", ())])
        member = await bus.subscribe(group="readers", topics=[name], positions=from_start)
        assert [record.value for record in await read_from(member, 1)] == [b"kept"]
    for environ in ({}, login | {"BATON_KAFKA_USERNAME": "mallory"}):
        bus = KafkaBus(access(broker, **environ), topics, start_within_s=2)
        with pytest.raises(Unavailable, match="correct BATON_KAFKA_USERNAME and BATON_KAFKA_PASSWORD"):
            await bus.start()
    assert PASSWORD not in repr(access(broker, **login))


def test_half_a_login_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="Set both BATON_KAFKA_USERNAME and BATON_KAFKA_PASSWORD"):
        Access.of(read(Settings, {"BATON_KAFKA": "kafka:9092", "BATON_KAFKA_USERNAME": "baton"}))
    missing = str(tmp_path / "none.pem")
    with pytest.raises(Misconfigured, match="BATON_KAFKA_CA names"):
        Access.of(read(Settings, {"BATON_KAFKA": "k:1", "BATON_KAFKA_TLS": "true", "BATON_KAFKA_CA": missing}))
