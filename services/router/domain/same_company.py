"""Whether two leads come from the same company: by domain, and by a name that is written the same or nearly so.

A wrong match hands a lead to someone else's rep, a missed one only lets it take its turn: so when in doubt, no match.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import idna
import msgspec
from publicsuffixlist import PublicSuffixList
from rapidfuzz import fuzz

from shared.domain.conditions.mail_domains import domain_kind
from shared.domain.lead import Company, Contact

SAME_FROM = 92.0
"""The likeness from which names count as one: a letter too many or too few in 6 or more, a wrong one in 13 or more
("Phillips" and "Philips" are alike by 93). At 90, "Baker" and "Barker" (91) would be one company. So short names, like
"3M" and "3i", are the same only when they are equal."""
WORD_FROM = 85.0
"""How similar each word must be, so that a long name does not hide a different word: "United Health" and "United
Wealth" have a ratio of 92, their last words of 83."""
BLOCK = 4
LONGEST_NAME = 256
"""The length, in characters, up to which a name counts: Unicode normalisation takes quadratic time on some texts."""
LONGEST_HOST = 253
"""The longest name that DNS allows."""

_SUFFIXES = PublicSuffixList()

_FORMS = """
    ab ag aktiengesellschaft aps as asa asbl bhd bv bvba co company corp corporation cv dd doo ead eood eurl fzco fze
    gbr gesmbh ggmbh gmbh gp hf inc incorporated jsc kft kg kgaa kk kommanditgesellschaft lda limited llc llp lp ltd
    ltda mbh nv nyrt oao oe ohg ood ooo oy oyj pjsc plc pllc private proprietary pte pty pvt rl rt sa sae sapa sarl sas
    sasu sca scop scrl sdn se sia sl slu snc spa spj sprl spzoo srl srls sro uab ug unipessoal vof vzw zao zrt
    ооо оао зао пао тов
"""
_LONG_FORMS = (
    "s de rl de cv", "s de rl", "sa de cv", "sab de cv", "sapi de cv", "sp z oo", "spolka z oo", "spol s ro",
    "and co", "and company",
)  # fmt: skip
_LEGAL_FORMS = tuple(form.split() for form in (*_LONG_FORMS, *_FORMS.split()))
_FORMS_BY_END = {end: [form for form in _LEGAL_FORMS if form[-1] == end] for end in {form[-1] for form in _LEGAL_FORMS}}
_IN_FRONT = re.compile(r"^(?:the|nv|ooo|oao|zao|pt|uab|sia|ооо|оао|зао|пао|тов) (?=.)")
_ASIAN_FORMS = re.compile("株式会社|有限会社|合同会社|股份有限公司|有限责任公司|有限公司|주식회사|유한회사")
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
_ABBREVIATING = re.compile(r"(?<=\b\w)\.(?=\w\b|\W|$)")
_SPELLED = re.compile(r"\b(\w) (?=\w\b)")


class NameMatch(msgspec.Struct, frozen=True):
    """A known name, and how alike it is, from 0 to 100; 100 is the same."""

    name: str
    similarity: float


def account_key(company: Company, contact: Contact) -> str | None:
    """The registrable domain of the company's site, or else of the e-mail address, in ASCII and lower case; None when
    there is none, or when it is a provider of free or disposable mailboxes, which many companies share.
    """
    mail = contact.email.rpartition("@")[2] if contact.email else None
    for host in (company.domain, mail):
        key = _registrable(host) if host and len(host) <= LONGEST_HOST else None
        if key is not None:
            return key
    return None


def company_name_key(name: str) -> str:
    """A company's name, normalized: without case, accents, punctuation, "the" and legal forms ("GmbH", "Pty Ltd").

    Place names stay, because they distinguish companies: "Acme Belgium NV" is `acme belgium`, not `acme`. Empty if the
    name has no letter or digit. Only the first 256 characters count.

    >>> company_name_key("Müller & Söhne GmbH & Co. KG"), company_name_key("S.A. de C.V.")
    ('muller and sohne', 'sa de cv')
    """
    name = name[:LONGEST_NAME]
    text = name.casefold() if name.isascii() else _in_latin_letters(name)
    text = re.sub(r"['’`´]", "", _ABBREVIATING.sub("", text.replace("&", " and ")))
    plain = _SPELLED.sub(r"\1", " ".join(re.findall(r"[^\W_]+", text)))
    return _without_forms(_IN_FRONT.sub("", plain))


def _in_latin_letters(name: str) -> str:
    text = unicodedata.normalize("NFKD", _ASIAN_FORMS.sub(" ", unicodedata.normalize("NFKC", name)).casefold())
    return "".join(letter for letter in text if not unicodedata.combining(letter)).translate(_LETTERS)


def name_block(key: str) -> str:
    """The part of a plain name that names have to share to be compared: the first letters of the first word."""
    return key.partition(" ")[0][:BLOCK]


def same_name(key: str, candidates: Iterable[str]) -> NameMatch | None:
    """The normalized name among `candidates` that means the same company as `key`, or None.

    Similarity is rapidfuzz's `ratio`: 100 times twice the letters in common, in order, over the letters of both. Names
    match from `SAME_FROM`, if each word matches from `WORD_FROM` and the numbers are the same, or if they differ in
    spaces only. The most similar name wins, then the first alphabetically.
    """
    matches = [NameMatch(name, round(fuzz.ratio(key, name), 1)) for name in candidates if _is_same(key, name)]
    return min(matches, key=lambda match: (-match.similarity, match.name), default=None)


@lru_cache(maxsize=4096)
def _registrable(host: str) -> str | None:
    try:
        ascii_host = idna.encode(host.strip().rstrip("."), uts46=True).decode().lower()
    except idna.IDNAError:  # such as a name with an underscore
        return None
    if ascii_host.rpartition(".")[2].isdigit():  # an address in numbers
        return None
    key: str | None = _SUFFIXES.privatesuffix(ascii_host)
    return key if key is not None and domain_kind(ascii_host) == domain_kind(key) == "business" else None


def _without_forms(text: str) -> str:
    """The name without the legal forms at its end, of which the first word is never one."""
    words = text.split(" ")
    while length := _form_at_end(words):
        del words[-length:]
    return " ".join(words)


def _form_at_end(words: list[str]) -> int:
    """How many words the legal form at the end has; 0 when there is none."""
    for form in _FORMS_BY_END.get(words[-1], ()):
        if len(form) < len(words) and words[-len(form) :] == form:
            return len(form)
    return 0


def _is_same(key: str, name: str) -> bool:
    if key == name:
        return bool(key)
    ours, theirs = key.split(), name.split()
    if fuzz.ratio(key, name, score_cutoff=SAME_FROM) < SAME_FROM:
        return False
    if "".join(ours) == "".join(theirs):
        return True
    return len(ours) == len(theirs) and all(map(_is_same_word, ours, theirs))


def _is_same_word(ours: str, theirs: str) -> bool:
    if ours == theirs:
        return True
    numbered = any(map(str.isdigit, ours + theirs))
    return not numbered and bool(fuzz.ratio(ours, theirs) >= WORD_FROM)
