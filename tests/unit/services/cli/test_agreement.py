"""What is wrong in an agreement file is told with its place, for people, programs and GitHub."""

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
    (line,) = capsys.readouterr().out.splitlines()
    place = broken.read_text().splitlines().index("curency: EUR") + 1
    assert line.startswith(f"{broken}:{place}:1: ")
    assert "did you mean `currency`?" in line
    assert line.endswith("]")


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
