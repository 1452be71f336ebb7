"""The production layout as tests and tools use it: each part can be killed or paused alone, and all is well again."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.layout import Layout
from deploy.local.process import ComponentError
from tests.kit.layouts import ADMIN, KEY, environment, has_owner, post_lead
from tests.kit.servers import SharedPostgres, own_folder
from tests.kit.waiting import eventually

ROOT = Path(__file__).parents[2]

# A JVM and six services: side by side with another layout they only make each other late.
pytestmark = [pytest.mark.xdist_group("layouts"), pytest.mark.kafka, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def layout(postgres: SharedPostgres) -> Iterator[Layout]:
    """A running layout with a Kafka of its own, two routers, and the tests' PostgreSQL."""
    name = f"production_{os.getpid()}"
    url = postgres.create_database(name)
    with Layout(
        own_folder(),
        environ={"BATON_ADMIN_KEY": KEY},
        database_url=url,
        replicas={"router": 2},
        profile="fast",
    ) as running:
        yield running
    postgres.drop_database(name)


@pytest.fixture
def client(layout: Layout) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=layout.url, headers=ADMIN, timeout=10, trust_env=False) as client:
        yield client


def test_every_route_of_every_service_is_reached_through_the_reverse_proxy(layout: Layout) -> None:
    asked = 0
    with httpx.Client(timeout=10, trust_env=False) as nobody:
        for service in layout.services:
            paths = nobody.get(f"{service.url}/openapi.json").json()["paths"]
            for path, methods in paths.items():
                for method in methods:
                    address = path.replace("{", "").replace("}", "")
                    own = nobody.request(method, service.url + address)
                    # Without a key a service refuses what it knows and does not know the rest: nothing is done.
                    known = own.status_code not in (404, 405) or "source" in own.json()["detail"]
                    assert known, f"{service.name} {method} {path}"
                    assert nobody.request(method, layout.url + address).status_code == own.status_code, path
                    asked += 1
    assert asked > 10


def test_a_service_that_is_killed_comes_back_at_its_address_and_nothing_is_lost(
    layout: Layout, client: httpx.Client
) -> None:
    routers = [layout.service("router", number) for number in range(2)]
    before = [router.pid for router in routers]
    for router in routers:
        router.kill()
    post_lead(client, "killed@example.com")
    eventually(lambda: has_owner(client, "killed@example.com"))
    eventually(lambda: all(router.ready() for router in routers))
    assert not set(before) & {router.pid for router in routers}


def test_ingest_that_is_killed_keeps_what_it_confirmed(layout: Layout, client: httpx.Client) -> None:
    layout.parts["kafka"].stop()
    post_lead(client, "spooled@example.com")
    layout.service("ingest").kill()
    eventually(lambda: has_owner(client, "spooled@example.com"), within_s=120)


def test_a_paused_service_does_not_answer_and_is_left_as_it_is(layout: Layout) -> None:
    scoreboard = layout.service("scoreboard")
    eventually(scoreboard.ready)
    pid = scoreboard.pid
    scoreboard.pause()
    assert not scoreboard.ready()
    scoreboard.resume()
    eventually(scoreboard.ready)
    assert scoreboard.pid == pid


def test_the_doctor_finds_a_running_layout_well(layout: Layout) -> None:
    settings = {
        "BATON_ADMIN_KEY": KEY,
        "BATON_DATA": str(layout.folder),
        "BATON_KAFKA": layout.kafka,
        "BATON_DATABASE_URL": layout.database_url,
    }
    done = subprocess.run(
        [ROOT / "baton", "doctor"], cwd=ROOT, env=environment(**settings), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "answers, and all topics exist" in done.stdout
    assert "answers, with schema" in done.stdout
    assert done.stderr == ""


def test_an_ingest_instance_that_nobody_knows_is_not_declared_lost(layout: Layout) -> None:
    settings = {"BATON_ADMIN_KEY": KEY, "BATON_PUBLIC_URL": layout.url}
    done = subprocess.run(
        [ROOT / "baton", "declare-lost", "none"],
        env=environment(**settings),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "There is no running ingest instance" in done.stderr


def test_a_service_that_cannot_start_is_named_with_its_last_words_and_nothing_stays(
    layout: Layout, tmp_path: Path
) -> None:
    missing = tmp_path / "none.yaml"
    broken = Layout(
        tmp_path / "data",
        environ={"BATON_AGREEMENT": str(missing)},
        kafka=layout.kafka,
        database_url=layout.database_url,
        services=("ingest",),
    )
    with pytest.raises(ComponentError, match=rf"(?s)ingest: ended while it started.*{missing}: there is no such file"):
        broken.start()
    assert all(component.pid is None for component in broken.parts.values())


def test_keys_that_are_not_set_are_made_up_once_for_their_owner_only(layout: Layout, tmp_path: Path) -> None:
    made_up = []
    for _ in range(2):
        one = Layout(
            tmp_path / "data",
            kafka=layout.kafka,
            database_url=layout.database_url,
            services=("ingest",),
            restart=False,
        )
        with one:
            answer = httpx.post(
                f"{one.url}/v1/leads",
                headers={"Authorization": f"Bearer {(one.folder / 'admin.key').read_text().strip()}"},
                json={},
                trust_env=False,
            )
            assert answer.status_code == 422
            one.service("ingest").kill()
            made_up.append(one.made_up)
        assert one.service("ingest").pid is None
    assert set(made_up[0]) == {"ADMIN_KEY", "IDENTITY_KEY"}
    assert made_up[1] == {}
    for name in ("admin.key", "identity.key"):
        assert (tmp_path / "data" / name).stat().st_mode & 0o077 == 0
