"""Companies: which domain is theirs, what is left of a name, and which names mean the same company."""

import pytest
from disposable_email_domains import blocklist
from hypothesis import given
from hypothesis import strategies as st
from publicsuffixlist import PublicSuffixList

from services.router.domain.same_company import NameMatch, account_key, company_name_key, name_block, same_name
from shared.domain.lead import Company, Contact


@pytest.mark.parametrize(
    ("site", "email", "key"),
    [
        ("acme.example", None, "acme.example"),
        ("www.shop.ACME.co.uk", None, "acme.co.uk"),
        ("acme.com.", None, "acme.com"),
        ("acme.com", "jo@other.com", "acme.com"),
        (None, "jo@mail.acme.co.uk", "acme.co.uk"),
        ("", "jo@acme.com", "acme.com"),
        ("gmail.com", "jo@acme.com", "acme.com"),
        ("localhost", "jo@acme.com", "acme.com"),
        ("bücher.de", None, "xn--bcher-kva.de"),
        ("BÜCHER.de", None, "xn--bcher-kva.de"),
        ("XN--BCHER-KVA.de", None, "xn--bcher-kva.de"),
        ("acme.github.io", None, "acme.github.io"),
        (None, "jo@gmail.com", None),
        (None, "jo@hotmail.co.uk", None),
        (None, "jo@mailinator.com", None),
        (None, "jo@any.mailinator.com", None),
        ("co.uk", None, None),
        ("localhost", None, None),
        ("10.0.0.1", None, None),
        ("a_b.com", None, None),
        ("https://acme.com", None, None),
        (None, None, None),
    ],
)
def test_an_account_goes_by_the_registrable_domain(site: str | None, email: str | None, key: str | None) -> None:
    assert account_key(Company(domain=site), Contact(email=email)) == key


def test_a_domain_under_which_others_give_out_mailboxes_is_nobodys_account() -> None:
    suffixes = PublicSuffixList()
    listed = next(host for host in sorted(blocklist) if suffixes.privatesuffix(host) not in {host, *blocklist})
    assert account_key(Company(domain=listed), Contact()) is None


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Acme N.V.", "acme"),
        ("ACME NV", "acme"),
        ("acme, inc.", "acme"),
        ("Acme S.A.", "acme"),
        ("Acme Co., Ltd.", "acme"),
        ("Acme Pty. Ltd.", "acme"),
        ("Acme Oy Ab", "acme"),
        ("Acme S.p.A.", "acme"),
        ("Acme Sp. z o.o.", "acme"),
        ("Acme s.r.o.", "acme"),
        ("Acme, S.A.B. de C.V.", "acme"),
        ("Acme S. de R.L. de C.V.", "acme"),
        ("Acme GmbH & Co. KG", "acme"),
        ("Acme SARL", "acme"),
        ("Acme B.V.B.A.", "acme"),
        ("Acme A/S", "acme"),
        ("UAB Acme", "acme"),
        ("The Acme Company", "acme"),
        ("株式会社アクメ", "アクメ"),
        ("ｱｸﾒ株式会社", "アクメ"),
        ("ООО «Акме»", "акме"),
        ("Acme (Deutschland) GmbH", "acme deutschland"),
        ("Acme Belgium NV", "acme belgium"),
        ("Müller & Söhne KG", "muller and sohne"),
        ("Škoda Auto a.s.", "skoda auto"),
        ("A.P. Møller - Mærsk A/S", "ap moller maersk"),
        ("L'Oréal S.A.", "loreal"),
        ("J. P. Morgan", "jp morgan"),
        ("3M Company", "3m"),
        ("Plan B Ltd", "plan b"),
        ("Straße AG", "strasse"),
        ("Sia", "sia"),
        ("GmbH", "gmbh"),
        ("S.A.", "sa"),
        ("The", "the"),
        ("...", ""),
        ("", ""),
    ],
)
def test_a_name_is_brought_to_plain_form(name: str, key: str) -> None:
    assert company_name_key(name) == key


@given(st.text())
def test_a_plain_name_stays_as_it_is_and_never_raises(name: str) -> None:
    key = company_name_key(name)
    assert key == " ".join(key.split())
    assert same_name(key, [key]) == (NameMatch(key, 100.0) if key else None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Philips N.V.", "Phillips"),
        ("Deloitte", "Deloite LLP"),
        ("Müller GmbH", "Mueller"),
        ("Cap Gemini SE", "Capgemini"),
        ("Face Book", "Facebook, Inc."),
        ("Texas Instruments Inc.", "Texas Instrument"),
        ("International Business Machines Corp.", "International Bussiness Machines"),
        ("American Airlines", "Amerigan Airlines"),
    ],
)
def test_a_name_written_a_little_otherwise_is_the_same(one: str, other: str) -> None:
    ours, theirs = company_name_key(one), company_name_key(other)
    match = same_name(ours, [theirs])
    assert match is not None
    assert match.name == theirs
    assert 92 <= match.similarity < 100
    assert same_name(theirs, [ours]) == NameMatch(ours, match.similarity)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Delta Air", "Delta Airlines"),
        ("Acme Belgium", "Acme"),
        ("3M", "3i"),
        ("KPN", "KPM"),
        ("Baker", "Barker"),
        ("Mars", "Marsh"),
        ("Nordea", "Nordex"),
        ("Deutsche Bank", "Deutsche Bahn"),
        ("United Health", "United Wealth"),
        ("University of Basel", "University of Kassel"),
        ("Alpha 1 Logistics", "Alpha 2 Logistics"),
        ("Studio 54 Entertainment", "Studio 5 Entertainment"),
        ("Agency2020 Consulting", "Agency2021 Consulting"),
        ("Volvo Trucks", "Volvo Cars"),
        ("General Electric Power Systems", "General Electric Power Systems UK"),
        ("Acme Services North", "Acme Services South"),
        ("", "Acme"),
        ("", ""),
    ],
)
def test_a_near_miss_is_another_company(one: str, other: str) -> None:
    assert same_name(company_name_key(one), [company_name_key(other)]) is None
    assert same_name(company_name_key(other), [company_name_key(one)]) is None


def test_the_most_alike_name_wins_then_the_first_by_alphabet() -> None:
    assert same_name("phillips", ["philips", "phillips", "philllips"]) == NameMatch("phillips", 100.0)
    alike = ["deloittez", "deloittea", "deloitteb"]
    assert same_name("deloitte", alike) == same_name("deloitte", alike[::-1])
    assert same_name("deloitte", iter(alike)) == same_name("deloitte", ["deloittea"])


def test_names_are_looked_up_by_the_start_of_their_first_word() -> None:
    assert [name_block(key) for key in ("philips lighting", "ap moller", "3m", "")] == ["phil", "ap", "3m", ""]


def test_a_name_that_ends_in_any_number_of_legal_forms_is_read() -> None:
    assert company_name_key("Acme" + " nv" * 1_200) == "acme"
    assert company_name_key("Acme" + " and co" * 30) == "acme"


def test_of_a_long_name_only_the_first_characters_count() -> None:
    assert company_name_key("a" * 300) == "a" * 256
