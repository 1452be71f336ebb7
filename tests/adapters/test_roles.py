"""Services get a database role that reads and writes rows and nothing else; migrations are another role's."""

import asyncio
import secrets
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from deploy.local.postgres import as_role, separate_roles
from shared.clock import SystemClock
from shared.db import schema
from shared.db.engine import Database
from tests.kit.servers import SharedPostgres

FORBIDDEN = (
    "CREATE TABLE mine (a int)",
    "CREATE TEMP TABLE mine (a int)",
    "CREATE SCHEMA mine",
    "CREATE ROLE mine SUPERUSER",
    "ALTER ROLE baton_services SUPERUSER",
    "CREATE DATABASE mine",
    "CREATE EXTENSION pg_trgm",
    "DROP TABLE router_leads",
    "TRUNCATE router_leads",
    "ALTER TABLE router_leads ADD mine int",
    "CREATE INDEX mine ON router_leads (lead_id)",
    "COPY router_leads TO PROGRAM 'cat'",
    "SELECT pg_read_file('/etc/passwd')",
    "SET ROLE baton_owner",
)
INSUFFICIENT_PRIVILEGE = "42501"
# Roles belong to the whole server, which other workers use too.
OWNER, SERVICES = "owner-of-the-tests", "services-of-the-tests"


@pytest.fixture
def url(postgres: SharedPostgres) -> Iterator[str]:
    name = f"roles_{secrets.token_hex(4)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


async def migrate(url: str) -> bool:
    database = Database(url, SystemClock(), pool_size=2)
    try:
        return await schema.migrate(database)
    finally:
        await database.close()


async def refusals(url: str) -> list[str]:
    """The statements that the role of `url` may not run."""
    database = Database(url, SystemClock(), pool_size=2)
    refused = []
    try:
        connection = await database.dedicated()
        for statement in FORBIDDEN:
            try:
                await connection.execute(sa.text(statement))
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", "") == INSUFFICIENT_PRIVILEGE:
                    refused.append(statement)
        await connection.close()
        async with database.begin() as tx:
            await tx.execute(sa.text("UPDATE router_leads SET lead_id = lead_id"))
            await tx.execute(sa.text("DELETE FROM router_leads"))
            await tx.execute(sa.text("SELECT pg_advisory_xact_lock(1)"))
            role = sa.text(
                "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls "
                "FROM pg_roles WHERE rolname = current_user"
            )
            assert (await tx.execute(role)).scalar_one() is False
    finally:
        await database.close()
    return refused


@pytest.mark.xdist_group("roles")
@pytest.mark.parametrize("existing", [False, True], ids=["new", "made by a superuser before"])
def test_the_services_role_changes_rows_and_nothing_else(url: str, existing: bool) -> None:
    if existing:
        assert asyncio.run(migrate(url))
    for _ in range(2):  # a second start changes nothing
        separate_roles(url, owner_password=OWNER, services_password=SERVICES)
    assert asyncio.run(migrate(as_role(url, "baton_owner", OWNER))) is not existing
    assert tuple(asyncio.run(refusals(as_role(url, "baton_services", SERVICES)))) == FORBIDDEN
