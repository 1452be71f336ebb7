"""Equal people get equal keys, and the fast way gives the library's answers."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain.contact_keys import Phone, normal_email, normal_phone
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
        ("(650) 253-0000", "US", "+16502530000"),
        ("+16502530000", "BE", "+16502530000"),
    ],
)
def test_a_number_has_one_form(text: str, region: str | None, number: str) -> None:
    assert normal_phone(text, region) == Phone(number)


@pytest.mark.parametrize("text", ["+32 2 555 12 12 ext. 34", "+32 2 555 12 12 x34", "tel:+3225551212;ext=34"])
def test_an_extension_is_read_apart(text: str) -> None:
    assert normal_phone(text, None) == Phone("+3225551212", "34")


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("0000000000", "BE"),
        ("0000000000", "US"),
        ("111 111 1111", "US"),
        ("+49 1111 1111", None),
        ("01 23 45 67 89", "FR"),
        ("1234567890", "US"),
        ("(650) 555-0123", "US"),
        ("+44 20 7946 0123", None),
        ("+44 7700 900123", None),
        ("+33 6 39 98 12 34", None),
        ("+49 30 23125 123", None),
        ("+61 491 570 006", None),
        ("+46 70 174 06 05", None),
        ("+32 470 12 34 5", None),
    ],
)
def test_a_number_that_nobody_can_have_is_as_given_and_no_key(text: str, region: str | None) -> None:
    assert normal_phone(text, region) == Phone(as_given=text)


@pytest.mark.parametrize("text", ["+16505550200", "+46701740604", "+61491570007", "+442079450123", "+33198001234"])
def test_the_neighbours_of_numbers_for_tests_are_ordinary(text: str) -> None:
    assert normal_phone(text, None) == Phone(text)


@pytest.mark.parametrize(("text", "region"), [("0470123456", None), ("call me", "BE"), ("12", "BE"), ("047", "XX"),
                                              ("+" + "1" * 400, None)])  # fmt: skip
def test_what_is_no_number_is_refused_with_what_to_write(text: str, region: str | None) -> None:
    with pytest.raises(Refused, match="country code"):
        normal_phone(text, region)
