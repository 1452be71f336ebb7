"""The command line for operators: help at once, two plain lines for an error, the exit code that a script expects."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.app import run

ROOT = Path(__file__).parents[4]
SLOW_TO_LOAD = {"sqlalchemy", "fastapi", "httpx", "aiokafka", "holidays", "rich", "uvicorn"}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BATON_")]:
        monkeypatch.delenv(name)


def test_help_takes_less_than_a_second() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    shown = subprocess.run([ROOT / "baton", "--help"], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < 1
    for command in ("up", "migrate", "doctor", "agreement", "keys", "declare-lost"):
        assert f"\n  {command} " in shown.stdout


def test_help_loads_nothing_that_only_a_command_needs() -> None:
    program = "import sys, services.cli.app as cli; cli.run(['-h']); print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not SLOW_TO_LOAD & set(shown.stdout.split())


def test_the_launcher_works_from_any_folder_and_through_a_link(tmp_path: Path) -> None:
    link = tmp_path / "baton"
    link.symlink_to(ROOT / "baton")
    shown = subprocess.run([link, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("baton 0.")


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["agreement", "check"], ["keys", "create", "--name", "x"], ["up", "-x"]]
)
def test_a_command_line_that_does_not_parse_is_exit_code_2_with_a_hint(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "-h" in output.err


def test_an_error_is_two_lines_what_is_wrong_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["migrate"]) == 2
    what, to_do = capsys.readouterr().err.splitlines()
    assert what == "baton: BATON_DATABASE_URL is not set."
    assert to_do.startswith("  Set it to the database")


def test_a_database_that_does_not_answer_is_reported_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BATON_DATABASE_URL", "postgresql+asyncpg://baton:very-secret@127.0.0.1:1/baton")
    assert run(["migrate"]) == 2
    output = capsys.readouterr()
    assert "the database does not answer" in output.err
    assert "is BATON_DATABASE_URL right?" in output.err
    assert "very-secret" not in output.out + output.err


def test_what_nobody_foresaw_shows_no_traceback_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BATON_DATABASE_URL", "postgresql+asyncpg://baton:very-secret@127.0.0.1:no-port/baton")
    assert run(["migrate"]) == 2
    output = capsys.readouterr().err
    assert "Traceback" not in output
    assert "very-secret" not in output
    assert "BATON_LOG_LEVEL=DEBUG" in output


def test_migrate_makes_the_schema_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BATON_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/baton.db")
    assert run(["migrate"]) == 0
    assert capsys.readouterr().out.startswith("The database is now at schema 0")
    assert run(["migrate"]) == 0
    assert capsys.readouterr().out.startswith("Nothing to do")


def test_an_instance_is_declared_lost_only_with_the_administrators_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["declare-lost", "ingest-1"]) == 2
    assert "BATON_ADMIN_KEY is not set" in capsys.readouterr().err


def test_declaring_an_instance_lost_says_where_nobody_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BATON_ADMIN_KEY", "very-secret")
    assert run(["declare-lost", "ingest-1", "--url", "http://127.0.0.1:1/"]) == 2
    output = capsys.readouterr().err
    assert "does not answer at http://127.0.0.1:1 " in output
    assert "very-secret" not in output
