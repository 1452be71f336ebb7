"""What is wrong in an agreement file is reported with its place, for people, programs and GitHub."""

import json
from pathlib import Path

import pytest

from services.cli.app import run

EXAMPLE = Path(__file__).parents[4] / "deploy" / "agreement.example.yaml"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    file = tmp_path / "broken.yaml"
    file.write_text(EXAMPLE.read_text().replace("currency: EUR\n", "currency: EUR\ncurency: EUR\n"))
    return file


def test_a_good_agreement_is_exit_code_0_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["agreement", "check", str(EXAMPLE)]) == 0
    assert "acme-inbound version 1, sha256:" in capsys.readouterr().out


def test_a_refused_one_is_exit_code_1_with_file_line_column_message_and_code(
    broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["agreement", "check", str(broken)]) == 1
    line, summary = capsys.readouterr().out.splitlines()
    assert summary == f"{broken}: refused, 1 error"
    place = broken.read_text().splitlines().index("curency: EUR") + 1
    assert line.startswith(f"{broken}:{place}:1: ")
    assert "did you mean `currency`?" in line
    assert line.endswith("]")


def test_an_approval_of_a_day_to_come_is_refused_in_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "agreement.yaml"
    written = EXAMPLE.read_text()
    signed = next(line for line in written.splitlines() if "sales:" in line and "on:" in line)
    file.write_text(written.replace(signed, "  sales: {name: Sal, on: 2099-01-01}"))
    assert run(["agreement", "check", str(file), "--format", "json"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["line"], finding["code"]) == (written.splitlines().index(signed) + 1, "not_yet")
    assert "Sal approves only on 2099-01-01" in finding["message"]


def test_programs_get_every_finding_as_json(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["agreement", "check", str(broken), "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["file"], document["ok"]) == (str(broken), False)
    (finding,) = document["findings"]
    assert finding["severity"] == "error"
    assert (finding["column"], finding["code"]) == (1, "unknown_key")


def test_a_good_one_is_json_without_findings(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["agreement", "check", str(EXAMPLE), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []


def test_github_gets_an_annotation_that_stays_on_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a,b.yaml"
    file.write_text("agreement: x\n")
    assert run(["agreement", "check", str(file), "--format", "github"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(line.startswith(f"::error file={tmp_path}/a%2Cb.yaml,line=") for line in lines)


def test_a_file_that_is_not_there_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["agreement", "check", str(tmp_path / "none.yaml")]) == 2
    assert "no such file" in capsys.readouterr().err


FULL = Path(__file__).parents[3] / "data" / "agreement_full.yaml"


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """An agreement that can take effect, with a pilot whose draft is odd."""
    file = tmp_path / "agreement.yaml"
    file.write_text(FULL.read_text())
    draft = FULL.with_name("draft.yaml").read_text()
    (tmp_path / "draft.yaml").write_text(
        draft.replace("calendars:\n", "calendars:\n  spare: {hours: {mon-sun: [00:00-24:00]}}\n")
    )
    return file


def test_warnings_are_counted(odd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["agreement", "check", str(odd)]) == 0
    *warnings, last = capsys.readouterr().out.splitlines()
    assert len(warnings) > 1
    assert last.endswith(f"can take effect, with {len(warnings)} warnings")
    assert run(["agreement", "check", str(odd), "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["errors"], document["warnings"]) == (0, len(warnings))


def test_what_channels_need_and_this_command_does_not_see_is_noted_apart(
    odd: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["agreement", "check", str(odd)]) == 0
    [note] = capsys.readouterr().err.splitlines()
    assert note.startswith(
        "note: the agreement notifies rep by e-mail, but no mail server is configured: set BATON_DEL"
    )
    monkeypatch.setenv("BATON_DELIVERY_MAIL_SERVER", "smtps://mail.example.com")
    assert run(["agreement", "check", str(odd)]) == 0
    assert capsys.readouterr().err == ""


def test_errors_are_counted(odd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd.write_text(odd.read_text().replace("version: 3\n", "version: three\n"))
    assert run(["agreement", "check", str(odd)]) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{odd}: refused, 1 error")


def test_a_warning_in_a_draft_names_the_place_in_the_draft(odd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draft = odd.with_name("draft.yaml")
    line = next(n for n, text in enumerate(draft.read_text().splitlines(), 1) if "spare:" in text)
    assert run(["agreement", "check", str(odd)]) == 0
    assert f"{draft}:{line}:3: warning: nothing uses `spare`" in capsys.readouterr().out
    assert run(["agreement", "check", str(odd), "--format", "github"]) == 0
    assert f"::warning file={draft},line={line},col=3,title=unused::" in capsys.readouterr().out
    assert run(["agreement", "check", str(odd), "--format", "json"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [finding["line"] for finding in findings if finding["file"] == str(draft)] == [line]
