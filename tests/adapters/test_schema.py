"""Migrations make exactly the tables that the code uses, on both databases, once, and can be undone."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from shared.clock import SystemClock
from shared.db import schema
from shared.db.engine import Database
from shared.db.tables import metadata
from shared.domain.errors import Unavailable
from shared.domain.events import ActivityRecorded


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    url = f"sqlite+aiosqlite:///{tmp_path}/baton.db"
    if request.param == "postgres":
        url = request.getfixturevalue("fresh_database")
    database = Database(url, SystemClock())
    yield database
    await database.close()


async def test_migrations_make_what_the_stores_define(empty: Database) -> None:
    assert await schema.migrate(empty)

    def difference(connection: sa.Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))

    async with empty.begin() as tx:
        assert await tx.run_sync(difference) == []


async def test_migrating_again_changes_nothing_and_two_at_once_do_not_collide(empty: Database) -> None:
    at_once = await asyncio.gather(schema.migrate(empty), schema.migrate(empty))
    assert at_once.count(True) >= 1
    assert not await schema.migrate(empty)


async def test_a_service_on_an_empty_database_says_what_to_do(empty: Database) -> None:
    with pytest.raises(Unavailable, match=r"schema none, this Baton needs \d+: run './baton migrate'"):
        await schema.require_current(empty)


async def test_every_migration_can_be_undone(empty: Database) -> None:
    await schema.migrate(empty)

    def down(connection: sa.Connection) -> list[str]:
        config = Config()
        config.set_main_option("script_location", str(schema.MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        return sa.inspect(connection).get_table_names()

    async with empty.begin() as tx:
        assert await tx.run_sync(down) == ["alembic_version"]


async def test_the_monitor_knows_the_people_whose_leads_were_merged_before_it_did(empty: Database) -> None:
    await schema.migrate(empty)
    merged = {"link": ("lead", None), "other": ("lead", "inq_1"), "lead": (None, "inq_2")}

    def again(connection: sa.Connection) -> list[tuple[str, str, bool]]:
        config = Config()
        config.set_main_option("script_location", str(schema.MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "0008")
        at = datetime(2026, 11, 1, tzinfo=UTC)
        rows = [
            {"lead_id": lead_id, "merged_into": into, "inquiry_id": inquiry_id, "settled_at": at}
            for lead_id, (into, inquiry_id) in merged.items()
        ]
        connection.execute(sa.insert(metadata.tables["scoreboard_leads"]), rows)
        command.upgrade(config, "head")
        table = metadata.tables["sla_monitor_merged"]
        query = sa.select(table.c.lead_id, table.c.into, table.c.was_lead).order_by(table.c.lead_id)
        return [(row[0], row[1], row[2]) for row in connection.execute(query)]

    async with empty.begin() as tx:
        assert await tx.run_sync(again) == [("link", "lead", False), ("other", "lead", True)]


async def test_leads_that_a_pilot_decided_on_are_in_the_arm_of_its_draft(empty: Database) -> None:
    await schema.migrate(empty)
    at = datetime(2026, 11, 1, tzinfo=UTC)
    pilots = {"ld_1": 'the "trial"', "ld_2": None}

    def again(connection: sa.Connection) -> list[tuple[str, str | None]]:
        config = Config()
        config.set_main_option("script_location", str(schema.MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "0014")
        table = metadata.tables["router_leads"]
        ordinary = {"version": 1, "state": "assigned", "updated_at": at, "body": b"{}"}
        rows = [ordinary | {"lead_id": lead_id, "pilot": pilot} for lead_id, pilot in pilots.items()]
        connection.execute(sa.insert(table), rows)
        command.upgrade(config, "head")
        return [
            tuple(row) for row in connection.execute(sa.select(table.c.lead_id, table.c.pilot_arms).order_by("lead_id"))
        ]

    async with empty.begin() as tx:
        assert await tx.run_sync(again) == [("ld_1", r'[{"pilot":"the \"trial\"","arm":"draft"}]'), ("ld_2", None)]


async def test_activities_that_waited_before_orphans_were_counted_are_orphans(empty: Database) -> None:
    await schema.migrate(empty)
    at = datetime(2026, 11, 1, tzinfo=UTC)

    def again(connection: sa.Connection) -> list[tuple[object, ...]]:
        config = Config()
        config.set_main_option("script_location", str(schema.MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "0032")
        leads, timeline = metadata.tables["scoreboard_leads"], metadata.tables["scoreboard_timeline"]
        known = {"ld_lost": None, "ld_known": at}
        rows = [{"lead_id": lead_id, "received_at": received_at} for lead_id, received_at in known.items()]
        connection.execute(sa.insert(leads), rows)
        ordinary = {"rank": 1, "type": ActivityRecorded.TYPE, "data": b"{}"}
        entries = [
            ordinary | {"event_id": f"{lead_id}{n}", "lead_id": lead_id, "at": at + timedelta(hours=n)}
            for lead_id in known
            for n in range(3)
        ]
        connection.execute(sa.insert(timeline), entries)
        command.upgrade(config, "head")
        query = sa.select(leads.c.lead_id, leads.c.orphan_activities, leads.c.orphan_since).order_by("lead_id")
        count = sa.select(metadata.tables["scoreboard_counts"].c.value).filter_by(name="orphans")
        return [*(tuple(row) for row in connection.execute(query)), tuple(connection.execute(count).scalars())]

    async with empty.begin() as tx:
        assert await tx.run_sync(again) == [("ld_known", 0, None), ("ld_lost", 3, at), (1,)]


def test_every_service_with_state_has_its_tables_in_the_migrations() -> None:
    owners = {name.rpartition("_")[0] for name in metadata.tables if name.endswith("_positions")}
    assert owners == {"router", "sla_monitor", "delivery", "scoreboard"}
