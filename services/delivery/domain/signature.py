"""Signs webhooks as specified by Standard Webhooks 1.0.0, so that receivers can verify them with a library.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
from collections.abc import Sequence
from hashlib import sha256

from shared.domain.errors import Refused

PREFIX = "whsec_"


def sign(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: one `v1` signature per secret, separated by spaces.

    A receiver accepts any match. `timestamp` is in Unix seconds.
    """
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return " ".join("v1," + _base64(hmac.digest(key_of(secret), signed, sha256)) for secret in secrets)


def key_of(secret: str) -> bytes:
    """The key bytes of a `whsec_` secret; padding may be missing. Raises `Refused` for an invalid secret."""
    text = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise Refused("A webhook secret must be 'whsec_' followed by base64.") from None
    if not key:
        raise Refused("A webhook secret must not be empty.")
    return key


def secret_of(key: bytes) -> str:
    """How a key is shown to the receiver.

    >>> secret_of(b"0123456789abcdef01234567")
    'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3'
    """
    return PREFIX + _base64(key)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
