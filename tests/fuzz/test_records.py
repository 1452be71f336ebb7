"""Whatever is written to the topics, every consumer goes on: what can't be handled is quarantined, the rest is done."""

from pathlib import Path

import pytest

from tests.fuzz.records import write_anything
from tests.fuzz.test_targets import QUICK


@pytest.mark.timeout(300)
async def test_every_consumer_goes_on_whatever_is_on_its_topics(tmp_path: Path) -> None:
    await write_anything(tmp_path, QUICK)
