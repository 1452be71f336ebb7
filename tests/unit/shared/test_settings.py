"""Settings are read once, checked, and a wrong one is named."""

from pathlib import Path

import pytest

from shared.domain.errors import Misconfigured
from shared.settings import Settings, read, refuse_unread, service_links


def test_every_field_comes_from_its_variable() -> None:
    settings = read(Settings, {"BATON_PORT": "9000", "BATON_DATA": "/srv/there", "BATON_KAFKA": "one:9092"})
    assert (settings.port, settings.data, settings.kafka) == (9000, Path("/srv/there"), "one:9092")


def test_a_secret_may_stand_in_a_file_and_never_shows(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hidden\n")
    settings = read(Settings, {"BATON_ADMIN_KEY_FILE": str(tmp_path / "key")})
    assert settings.admin_key is not None
    assert settings.admin_key.get_secret_value() == "hidden"
    assert "hidden" not in repr(settings)


def test_a_secret_file_that_is_missing_is_named() -> None:
    with pytest.raises(Misconfigured, match="BATON_ADMIN_KEY_FILE names /nowhere/key, which can't be read"):
        read(Settings, {"BATON_ADMIN_KEY_FILE": "/nowhere/key"})


def test_a_wrong_value_is_named_and_not_repeated() -> None:
    with pytest.raises(Misconfigured, match=r"BATON_PORT: .*integer") as refused:
        read(Settings, {"BATON_PORT": "s3cret"})
    assert "s3cret" not in str(refused.value)


def test_a_variable_that_nobody_reads_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(Misconfigured, match=r"BATON_PROT is set, but nothing reads it. Did you mean BATON_PORT\?"):
        refuse_unread({"BATON_PROT": "1"})


def test_variables_of_other_programs_and_of_services_elsewhere_are_left_alone() -> None:
    refuse_unread({"HOME": "/root", "BATON_ADMIN_KEY_FILE": "key", "BATON_PORT": "1"})


@pytest.mark.parametrize("service", ["BATON", "BATON_INGEST", "BATON_KAFKA", "BATON_SLA_MONITOR", "BATON_WEB_FRONT"])
def test_what_kubernetes_sets_for_a_service_called_baton_is_no_setting(service: str) -> None:
    links = {
        f"{service}_SERVICE_HOST": "10.0.0.1",
        f"{service}_SERVICE_PORT": "80",
        f"{service}_SERVICE_PORT_HTTP": "80",
        f"{service}_PORT": "tcp://10.0.0.1:80",
        f"{service}_PORT_80_TCP": "tcp://10.0.0.1:80",
        f"{service}_PORT_80_TCP_PROTO": "tcp",
        f"{service}_PORT_80_TCP_PORT": "80",
        f"{service}_PORT_80_TCP_ADDR": "10.0.0.1",
        f"{service}_PORT_53_UDP": "udp://[fd00::1]:53",
    }
    refuse_unread(links)
    assert read(Settings, links) == read(Settings, {})
    assert service_links({**links, "BATON_HOST": "127.0.0.1"}) == list(links)


def test_a_setting_that_only_looks_like_a_link_is_still_a_setting() -> None:
    assert read(Settings, {"BATON_PORT": "9000"}).port == 9000
    with pytest.raises(Misconfigured, match="BATON_PORT: "):
        read(Settings, {"BATON_PORT": "tcp://"})
    with pytest.raises(Misconfigured, match="BATON_INGESTS_PORT is set"):
        refuse_unread({"BATON_INGESTS_PORT": "80"})


@pytest.mark.parametrize(("host", "loopback"), [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False)])  # noqa: S104
def test_loopback_is_this_machine_only(host: str, loopback: bool) -> None:
    assert read(Settings, {"BATON_HOST": host}).loopback is loopback
