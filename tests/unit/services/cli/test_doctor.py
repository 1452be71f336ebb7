"""The doctor finds what would stop Baton from starting, says how to mend it, changes nothing and shows no secret."""

import json
import re
from pathlib import Path

import pytest

from services.cli.app import run
from services.cli.doctor import Diagnosis, examine, healthy, render, settings_models

EXAMPLE = Path(__file__).parents[4] / "deploy" / "agreement.example.yaml"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "BATON_DATA": str(tmp_path / "data"),
        "BATON_AGREEMENT": str(EXAMPLE),
        "BATON_ADMIN_KEY": "bk_0123456789abcdef0123456789abcdef",
    }


def found(environ: dict[str, str], check: str) -> Diagnosis:
    (finding,) = [finding for finding in examine(environ) if finding.check == check]
    return finding


def test_a_good_setup_is_well_and_stays_untouched(environ: dict[str, str], tmp_path: Path) -> None:
    findings = examine(environ)
    assert [finding.check for finding in findings] == [
        "settings",
        "keys",
        "agreement",
        "data folder",
        "database",
        "kafka",
    ]
    assert {finding.state for finding in findings} == {"ok"}
    assert list(tmp_path.iterdir()) == []


def test_a_setting_that_nobody_reads_fails_with_the_nearest_name(environ: dict[str, str]) -> None:
    (finding,) = examine({**environ, "BATON_AGREMENT": "x"})
    assert (finding.check, finding.state) == ("settings", "fail")
    assert "BATON_AGREEMENT?" in finding.detail


def test_a_wrong_setting_of_one_service_fails_too(environ: dict[str, str]) -> None:
    (finding,) = examine({**environ, "BATON_DELIVERY_IN_FLIGHT": "many"})
    assert "BATON_DELIVERY_IN_FLIGHT" in finding.detail


def test_the_settings_of_every_service_are_known() -> None:
    prefixes = [model.PREFIX for model in settings_models()]
    assert prefixes[0] == "BATON_"
    assert {"BATON_INGEST_", "BATON_DELIVERY_"} <= set(prefixes)


def test_a_refused_agreement_fails_and_names_the_command_that_lists_all_findings(
    environ: dict[str, str], tmp_path: Path
) -> None:
    wrong = tmp_path / "agreement.yaml"
    wrong.write_text("agreement: x\n")
    finding = found({**environ, "BATON_AGREEMENT": str(wrong)}, "agreement")
    assert finding.state == "fail"
    assert finding.fix == f"Run './baton agreement check {wrong}'."


def test_what_channels_need_and_is_not_here_is_a_warning_with_what_to_do(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "agreement.yaml"
    phones = "channels:\n  manager: {email: {}}\n  ops: {apprise: {url_from: env:SMS}}\n"
    file.write_text(re.sub(r"(?ms)^channels:\n(?:[ #].*?\n|\n)*", "", EXAMPLE.read_text()) + phones)
    given = {**environ, "BATON_AGREEMENT": str(file)}
    monkeypatch.setattr("services.cli.doctor.installed", lambda: False)
    mail, apprise = [finding for finding in examine(given) if finding.check == "channels"]
    assert (mail.state, mail.detail) == (
        "warn",
        "the agreement notifies manager by e-mail, but no mail server is configured",
    )
    assert mail.fix == "Set BATON_DELIVERY_MAIL_SERVER and BATON_DELIVERY_MAIL_FROM where delivery runs."
    assert (apprise.state, apprise.detail) == (
        "warn",
        "the agreement notifies ops through Apprise, but the package apprise is not installed",
    )
    assert apprise.fix == "Install requirements-apprise.lock where delivery runs."
    assert healthy([mail, apprise])
    monkeypatch.setattr("services.cli.doctor.installed", lambda: True)
    set_up = {"BATON_DELIVERY_MAIL_SERVER": "smtps://mail.example.com", "BATON_DELIVERY_MAIL_FROM": "b@example.com"}
    assert [each for each in examine({**given, **set_up}) if each.check == "channels"] == []


def test_a_missing_agreement_fails(environ: dict[str, str], tmp_path: Path) -> None:
    assert found({**environ, "BATON_AGREEMENT": str(tmp_path / "none")}, "agreement").state == "fail"


def test_a_data_folder_that_cannot_be_made_fails(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    finding = found({**environ, "BATON_DATA": str(tmp_path / "file" / "data")}, "data folder")
    assert (finding.state, finding.fix) == ("fail", "Set BATON_DATA to a folder that you own.")


def test_no_key_is_a_warning_and_a_key_that_can_be_guessed_a_failure(environ: dict[str, str]) -> None:
    assert found({**environ, "BATON_ADMIN_KEY": "short"}, "keys").state == "fail"
    assert found({**environ, "BATON_ADMIN_KEY": ""}, "keys").state == "warn"


def test_components_that_do_not_answer_fail_in_parallel_without_showing_the_password(environ: dict[str, str]) -> None:
    away = {
        "BATON_DATABASE_URL": "postgresql+asyncpg://baton:very-secret@127.0.0.1:1/baton",
        "BATON_KAFKA": "127.0.0.1:1",
    }
    findings = examine({**environ, **away})
    assert {finding.check for finding in findings if finding.state == "fail"} == {"database", "kafka"}
    assert "very-secret" not in render(findings, as_json=True)
    assert environ["BATON_ADMIN_KEY"] not in render(findings, as_json=True)
    assert not healthy(findings)


def test_the_exit_code_says_whether_a_check_failed(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert run(["doctor", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is True
    monkeypatch.setenv("BATON_AGREEMENT", "none.yaml")
    assert run(["doctor"]) == 1
    assert "fail  agreement" in capsys.readouterr().out
