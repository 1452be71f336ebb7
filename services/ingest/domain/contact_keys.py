"""Normalises what identifies a person: e-mail addresses and telephone numbers.

Equal people must get equal keys, so both have one written form: the address in lower case, the number in E.164.
"""

import re
from functools import lru_cache

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


def normal_phone(text: str, region: str | None) -> str:
    """The number in E.164; `region` (two letters) is the country of a number written without `+`.

    Raises `Refused` where it can't be a number.
    """
    if len(text) > _LONGEST_NUMBER:
        raise Refused(f"A phone number has a country code and at most {_LONGEST_NUMBER} characters.", pointer="/phone")
    return _e164(text, region)


@lru_cache(maxsize=4096)
def _e164(text: str, region: str | None) -> str:
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
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
