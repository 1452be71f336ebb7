"""Normalises what identifies a person: e-mail addresses and telephone numbers.

Equal people must get equal keys, so both have one written form: the address in lower case, the number in E.164.
Different people must not, so a number that nobody can have is no key.
"""

import re
from functools import lru_cache

import msgspec
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from shared.domain.errors import Refused

# Plain addresses, for which the library would give the same answer: measured 1.5 us here against 41 us there. The rest
# (quotes, non-ASCII, punycode, anything odd) goes to the library; a test compares the two on generated addresses.
_PLAIN = re.compile(
    r"(?=.{6,254}\Z)[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9]|-(?!-)){0,61}(?<!-)\.)+([a-z](?:[a-z0-9]){0,61}[a-z])"
)
_LONGEST_LOCAL = 64
_LONGEST_ADDRESS = 320
_LONGEST_NUMBER = 100
_COUNTING = ("123456789", "1234567890")
# Numbers that the authorities of numbering plans have set apart for films, examples and tests: NANPA (555-0100 to
# 0199), Ofcom (UK), Arcep (France), Bundesnetzagentur (Germany), ACMA (Australia), ComReg (Ireland), PTS (Sweden).
_RESERVED = re.compile(
    r"\+1\d{3}55501\d\d$"
    r"|\+44(?:11[3-8]4960|1[2-6]14960|1914980|1632960|2079460|2896496|2920180|7700900|8081570|9098790|3069990)"
    r"|\+33(?:199|26191|35301|46571|53649|63998)"
    r"|\+49(?:3023125|6990009|4066969|2214710|8999998|17139200|17604069)"
    r"|\+61(?:[2378](?:5550|7010)|491570(?:006|110|15[6-9]|313|737)$)"
    r"|\+35320910"
    r"|\+46(?:3139006|4062804|8465004|7017406(?:0[5-9]|[1-9]\d)$)"
)
_SPECIAL = frozenset(name.rsplit(".", 1)[-1] for name in SPECIAL_USE_DOMAIN_NAMES)


def normal_email(text: str) -> str:
    """The address in lower case. Raises `Refused` where it can't be one; no DNS is asked."""
    if len(text) > _LONGEST_ADDRESS:
        raise Refused(f"An e-mail address has at most {_LONGEST_ADDRESS} characters.", pointer="/email")
    address = text.strip().lower()
    plain = _PLAIN.fullmatch(address)
    if plain and plain[1] not in _SPECIAL and address.find("@") <= _LONGEST_LOCAL:
        return address
    try:
        return validate_email(address, check_deliverability=False).normalized.lower()
    except EmailNotValidError as wrong:
        raise Refused(f"This is not an e-mail address: {wrong}", pointer="/email") from None


class Phone(msgspec.Struct, frozen=True):
    """A phone number: in E.164 with its extension; or only `as_given`, when it is the number of nobody."""

    number: str | None = None
    extension: str | None = None
    as_given: str | None = None


def normal_phone(text: str, region: str | None) -> Phone:
    """The number; `region` (two letters) is the country of a number written without `+`.

    A number that nobody can have identifies nobody, so it is returned as it was given: the numbering plan has no such
    number, it repeats or counts up one digit, or it is reserved for tests and fiction. Raises `Refused` where the text
    can't be a number.
    """
    if len(text) > _LONGEST_NUMBER:
        raise Refused(f"A phone number has a country code and at most {_LONGEST_NUMBER} characters.", pointer="/phone")
    return _phone(text, region)


@lru_cache(maxsize=4096)
def _phone(text: str, region: str | None) -> Phone:
    import phonenumbers  # noqa: PLC0415 (its tables take 30 MB; a process that sees no phone number does without)

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise Refused(
            "This is not a phone number. Write it with its country code, such as +32 470 12 34 56, "
            "or give contact.country as two letters.",
            pointer="/phone",
        )
    extension, number.extension = number.extension, None
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if not phonenumbers.is_valid_number(number) or is_nobodys(written, str(number.national_number)):
        return Phone(as_given=text)
    return Phone(number=written, extension=extension)


def is_nobodys(number: str, national: str) -> bool:
    """Whether nobody can have this number (in E.164, and without its country code), although its form is right.

    >>> is_nobodys("+33123456789", "123456789"), is_nobodys("+12125550123", "2125550123")
    (True, True)
    >>> is_nobodys("+32470123456", "470123456")
    False
    """
    return len(set(national)) == 1 or national in _COUNTING or _RESERVED.match(number) is not None
