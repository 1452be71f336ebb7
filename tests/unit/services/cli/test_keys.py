"""A key is shown once, works, and the file that holds it is never half written nor readable by others."""

import json
import stat
import threading
from pathlib import Path

import pytest

from services.cli.app import run
from services.cli.keys import add_key
from shared.domain.errors import Misconfigured, Refused
from shared.http.keys import Keys
from shared.http.problems import Forbidden
from shared.settings import Settings


def test_a_new_key_is_shown_alone_on_stdout_and_opens_what_its_scopes_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "new" / "keys.json"
    monkeypatch.setenv("BATON_KEYS", str(file))
    assert run(["keys", "create", "--name", "website", "--scopes", "leads:write, leads:read"]) == 0
    output = capsys.readouterr()
    (secret,) = output.out.splitlines()
    keys = Keys.load(Settings(keys=file))
    assert keys.authorise(f"Bearer {secret}", "leads:write").name == "website"
    with pytest.raises(Forbidden):
        keys.authorise(f"Bearer {secret}", "operate")
    assert secret not in output.err
    assert secret not in file.read_text()


def test_the_file_is_readable_by_its_owner_only_and_no_temporary_file_is_left(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    add_key({"BATON_KEYS": str(file)}, "website", ["leads:write"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_keys_made_at_the_same_time_are_all_stored(tmp_path: Path) -> None:
    environ = {"BATON_KEYS": str(tmp_path / "keys.json")}
    threads = [threading.Thread(target=add_key, args=(environ, f"form-{n}", ["leads:write"])) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads((tmp_path / "keys.json").read_text())) == 8


def test_a_name_that_is_taken_and_a_scope_that_is_unknown_are_refused_and_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    environ = {"BATON_KEYS": str(file)}
    add_key(environ, "website", ["leads:write"])
    before = file.read_bytes()
    with pytest.raises(Refused, match="'website' already"):
        add_key(environ, "website", ["leads:read"])
    with pytest.raises(Refused, match=r"Unknown scope 'leads:rite'.*leads:write"):
        add_key(environ, "crm", ["leads:rite"])
    assert file.read_bytes() == before


def test_a_file_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text("not keys")
    with pytest.raises(Misconfigured, match="not a keys file"):
        add_key({"BATON_KEYS": str(file)}, "website", ["leads:write"])
    assert file.read_text() == "not keys"


def test_without_a_file_to_keep_it_in_no_key_is_made() -> None:
    with pytest.raises(Misconfigured, match="BATON_KEYS is not set"):
        add_key({}, "website", ["leads:write"])


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="can't be written"):
        add_key({"BATON_KEYS": str(tmp_path / "file" / "keys.json")}, "website", ["leads:write"])
