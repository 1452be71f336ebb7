"""Names leads and inquiries by computation, so that no door has to look anything up.

A lead's id is a keyed digest of the person's contact key: the same person is the same lead in every process, and
nobody without the key can go from an address to an id. An inquiry's id contains its lead's, so facts that name an
inquiry are keyed by lead as well.
"""

import re
from hashlib import sha256

from shared.domain.errors import Refused

_BLOCK = 64
_INQUIRY = re.compile(r"inq_([0-9a-f]{32})_[0-9a-f]{24}")
_LEAD = re.compile(r"ld_[0-9a-f]{32}")


class Identity:
    """Turns contact keys into lead ids under one secret key. HMAC-SHA256 (RFC 2104), cut to 128 bits.

    Not by `hmac`, which lets go of the interpreter's lock at every call: with the spool's writer waiting for it, a call
    took 35 us that takes 2.
    """

    def __init__(self, key: bytes) -> None:
        block = (key if len(key) <= _BLOCK else sha256(key).digest()).ljust(_BLOCK, b"\0")
        self._inner = sha256(bytes(b ^ 0x36 for b in block))
        self._outer = sha256(bytes(b ^ 0x5C for b in block))

    def lead_id(self, *, email: str | None, phone: str | None) -> str:
        """The lead's id from normalised contact keys; the address counts before the number."""
        return "ld_" + self.digest(f"email:{email}" if email else f"phone:{phone}")[:32]

    def digest(self, text: str) -> str:
        """The keyed digest of `text` in hexadecimal."""
        inner = self._inner.copy()
        inner.update(text.encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()


def known_lead_id(text: str) -> str:
    """`text`, if it has the form of a lead's id. Raises `Refused`."""
    if not _LEAD.fullmatch(text):
        raise Refused("This is no lead_id of ours. Send the one that was answered.", pointer="/lead_id")
    return text


def lead_of_inquiry(inquiry_id: str) -> str:
    """The id of the lead that an inquiry belongs to. Raises `Refused` for what is no inquiry's id.

    >>> lead_of_inquiry("inq_" + 32 * "a" + "_" + 24 * "0") == "ld_" + 32 * "a"
    True
    """
    found = _INQUIRY.fullmatch(inquiry_id)
    if not found:
        raise Refused("This is no inquiry_id of ours. Send the one that was answered.", pointer="/inquiry_id")
    return "ld_" + found[1]


def inquiry_stem(lead_id: str) -> str:
    """The beginning of the ids of a lead's inquiries."""
    return f"inq_{lead_id[3:]}_"


def digest(*parts: str) -> str:
    """48 hexadecimal digits that stand for `parts`, told apart from each other; only the last may contain NUL.

    >>> digest("ab", "c") == digest("a", "bc")
    False
    """
    return sha256("\0".join(parts).encode()).hexdigest()[:48]


def digest_of_bytes(kind: str, source: str, raw: bytes) -> str:
    """As `digest`, of what a sender sent; neither text may contain NUL."""
    return sha256(f"{kind}\0bytes\0{source}\0".encode() + raw).hexdigest()[:48]


def digest_of_content(body: bytes) -> str:
    """32 hexadecimal digits by which two contents under one key are told apart."""
    return sha256(body).hexdigest()[:32]
