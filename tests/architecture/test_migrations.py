"""The migrations are one chain, so that every database has one next step."""

import re

from tests.architecture.tree import ROOT

_NUMBERS = re.compile(r"^(revision|down_revision)\b[^=]*= '?(\w+)'?", re.MULTILINE)


def test_the_migrations_are_one_chain() -> None:
    files = sorted((ROOT / "deploy" / "migrations" / "versions").glob("[0-9]*.py"))
    found = [dict(_NUMBERS.findall(file.read_text())) for file in files]
    assert [each["revision"] for each in found] == [file.name.partition("_")[0] for file in files]
    follows = [each["down_revision"] for each in found]
    before = ["None", *(each["revision"] for each in found[:-1])]
    assert follows == before, "a migration follows the one with the number before, since schemas compare by number"
