"""A change of the agreement as the guide describes it: every command is run, in its order, and does what it says."""

import re
import shlex
from pathlib import Path

import pytest

from services.cli.app import run
from tests.kit.agreements import agreement_text

ROOT = Path(__file__).parents[4]
GUIDE = (ROOT / "docs" / "agreement-changes.md").read_text()
COMMANDS = [
    line for block in re.findall(r"```bash\n(.*?)```", GUIDE, re.DOTALL) for line in block.strip().splitlines() if line
]
DIFFERENT = 1
"""What `diff` exits with when the files don't say the same."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The agreement in use and a proposal, as the guide has them."""
    text = agreement_text()
    (tmp_path / "agreement.yaml").write_text(text)
    text = text.replace("{ann: 2, bob: 1}", "{ann: 2, bob: 2}").replace("within: 15 minutes", "within: 10 minutes")
    (tmp_path / "draft.yaml").write_text(text.replace("version: 1\n", "version:   2\n"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_of_the_guide_does_what_the_guide_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = {}
    for command in COMMANDS:
        line, _, target = command.partition(" > ")
        program, *words = shlex.split(line)
        assert program == "./baton", command
        code = run(words)
        output[command], complaints = capsys.readouterr()
        assert code == (DIFFERENT if words[1] == "diff" else 0), complaints
        if target:
            (folder / target).write_text(output[command])
    assert {command.split()[2] for command in COMMANDS} == {"fmt", "check", "diff", "explain"}
    assert (folder / "draft.html").read_text().startswith("<!doctype html>")
    [shown] = re.findall(r"```\n(Pools\n.*?)```", GUIDE, re.DOTALL)
    lines = output["./baton agreement diff agreement.yaml draft.yaml"].splitlines()
    assert [line for line in shown.splitlines() if line not in lines] == []
