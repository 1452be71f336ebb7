import contextlib
import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.domain import endpoint
from services.delivery.domain.endpoint import vet_url, why_not
from shared.domain.errors import Refused

NEVER = [
    "127.0.0.1", "127.255.255.254", "0.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.0.9", "192.0.2.1", "192.88.99.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:93.184.215.14", "::ffff:0:169.254.169.254", "::127.0.0.1",
    "2002:7f00:1::", "2002:a9fe:a9fe::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
    "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "3fff::1", "fc00::1", "fd00:ec2::254",
    "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "100::1", "5f00::1", "not an address", "", "127.1", "0x7f000001",
]  # fmt: skip
PUBLIC = ["93.184.215.14", "1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"]

REFUSED_URLS = [
    "http://hooks.example.com/a", "ftp://hooks.example.com/", "https:///path", "https://", "hooks.example.com",
    "https://hooks.example.com:80/", "https://hooks.example.com:22/", "https://hooks.example.com:0/",
    "https://hooks.example.com:99999/", "https://hooks.example.com:x/",
    "https://user@hooks.example.com/", "https://user:secret@hooks.example.com/", "https://a@127.0.0.1/",
    "https://hooks.example.com/#part", "https://hooks.example.com\\@127.0.0.1/", "https://hooks.example.com/a b",
    "https://hooks.example.com/\r\nx: y", "https://hooks.exämple.com/", "https://[::1/", "https://[fe80::1%25eth0]/",
    "https://127.0.0.1/", "https://127.0.0.1:8443/", "https://localhost/", "https://localhost./", "https://LOCALHOST/",
    "https://a.localhost/", "https://[::1]/", "https://127.0.0.1./", "https://127.1/", "https://2130706433/",
    "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://017700000001/", "https://0/",
    "https://10.0.0.1/", "https://169.254.169.254/latest/meta-data/", "https://[fd00:ec2::254]/",
    "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::a00:1]/", "https://[2002:a00:1::]/", "https://100.100.100.200/",
    "https://-bad.example/", "https://a..example/", "https://" + "a" * 2048 + ".example/",
]  # fmt: skip


def test_the_examples_in_the_module_hold() -> None:
    assert doctest.testmod(endpoint).failed == 0


@pytest.mark.parametrize("address", NEVER)
def test_nothing_is_sent_to_an_address_that_is_not_public(address: str) -> None:
    assert why_not(address, allow_loopback=False)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_fine(address: str) -> None:
    assert why_not(address, allow_loopback=False) is None


def test_allowing_loopback_allows_nothing_else() -> None:
    allowed = {address for address in NEVER if why_not(address, allow_loopback=True) is None}
    assert allowed <= {"127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"}
    assert {"127.0.0.1", "::1"} <= allowed


REFUSED_RANGES = ("10.0.0.0/8", "169.254.0.0/16", "2002::/16", "64:ff9b::/96", "::/8", "fc00::/6")


@given(st.sampled_from(REFUSED_RANGES).flatmap(lambda network: st.ip_addresses(network=network)))
def test_no_address_of_a_refused_range_slips_through(address: object) -> None:
    assert why_not(str(address), allow_loopback=False)


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_a_url_that_leads_elsewhere_than_to_the_public_internet_is_refused_at_its_pointer(url: str) -> None:
    with pytest.raises(Refused) as refused:
        vet_url(url, allow_loopback=False)
    assert refused.value.pointer == "/url"
    assert "secret" not in refused.value.detail


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "authority"),
    [
        ("https://hooks.example.com", "hooks.example.com", 443, "/", "hooks.example.com"),
        ("https://Hooks.Example.com:8443/a?b=c", "hooks.example.com", 8443, "/a?b=c", "hooks.example.com:8443"),
        ("https://hooks.example.com./a", "hooks.example.com.", 443, "/a", "hooks.example.com."),
        ("https://xn--exmple-cua.com/", "xn--exmple-cua.com", 443, "/", "xn--exmple-cua.com"),
        ("https://1.1.1.1/a", "1.1.1.1", 443, "/a", "1.1.1.1"),
        ("https://[2606:4700:4700::1111]/", "2606:4700:4700::1111", 443, "/", "[2606:4700:4700::1111]"),
    ],
)
def test_a_public_https_url_is_taken_apart_once(url: str, host: str, port: int, target: str, authority: str) -> None:
    found = vet_url(url, allow_loopback=False)
    assert (found.scheme, found.host, found.port, found.target, found.loopback) == ("https", host, port, target, False)
    assert found.authority == authority


def test_endpoints_on_this_machine_need_permission_and_then_may_be_plain_http_on_any_port() -> None:
    found = vet_url("http://127.0.0.1:9001/hook", allow_loopback=True)
    assert (found.scheme, found.port, found.loopback) == ("http", 9001, True)
    with pytest.raises(Refused, match="BATON_ALLOW_LOOPBACK_ENDPOINTS"):
        vet_url("http://127.0.0.1:9001/hook", allow_loopback=False)
    for url in ("http://hooks.example.com/", "https://10.0.0.1/", "https://hooks.example.com:9001/"):
        with pytest.raises(Refused):
            vet_url(url, allow_loopback=True)


@given(st.text(max_size=80))
def test_no_text_upsets_the_vetting(text: str) -> None:
    for url in (text, f"https://{text}", f"https://hooks.example.com{text}"):
        with contextlib.suppress(Refused):
            assert vet_url(url, allow_loopback=False).scheme == "https"


@pytest.mark.parametrize("host", ["a" * 64 + ".example.com", ".".join(["a" * 60] * 5)])
def test_a_host_that_dns_does_not_allow_is_refused(host: str) -> None:
    with pytest.raises(Refused):
        vet_url(f"https://{host}/", allow_loopback=False)


@pytest.mark.parametrize("url", ["http://alerts.acme.example:9093/x", "https://alerts.acme.example/x"])
def test_a_host_that_the_operator_named_may_be_internal(url: str) -> None:
    endpoint = vet_url(url, allow_loopback=False, internal={"alerts.acme.example"})
    assert (endpoint.internal, endpoint.loopback) == (True, False)
    with pytest.raises(Refused):
        vet_url("http://other.acme.example:9093/x", allow_loopback=False, internal={"alerts.acme.example"})


@pytest.mark.parametrize(
    ("address", "allowed"),
    [("10.1.2.3", True), ("192.168.0.9", True), ("100.64.0.1", True), ("127.0.0.1", True), ("fd00::1", True),
     ("169.254.169.254", False), ("224.0.0.1", False), ("fe80::1", False), ("::ffff:10.0.0.1", False)],
)  # fmt: skip
def test_also_an_internal_host_is_never_link_local(address: str, allowed: bool) -> None:
    assert (why_not(address, allow_loopback=False, allow_internal=True) is None) is allowed
    assert why_not(address, allow_loopback=False) is not None
