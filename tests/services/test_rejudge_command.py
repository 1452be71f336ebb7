"""`./baton re-judge` against a real router: it simulates, and applies only with a reason and a confirmation."""

import asyncio
from pathlib import Path

import pytest

from services.cli.app import run
from services.router.service import build as router
from shared.bus.embedded import EmbeddedBus
from shared.clock import SystemClock
from shared.db.engine import Database
from tests.kit.agreements import agreement_text
from tests.kit.tables import make_tables
from tests.services.router_kit import inquiry
from tests.services.scoreboard_kit import running


async def test_the_command_shows_what_would_change_and_applies_it_with_a_reason(
    embedded_bus: EmbeddedBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, clock = tmp_path / "agreement.yaml", SystemClock()
    file.write_text(agreement_text(score=60))
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/baton.db", clock)
    await make_tables(database)
    monkeypatch.setenv("BATON_ADMIN_KEY", "admin-key")
    async with running(database, embedded_bus, clock, serve=True, others=(router,), BATON_AGREEMENT=str(file)) as board:

        async def command(*words: str) -> tuple[int, str]:
            given = ["re-judge", *words, "--url", str(board.client.base_url)]
            code = await asyncio.to_thread(run, given)
            return code, capsys.readouterr().out

        await board.publish(inquiry(1))
        await board.timeline("ld_1", 2)
        code, shown = await command("--status", "rejected", "--from", "2026-01-01")
        assert (code, "rejected -> rejected: 1" in shown, "Nothing was changed." in shown) == (0, True, True)
        file.write_text(agreement_text(score=30).replace("version: 1", "version: 2"))
        async with asyncio.timeout(60):
            while "version 2" not in (await command())[1]:
                await asyncio.sleep(0.05)
        code, shown = await command("--reason", "too strict", "--by", "ann", "--yes")
        assert (code, "Applied." in shown, "  ld_1  rejected -> assigned ann" in shown) == (0, True, True)
        assert (await command("--status", "closed"))[0] == 2
    await database.close()
