"""Equal people get equal keys, and the fast way gives the library's answers."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain.contact_keys import normal_email, normal_phone
from shared.domain.errors import Refused


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Jo.Peeters@Example.COM", "jo.peeters@example.com"),
        (" jo@example.com\n", "jo@example.com"),
        ("jo+demo@mail.example.co.uk", "jo+demo@mail.example.co.uk"),
        ("jo@bücher.example", "jo@bücher.example"),
        ("jo@xn--bcher-kva.example", "jo@bücher.example"),
        ("o'neill@example.ie", "o'neill@example.ie"),
    ],
)
def test_an_address_has_one_form(text: str, address: str) -> None:
    assert normal_email(text) == address


@pytest.mark.parametrize("text", ["jo", "jo@", "@example.com", "jo@example", "jo@@example.com", "jo@exa mple.com",
                                  "jo@-a.com", "jo@localhost", "jo@mail.local", "a@b.test", "j..o@example.com",
                                  "jo@example.c0m1", "x" * 300 + "@example.com", "jo@" + "a" * 64 + ".be"])  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="not an e-mail address"):
        normal_email(text)


labels = st.text(alphabet="aZ09-._+x!'é", max_size=8)
tops = st.sampled_from(["com", "be", "test", "local", "x", "c0m", "xn--p1ai", "museum", "1", "", "invalid"])


@settings(max_examples=1500)
@given(local=labels, domain=labels, top=tops)
def test_the_fast_way_gives_the_librarys_answer(local: str, domain: str, top: str) -> None:
    address = f"{local}@{domain}.{top}"
    try:
        expected = validate_email(address.strip().lower(), check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        with pytest.raises(Refused):
            normal_email(address)
        return
    assert normal_email(address) == expected


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+32 470 12 34 56", None, "+32470123456"),
        ("0470/12.34.56", "BE", "+32470123456"),
        ("0032470123456", "BE", "+32470123456"),
        ("(650) 555-0123", "US", "+16505550123"),
        ("+16505550123", "BE", "+16505550123"),
    ],
)
def test_a_number_has_one_form(text: str, region: str | None, number: str) -> None:
    assert normal_phone(text, region) == number


@pytest.mark.parametrize(("text", "region"), [("0470123456", None), ("call me", "BE"), ("12", "BE"), ("047", "XX"),
                                              ("+" + "1" * 400, None)])  # fmt: skip
def test_what_is_no_number_is_refused_with_what_to_write(text: str, region: str | None) -> None:
    with pytest.raises(Refused, match="country code"):
        normal_phone(text, region)
