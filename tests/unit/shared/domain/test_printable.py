"""No text from outside moves a cursor or turns our own words around, wherever it is shown."""

import io
import json
import re
import sys
from pathlib import Path

import pytest
import structlog

from services.cli.app import run
from services.cli.output import complain, show
from services.router.simulation import report
from shared import log
from shared.domain.printable import printable, printable_json

ROOT = Path(__file__).parents[4]
HOSTILE = "Jo\u202e\u2066\x1b[2J\x9b31m\x07\u2028\ud800\U000e0041\x7f\ufeff"


def test_what_is_shown_has_no_character_that_acts() -> None:
    shown = printable(HOSTILE)
    assert shown.startswith("Jo[U+202E][U+2066][U+001B][2J[U+009B]31m[U+0007]")
    assert re.fullmatch(r"[ -~]*", shown)


@pytest.mark.parametrize("name", ["José Müller", "שלום", "محمد", "李小龍", "👩‍💻", "O’Brien-Smith 2nd", "1\u202f234"])
def test_names_of_all_scripts_stay_as_they_are(name: str) -> None:
    assert printable(name) == name


def test_json_keeps_its_values_and_loses_the_characters() -> None:
    document = json.dumps({"name": HOSTILE, "plain": "é"}, ensure_ascii=False)
    safe = printable_json(document)
    assert json.loads(safe) == json.loads(document)
    assert re.fullmatch(r"[ -~é]*", safe)


def test_commands_write_nothing_raw(capsys: pytest.CaptureFixture[str]) -> None:
    show(f"{HOSTILE}\nnext")
    complain(HOSTILE)
    assert run(["agreement", "check", f"/nowhere/{HOSTILE.replace(chr(0xD800), '')}"]) != 0
    output = capsys.readouterr()
    assert re.fullmatch(r"[ -~\n]*", output.out + output.err)


def test_no_command_has_another_way_to_the_terminal() -> None:
    for file in (ROOT / "services" / "cli").rglob("*.py"):
        if file.name != "output.py":
            assert not re.search(r"\bprint\(|stdout\.write", file.read_text()), file


@pytest.mark.parametrize("plain", [True, False])
def test_log_lines_are_safe_at_a_terminal(monkeypatch: pytest.MonkeyPatch, plain: bool) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    before = structlog.get_config()
    try:
        log.configure(plain=plain)
        log.get("test").warning("odd", reason=HOSTILE.replace("\ud800", "") + "\nfaked line")
    finally:
        structlog.configure(**before)
    assert re.fullmatch(r"[ -~]*\n", written.getvalue())


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1", "|x", "%x"])
def test_no_cell_of_the_export_is_a_formula(cell: str) -> None:
    assert report._harmless(cell).startswith("'")
    assert report._harmless(cell + "\u202e").isprintable()
    assert report._harmless("Spring - sale = 5") == "Spring - sale = 5"
