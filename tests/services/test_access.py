"""What a whole Baton answers to strangers, to other sites' pages and to foreign names, on every route it describes."""

import base64
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.journeys.processes import KEY, Running, running

pytestmark = pytest.mark.xdist_group("access")  # they share what takes seconds to start

BASIC = {"Authorization": "Basic " + base64.b64encode(f"me:{KEY}".encode()).decode()}


@pytest.fixture(scope="module")
def baton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running("embedded", tmp_path_factory.mktemp("access")) as it:
        yield it


def changes(baton: Running) -> list[tuple[str, str]]:
    """Every route that is not for reading, but those of sources, which are for other sites' forms."""
    paths = httpx.get(f"{baton.url}/openapi.json", timeout=30).json()["paths"]
    found = [(method.upper(), path) for path, operations in paths.items() for method in operations]
    return [(m, p.replace("{", "").replace("}", "")) for m, p in found if m != "GET" and "/v1/sources/" not in p]


def test_no_route_changes_anything_for_a_page_of_another_site(baton: Running) -> None:
    routes = changes(baton)
    assert len(routes) > 12
    for method, path in routes:
        for sent in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
            answer = httpx.request(method, baton.url + path, headers={**BASIC, **sent})
            assert (answer.status_code, answer.json()["title"]) == (403, "The key does not allow this"), (method, path)
        assert httpx.request(method, baton.url + path, headers={**BASIC, "Origin": baton.url}).status_code != 403


def test_a_form_of_any_site_may_still_post_to_a_source(baton: Running) -> None:
    url = f"{baton.url}/v1/sources/contact?token=contact-token-of-the-journey"
    form = {"email": "jo@example.com", "first_name": "Jo"}
    sent = {"Origin": "https://acme.example", "Sec-Fetch-Site": "cross-site"}
    assert httpx.post(url, data=form, headers=sent, timeout=30).status_code in (200, 303)


def test_no_route_reads_the_body_of_a_stranger(baton: Running) -> None:
    address = urlsplit(baton.url)
    for method, path in changes(baton):
        if path in ("/v1/agreement/simulations", "/v1/re-judge"):  # those who may see pages may post here
            continue
        with socket.create_connection((address.hostname, address.port), timeout=30) as client:
            head = f"{method} {path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 1000\r\n\r\nhalf"
            client.sendall(head.encode())
            assert client.recv(12) == b"HTTP/1.1 401", (method, path)


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/healthz", "/openapi.json"])
def test_a_page_that_rebinds_its_name_to_this_machine_reads_nothing(baton: Running, path: str) -> None:
    assert httpx.get(baton.url + path, headers={"Host": "evil.example"}, timeout=30).status_code == 421
    assert httpx.get(baton.url + path, timeout=30).status_code == 200


def test_pages_open_without_a_login_only_where_nothing_speaks_of_a_proxy(baton: Running) -> None:
    for path in ("/", "/agreement", "/v1/pilots", "/v1/agreement"):
        assert httpx.get(baton.url + path, timeout=30).status_code == 200
        for sent in ({"X-Forwarded-For": "127.0.0.1"}, {"Host": "leads.acme.example"}, {"Via": "1.1 cache"}):
            assert httpx.get(baton.url + path, headers=sent, timeout=30).status_code == 401
            assert httpx.get(baton.url + path, headers={**sent, **BASIC}, timeout=30).status_code == 200
