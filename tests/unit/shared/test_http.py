"""Keys with scopes, who may look at pages, and the shape of errors."""

import base64
import json
from pathlib import Path

import pytest

from shared.domain.errors import Misconfigured, Refused, Unavailable
from shared.http import Forbidden, Keys, Unauthorised, document, make_key, may_view, problem_headers
from shared.settings import Settings, read


def keys(**environ: str) -> Keys:
    return Keys.load(read(Settings, {"BATON_ADMIN_KEY": "admin-key", **environ}))


def test_the_administrators_key_carries_every_scope() -> None:
    assert keys().authorise("Bearer admin-key", "operate").name == "admin"


@pytest.mark.parametrize("sent", [None, "", "Bearer", "Bearer wrong", "admin-key", "Basic !!", "Bearer admin-key-"])
def test_without_a_known_key_nobody_gets_in(sent: str | None) -> None:
    with pytest.raises(Unauthorised):
        keys().authorise(sent, "leads:read")


def test_a_key_without_the_scope_is_told_which_one_is_missing(tmp_path: Path) -> None:
    secret, entry = make_key("crm", ["leads:read"])
    (tmp_path / "keys.json").write_text(json.dumps([entry]))
    held = keys(BATON_KEYS=str(tmp_path / "keys.json"))
    assert held.authorise(f"Bearer {secret}", "leads:read").name == "crm"
    with pytest.raises(Forbidden, match="does not carry the scope 'operate'"):
        held.authorise(f"Bearer {secret}", "operate")
    assert secret not in (tmp_path / "keys.json").read_text()


def test_a_keys_file_that_does_not_read_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{}")
    with pytest.raises(Misconfigured, match=r"is no keys file: .* Make one with './baton keys create'"):
        keys(BATON_KEYS=str(tmp_path / "keys.json"))


def view(host: str, authorization: str | None = None, sender: str | None = None, **environ: str) -> None:
    headers = {"host": host} | ({"authorization": authorization} if authorization else {})
    headers |= {"x-forwarded-for": sender} if sender else {}
    may_view(headers, read(Settings, environ), keys())


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:8080"])
def test_on_this_machine_pages_need_no_login(host: str) -> None:
    view(host)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8080", "", "bat"])
def test_a_page_asked_for_under_another_name_needs_a_key(host: str) -> None:
    with pytest.raises(Unauthorised):
        view(host)


def test_through_a_proxy_on_this_machine_only_people_on_this_machine_need_no_login() -> None:
    view("127.0.0.1:8080", sender="127.0.0.1")
    with pytest.raises(Unauthorised):
        view("127.0.0.1:8080", sender="203.0.113.9, 127.0.0.1")


def test_behind_a_proxy_or_on_the_network_pages_need_a_key() -> None:
    with pytest.raises(Unauthorised):
        view("127.0.0.1:8080", BATON_PUBLIC_URL="https://baton.acme.example")
    with pytest.raises(Unauthorised):
        view("127.0.0.1:8080", BATON_HOST="0.0.0.0")  # noqa: S104
    view("x", "Basic " + base64.b64encode(b"me:admin-key").decode(), BATON_HOST="0.0.0.0")  # noqa: S104


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
