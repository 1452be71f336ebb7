"""`./baton lead merge` and `./baton lead split` against a real router."""

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


async def test_two_leads_are_merged_and_split_again_and_an_error_says_what_to_do(
    embedded_bus: EmbeddedBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, clock = tmp_path / "agreement.yaml", SystemClock()
    file.write_text(agreement_text())
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/baton.db", clock)
    await make_tables(database)
    monkeypatch.setenv("BATON_ADMIN_KEY", "admin-key")
    async with running(database, embedded_bus, clock, serve=True, others=(router,), BATON_AGREEMENT=str(file)) as board:

        async def command(*words: str) -> tuple[int, str, str]:
            code = await asyncio.to_thread(run, ["lead", *words, "--url", str(board.client.base_url)])
            shown = capsys.readouterr()
            return code, shown.out.strip(), shown.err

        await board.publish(inquiry(1), inquiry(2))
        await board.timeline("ld_1", 2)
        await board.timeline("ld_2", 2)
        owners = {each: (await board.get(f"/v1/leads/{each}"))["owner"]["rep"] for each in ("ld_1", "ld_2")}
        merged = await command("merge", "ld_2", "ld_1", "--reason", "married", "--by", "ann")
        assert merged[:2] == (0, f"ld_1 is assigned to {owners['ld_1']}.")
        split = await command("split", "ld_2", "--reason", "two people", "--by", "ann")
        assert split[:2] == (0, f"ld_2 is assigned to {owners['ld_2']}.")
        code, _, error = await command("split", "ld_2", "--reason", "two people")
        assert (code, "nothing to split" in error) == (2, True)
        assert (await command("merge", "ld_2", "ld_1"))[0] == 2  # without a reason
    await database.close()
