"""The container files are valid, hold no secret, start only what exists, and set only what is read. No image is built
here: that needs a docker daemon.
"""

import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.ports import free_ports
from services.cli.doctor import settings_models
from shared.settings import SERVICES, Settings, read, refuse_unread

pytestmark = pytest.mark.xdist_group("compose")  # they share what takes seconds to start

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: container for name, container in CONTAINERS.items() if container["image"] == "baton"}
SECRETS = {
    name: f"{name}-0123456789abcdef"
    for name in (
        "BATON_ADMIN_KEY",
        "BATON_IDENTITY_KEY",
        "KAFKA_PASSWORD",
        "POSTGRES_OWNER_PASSWORD",
        "POSTGRES_PASSWORD",
        "POSTGRES_SERVICES_PASSWORD",
    )
}
ONCE = ("roles", "migrate")
PLACEHOLDER = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")


def program(name: str) -> str:
    found = shutil.which(name, path=sysconfig.get_path("scripts"))
    assert found, f"{name} is not installed"
    return found


def filled(text: object, environ: dict[str, str]) -> str:
    """A value as compose would fill it in; what it must refuse raises KeyError with compose's message."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        if environ.get(name):
            return environ[name]
        if kind == "?":
            raise KeyError(rest)
        return rest or ""

    return PLACEHOLDER.sub(value, str(text))


def settings_of(container: dict[str, Any], environ: dict[str, str] = SECRETS) -> dict[str, str]:
    return {name: filled(value, environ) for name, value in container.get("environment", {}).items()}


def has_compose() -> bool:
    try:
        return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def test_the_compose_file_is_what_the_specification_says() -> None:
    command = [program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "version" not in COMPOSE


def test_compose_itself_reads_the_file_and_refuses_to_start_without_secrets(tmp_path: Path) -> None:
    """Where the client has compose, it is asked; elsewhere the messages are at least there to be shown."""
    messages = [
        rest for name, kind, rest in PLACEHOLDER.findall((ROOT / "docker-compose.yml").read_text()) if name in SECRETS
    ]
    assert all(
        rest == "there are no secrets yet, make them once with sh deploy/compose/secrets.sh" for rest in messages
    )
    assert len(messages) >= len(SECRETS)
    if has_compose():
        command = ["docker", "compose", "--env-file", "/dev/null", "config", "--quiet"]
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        without = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        assert without.returncode != 0
        assert "deploy/compose/secrets.sh" in without.stderr
        subprocess.run(command, cwd=ROOT, env={**environ, **SECRETS}, check=True)


@pytest.mark.parametrize("missing", SECRETS)
def test_no_container_that_needs_a_secret_starts_without_it(missing: str) -> None:
    rest = {name: value for name, value in SECRETS.items() if name != missing}
    with pytest.raises(KeyError, match=r"secrets\.sh"):
        [settings_of(container, rest) for container in CONTAINERS.values()]


def test_there_is_one_container_for_each_service_and_its_module_can_be_run() -> None:
    assert set(SERVICES) | {"migrate"} == set(OURS)
    for name in SERVICES:
        assert OURS[name]["command"] == [f"services.{name}"]
        assert (ROOT / "services" / name / "__main__.py").is_file()
    assert OURS["migrate"]["command"] == ["services.cli", "migrate"]


@pytest.mark.parametrize("name", OURS)
def test_a_container_sets_only_what_its_service_reads(name: str) -> None:
    environ = settings_of(OURS[name])
    settings_models()
    refuse_unread(environ)
    assert read(Settings, environ).data == Path("/data") or name == "migrate"


def test_services_are_open_to_other_containers_and_so_ask_for_keys() -> None:
    for name in SERVICES:
        settings = read(Settings, settings_of(OURS[name]))
        assert (settings.host, settings.port, settings.loopback) == ("0.0.0.0", 8080, False)  # noqa: S104
        assert settings.admin_key is not None
        assert not settings.allow_loopback_endpoints


def test_only_those_that_need_it_get_the_database_and_only_ingest_the_identity_key() -> None:
    with_database = {name for name, one in OURS.items() if "BATON_DATABASE_URL" in one["environment"]}
    assert with_database == set(OURS) - {"ingest"}
    assert {name for name, one in OURS.items() if "BATON_IDENTITY_KEY" in one["environment"]} == {"ingest"}


def test_containers_cannot_gain_rights_and_ours_cannot_write_outside_their_volume() -> None:
    for name, container in CONTAINERS.items():
        assert container["cap_drop"] == ["ALL"], name
        assert container["security_opt"] == ["no-new-privileges:true"], name
    # The image of Kafka writes its settings at each start.
    for name in CONTAINERS.keys() - {"kafka"}:
        assert CONTAINERS[name]["read_only"] is True, name
        assert "/tmp" in CONTAINERS[name]["tmpfs"], name  # noqa: S108
    assert all("cap_add" not in container for container in OURS.values())


def test_each_container_has_bounds_of_memory_and_processes() -> None:
    for name, container in CONTAINERS.items():
        assert container["mem_limit"] in ("256m", "1g", "2g"), name
        assert 0 < container["pids_limit"] <= 1024, name


def test_containers_meet_only_those_that_they_need() -> None:
    networks = {name: set(container["networks"]) for name, container in CONTAINERS.items()}
    internal = {name for name, network in COMPOSE["networks"].items() if (network or {}).get("internal")}
    assert internal == {"inside", "log", "store"}
    assert {name for name, joined in networks.items() if joined - internal} == {"front", "delivery", "kafka"}
    assert {name for name, joined in networks.items() if "readers" in joined} == {"kafka"}
    assert networks["front"].isdisjoint(networks["postgres"] | networks["kafka"])
    assert networks["ingest"].isdisjoint(networks["postgres"])
    for name, container in CONTAINERS.items():
        assert all(networks[name] & networks[other] for other in container.get("depends_on", {})), name


def test_services_log_in_to_the_broker_and_to_the_database_with_rights_for_rows_only() -> None:
    broker = settings_of(CONTAINERS["kafka"])
    pairs = broker["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    for pair, listener in zip(pairs, broker["KAFKA_LISTENERS"].split(","), strict=True):
        assert pair.endswith(":SASL_PLAINTEXT") or "127.0.0.1" in listener, listener
    for name in SERVICES:
        environ = settings_of(OURS[name])
        assert environ["BATON_KAFKA_PASSWORD"] == SECRETS["KAFKA_PASSWORD"]
        assert "baton_services:" in environ.get("BATON_DATABASE_URL", "baton_services:")
    for listener in ("PLAINTEXT", "HOST"):
        login = broker[f"KAFKA_LISTENER_NAME_{listener}_PLAIN_SASL_JAAS_CONFIG"]
        assert f'user_baton="{SECRETS["KAFKA_PASSWORD"]}";' in login
    assert "baton_owner:" in settings_of(OURS["migrate"])["BATON_DATABASE_URL"]
    assert settings_of(CONTAINERS["roles"])["SERVICES_PASSWORD"] == SECRETS["POSTGRES_SERVICES_PASSWORD"]


def test_nothing_is_published_beyond_this_machine() -> None:
    ports = {name: container["ports"] for name, container in CONTAINERS.items() if "ports" in container}
    assert set(ports) == {"front", "kafka"}
    assert all(port.startswith("127.0.0.1:") for listed in ports.values() for port in listed)


def test_accepted_leads_are_on_a_volume_that_outlives_the_container() -> None:
    mounts = dict(volume.split(":")[1::-1] for volume in OURS["ingest"]["volumes"] if "$" not in volume)
    assert mounts[settings_of(OURS["ingest"])["BATON_DATA"]] == "spool"
    assert {"kafka", "postgres", "spool"} <= set(COMPOSE["volumes"])
    # A volume at the old place, .../data, is refused by the images of PostgreSQL 18 and later.
    assert CONTAINERS["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]


def test_what_is_mounted_is_there() -> None:
    for container in CONTAINERS.values():
        for volume in container.get("volumes", ()):
            source = filled(volume, {}).split(":")[0]
            assert not source.startswith(".") or (ROOT / source).is_file(), volume


def test_each_container_waits_for_what_it_needs_until_that_reports_itself_healthy() -> None:
    for container in CONTAINERS.values():
        for other, how in container.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert CONTAINERS[other]["healthcheck"]["test"][0] == "CMD"
            else:
                assert (other in ONCE, how["condition"]) == (True, "service_completed_successfully")
    assert all(
        not container["healthcheck"].get("disable") for name, container in CONTAINERS.items() if name not in ONCE
    )


def test_the_broker_is_set_up_as_the_one_without_containers() -> None:
    lines = (ROOT / "deploy" / "kafka" / "server.properties").read_text().splitlines()
    pairs = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    theirs = settings_of(CONTAINERS["kafka"])
    for name, value in pairs.items():
        variable = f"KAFKA_{name.upper().replace('.', '_')}"
        assert variable in theirs, name
        if "127.0.0.1" not in value and "$" not in value and "PLAINTEXT" not in value:
            assert theirs[variable] == value, name


def test_the_database_keeps_personal_data_out_of_its_log() -> None:
    assert {"log_min_error_statement=panic", "log_error_verbosity=terse"} <= set(CONTAINERS["postgres"]["command"])


def test_the_reverse_proxy_is_set_up_validly_and_leads_to_containers_that_exist() -> None:
    caddyfile = ROOT / "deploy" / "Caddyfile"
    command = [program("caddy"), "validate", "--config", str(caddyfile), "--adapter", "caddyfile"]
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **settings_of(CONTAINERS["front"])}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    named = set(re.findall(r"\{\$FRONT_\w+:([a-z_]+):8080\}", caddyfile.read_text()))
    assert named == set(SERVICES)
    assert CONTAINERS["front"]["image"].startswith(f"caddy:{caddy_version()}")


def caddy_version() -> str:
    shown = subprocess.run([program("caddy"), "version"], capture_output=True, text=True, check=True).stdout
    return shown.split()[0].removeprefix("v")


def test_the_dockerfile_has_nothing_to_complain_of() -> None:
    done = subprocess.run(
        [program("hadolint"), ROOT / "deploy" / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_a_numbered_user_and_ends_when_asked() -> None:
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", DOCKERFILE, re.MULTILINE)
    assert "STOPSIGNAL SIGTERM" in DOCKERFILE
    assert "--require-hashes" in DOCKERFILE
    # The build tools of the first stage, if it ever has any, stay there.
    assert DOCKERFILE.count("FROM python:3.11-slim") == 2
    assert "apt-get" not in DOCKERFILE


def test_the_image_and_compose_ask_the_same_health_question() -> None:
    asked = yaml.safe_load(re.findall(r"HEALTHCHECK[^[]*CMD (\[.*\])", DOCKERFILE)[0])
    for name in SERVICES:
        assert OURS[name]["healthcheck"]["test"] == ["CMD", *asked]


@pytest.fixture
def healthy() -> Iterator[ThreadingHTTPServer]:
    class Healthz(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthz" else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Healthz) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def probed(port: int) -> int:
    # A proxy that docker sets for builds and containers must not be asked about this machine.
    environ = {"PATH": os.environ["PATH"], "BATON_PORT": str(port), "http_proxy": "http://127.0.0.1:1"}
    return subprocess.run([sys.executable, "-m", "deploy.probe"], cwd=ROOT, env=environ, check=False).returncode


def test_the_health_question_is_answered_by_a_service_that_lives_and_by_no_other(healthy: ThreadingHTTPServer) -> None:
    assert probed(healthy.server_port) == 0
    assert probed(free_ports(1)[0]) == 1


def copied_into_the_image() -> list[str]:
    copies = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    return [name for line in copies for name in line.split()]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder /app as it would be in the image: what the Dockerfile copies of what .dockerignore lets through."""
    app = tmp_path_factory.mktemp("app")
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert rules[0] == "*"
    left_out = {ROOT / rule for rule in rules if rule[0] not in "!*"}

    def ignored(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if name == "__pycache__" or Path(folder, name) in left_out]

    for name in copied_into_the_image():
        assert f"!{name}" in rules, f"{name} does not reach the builder"
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, app / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, app / name)
    return app


def in_image(image: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    env = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **environ}
    return subprocess.run(command, cwd=image, env=env, capture_output=True, text=True, check=False)


def test_the_image_holds_all_that_the_services_need(image: Path, tmp_path: Path) -> None:
    assert (image / "services").is_dir()
    assert not (image / "tests").exists()
    assert not (image / "deploy" / "parts").exists()
    url = f"sqlite+aiosqlite:///{tmp_path}/baton.db"
    migrated = in_image(image, "-m", "services.cli", "migrate", BATON_DATABASE_URL=url)
    assert (migrated.returncode, migrated.stderr) == (0, "")
    names = ", ".join(f"services.{name}.service" for name in [*SERVICES])
    loads = f"import {names}, shared.bus.kafka; from shared.bus.topics import read_topics; assert read_topics()"
    assert in_image(image, "-c", loads).stderr == ""
    checked = in_image(image, "-m", "services.cli", "agreement", "check", str(read(Settings, {}).agreement))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_lock_that_the_image_installs_has_a_hash_for_every_package() -> None:
    lines = (ROOT / "requirements.lock").read_text()
    packages = re.findall(r"^(\S+)==\S+ \\\n    --hash=sha256:", lines, re.MULTILINE)
    assert len(packages) == len(re.findall(r"^\S+==", lines, re.MULTILINE)) > 20


def test_secrets_are_made_once_for_their_owner_only(tmp_path: Path) -> None:
    script = ROOT / "deploy" / "compose" / "secrets.sh"
    made = subprocess.run(["sh", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    file = tmp_path / ".env"
    first = file.read_text()
    values = dict(line.split("=", 1) for line in first.splitlines() if not line.startswith("#"))
    assert set(values) == set(SECRETS)
    assert all(len(value) >= 64 for value in values.values())
    assert len(set(values.values())) == len(SECRETS)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not any(value in made.stdout + made.stderr for value in values.values())
    again = subprocess.run(["sh", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "was not touched" in again.stdout
    assert file.read_text() == first
    file.write_text("BATON_IDENTITY_KEY=kept\n# mine\n")
    subprocess.run(["sh", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert file.read_text().startswith("BATON_IDENTITY_KEY=kept\n# mine\n")
    assert {line.partition("=")[0] for line in file.read_text().splitlines()} == {*SECRETS, "# mine"}
    assert os.listdir(tmp_path) == [".env"]


def test_secrets_reach_neither_the_builder_nor_the_repository() -> None:
    assert {".env", "sources.env"} <= set((ROOT / ".gitignore").read_text().splitlines())
    assert not any("env" in rule for rule in (ROOT / ".dockerignore").read_text().splitlines() if rule[:1] == "!")
