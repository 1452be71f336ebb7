"""Who sees pages without a login, and which changes a browser may send."""

import base64

import pytest

from shared.http.asgi import Scope
from shared.http.auth import may_view
from shared.http.keys import Keys
from shared.http.origin import refuse_cross_site, refuse_foreign_host, why_not_local
from shared.http.problems import Forbidden, Misdirected, Unauthorised
from shared.settings import Settings, read

ADMIN = "an-admin-key-for-tests"
BASIC = "Basic " + base64.b64encode(f"me:{ADMIN}".encode()).decode()


def scope(host: str = "127.0.0.1:8080", *, client: str = "127.0.0.1", version: str = "1.1", **headers: str) -> Scope:
    given = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [(name.encode(), value.encode()) for name, value in given.items()]
    return {
        "type": "http",
        "headers": lines,
        "client": (client, 9),
        "server": ("127.0.0.1", 8),
        "http_version": version,
    }


def view(sent: Scope, **environ: str) -> None:
    settings = read(Settings, {"BATON_ADMIN_KEY": ADMIN, **environ})
    may_view(sent, settings, Keys.load(settings))


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:8080"])
def test_on_this_machine_pages_need_no_login(host: str) -> None:
    view(scope(host))


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8080", "", "bat", "localhost.evil.example"])
def test_a_page_asked_for_under_another_name_needs_a_key(host: str) -> None:
    with pytest.raises(Unauthorised):
        view(scope(host))


PROXY_HEADERS = """
forwarded via x-forwarded-for x-forwarded-host x-forwarded-proto x-real-ip true-client-ip cf-connecting-ip cf-ray
x-client-ip x-cluster-client-ip fastly-client-ip x-original-uri x-envoy-external-address cdn-loop x-amzn-trace-id
x-forwarded forwarded-for x-forwarded-prefix x-original-forwarded-for x-remote-addr client-ip do-connecting-ip x-scheme
fly-client-ip
"""


@pytest.mark.parametrize("header", PROXY_HEADERS.split())
def test_any_trace_of_a_proxy_ends_the_trust_even_one_that_claims_this_machine(header: str) -> None:
    with pytest.raises(Unauthorised, match=f"The header {header} says that a proxy is in front"):
        view(scope("localhost", **{header: "127.0.0.1"}))
    view(scope("localhost", authorization=BASIC, **{header: "127.0.0.1"}))


@pytest.mark.parametrize("header", ["accept", "user-agent", "cookie", "max-forwards", "dnt", "referer"])
def test_what_browsers_and_curl_send_is_no_trace_of_a_proxy(header: str) -> None:
    view(scope("localhost", **{header: "1"}))


def test_http_1_0_is_what_a_proxy_sends() -> None:
    with pytest.raises(Unauthorised, match=r"HTTP/1\.0"):
        view(scope(version="1.0"))


def test_two_hosts_agree_with_nothing() -> None:
    sent = scope()
    sent["headers"].append((b"host", b"evil.example"))
    with pytest.raises(Unauthorised):
        view(sent)


def test_a_peer_elsewhere_needs_a_key_whatever_it_claims() -> None:
    with pytest.raises(Unauthorised, match="not on the machine"):
        view(scope("localhost", client="203.0.113.9"))


@pytest.mark.parametrize(
    "environ",
    [{"BATON_PUBLIC_URL": "https://baton.acme.example"}, {"BATON_HOST": "0.0.0.0"}, {"BATON_PAGES_LOGIN": "true"}],  # noqa: S104
)
def test_behind_a_proxy_or_on_the_network_pages_need_a_key(environ: dict[str, str]) -> None:
    with pytest.raises(Unauthorised):
        view(scope(), **environ)
    view(scope(authorization=BASIC), **environ)


def test_why_a_login_is_needed_is_reported_with_what_to_do() -> None:
    with pytest.raises(Unauthorised, match="Log in with any name and your key as the password"):
        view(scope("leads.example.com"))
    assert why_not_local(scope(), read(Settings, {})) is None


def change(**environ: str) -> Settings:
    return read(Settings, environ)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_change_that_another_sites_page_asks_for_is_refused(site: str) -> None:
    with pytest.raises(Forbidden, match="A page of another site"):
        refuse_cross_site(scope(authorization=BASIC, **{"sec-fetch-site": site}), change())


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "file://", ""])
def test_without_fetch_metadata_the_origin_decides(origin: str) -> None:
    with pytest.raises(Forbidden):
        refuse_cross_site(scope(authorization=BASIC, origin=origin), change())


def test_our_own_pages_may_ask_for_changes() -> None:
    refuse_cross_site(scope(authorization=BASIC, **{"sec-fetch-site": "same-origin"}), change())
    refuse_cross_site(scope(authorization=BASIC, origin="http://127.0.0.1:8080"), change())
    behind = change(BATON_PUBLIC_URL="https://leads.acme.example/")
    refuse_cross_site(scope("upstream:8080", authorization=BASIC, origin="https://leads.acme.example"), behind)


def test_a_bearer_key_is_never_sent_by_a_browser_on_its_own() -> None:
    refuse_cross_site(scope(authorization=f"Bearer {ADMIN}", origin="https://app.acme.example"), change())


def test_a_client_that_is_no_browser_sends_no_origin() -> None:
    refuse_cross_site(scope(authorization=BASIC), change())


def test_on_loopback_probes_and_metrics_answer_only_to_our_own_names() -> None:
    refuse_foreign_host(scope("localhost:8080"), change())
    refuse_foreign_host(scope("leads.acme.example"), change(BATON_PUBLIC_URL="https://leads.acme.example"))
    refuse_foreign_host(scope("10.0.0.7:8080"), change(BATON_HOST="0.0.0.0"))  # noqa: S104
    for host in ("evil.example:8080", "", "leads.acme.example.evil.example"):
        with pytest.raises(Misdirected):
            refuse_foreign_host(scope(host), change(BATON_PUBLIC_URL="https://leads.acme.example"))
