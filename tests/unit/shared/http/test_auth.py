"""Keys with scopes, and the shape of errors."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from shared.domain.errors import Misconfigured, Refused, Unavailable
from shared.http.keys import SCOPES, Keys, make_key, weakness_of
from shared.http.problems import Forbidden, Unauthorised, document, problem_headers
from shared.settings import Settings, read


def keys(**environ: str) -> Keys:
    return Keys.load(read(Settings, {"BATON_ADMIN_KEY": "admin-key", **environ}))


def test_the_administrators_key_carries_every_scope() -> None:
    assert keys().authorise("Bearer admin-key", "operate").name == "admin"


@pytest.mark.parametrize("sent", [None, "", "Bearer", "Bearer wrong", "admin-key", "Basic !!", "Bearer admin-key-"])
def test_without_a_known_key_nobody_gets_in(sent: str | None) -> None:
    with pytest.raises(Unauthorised):
        keys().authorise(sent, "leads:read")


def test_a_key_without_the_scope_gets_the_name_of_the_missing_one(tmp_path: Path) -> None:
    secret, entry = make_key("crm", ["leads:read"])
    (tmp_path / "keys.json").write_text(json.dumps([entry]))
    held = keys(BATON_KEYS=str(tmp_path / "keys.json"))
    assert held.authorise(f"Bearer {secret}", "leads:read").name == "crm"
    with pytest.raises(Forbidden, match="does not carry the scope 'operate'"):
        held.authorise(f"Bearer {secret}", "operate")
    assert secret not in (tmp_path / "keys.json").read_text()


def test_a_keys_file_that_does_not_read_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{}")
    with pytest.raises(Misconfigured, match=r"is not a keys file: .* Create one with './baton keys create'"):
        keys(BATON_KEYS=str(tmp_path / "keys.json"))


def test_the_scope_admin_stands_for_every_scope(tmp_path: Path) -> None:
    secret, entry = make_key("ops", ["admin"])
    (tmp_path / "keys.json").write_text(json.dumps([entry]))
    held = keys(BATON_KEYS=str(tmp_path / "keys.json"))
    for scope in SCOPES:
        assert held.authorise(f"Bearer {secret}", scope).name == "ops"


@pytest.mark.parametrize("weak", ["a", "", "password", "123456789012345", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"])
def test_a_weak_key_is_not_accepted_even_from_a_keys_file(tmp_path: Path, weak: str) -> None:
    entry = {"name": "crm", "sha256": sha256(weak.encode()).hexdigest(), "scopes": ["operate"]}
    (tmp_path / "keys.json").write_text(json.dumps([entry]))
    with pytest.raises(Unauthorised):
        keys(BATON_KEYS=str(tmp_path / "keys.json")).authorise(f"Bearer {weak}", "operate")
    assert weakness_of(weak) is not None


def test_the_keys_that_we_make_are_strong() -> None:
    assert weakness_of(make_key("crm", ["operate"])[0]) is None


@pytest.mark.parametrize(("digest", "scope"), [("00", "operate"), ("00" * 32, "operator")])
def test_an_entry_that_could_never_work_is_refused(tmp_path: Path, digest: str, scope: str) -> None:
    (tmp_path / "keys.json").write_text(json.dumps([{"name": "crm", "sha256": digest, "scopes": [scope]}]))
    with pytest.raises(Misconfigured, match="'crm'"):
        keys(BATON_KEYS=str(tmp_path / "keys.json"))


def test_an_error_is_a_problem_document_that_points_at_the_place() -> None:
    body = json.loads(document(Refused("Give an address.", pointer="/contact/email")))
    assert body == {
        "type": "about:blank",
        "title": "The request was refused",
        "status": 422,
        "detail": "Give an address.",
        "errors": [{"pointer": "/contact/email", "detail": "Give an address."}],
    }


def test_not_now_says_when_to_try_again() -> None:
    assert (b"retry-after", b"7") in problem_headers(Unavailable("later", retry_after_s=7))
