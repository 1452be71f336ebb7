import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from services.delivery.domain.signature import secret_of, sign
from shared.domain.errors import Refused

VECTORS = json.loads((Path(__file__).parents[4] / "data" / "standard_webhooks_vectors.json").read_text())
NEW, OLD = secret_of(b"n" * 32), secret_of(b"o" * 32)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_published_message_gets_its_published_signature(vector: dict[str, Any]) -> None:
    body = vector["body"].encode()
    assert sign([vector["secret"]], vector["message_id"], int(vector["timestamp"]), body) == vector["expected"]


@given(
    key=st.binary(min_size=24, max_size=64),
    body=st.dictionaries(st.text(max_size=8), st.text(max_size=8)),
    message_id=st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1, max_size=40),
)
def test_the_reference_library_accepts_what_we_sign(key: bytes, body: dict[str, str], message_id: str) -> None:
    now = int(datetime.now(UTC).timestamp())
    raw = json.dumps(body).encode()
    secret = secret_of(key)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign([secret], message_id, now, raw),
    }
    assert Webhook(secret).verify(raw, headers) == body
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(raw + b" ", headers)


def test_while_a_secret_is_replaced_both_holders_can_verify() -> None:
    now = int(datetime.now(UTC).timestamp())
    headers = {
        "webhook-id": "ev_1",
        "webhook-timestamp": str(now),
        "webhook-signature": sign([NEW, OLD], "ev_1", now, b"{}"),
    }
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (NEW, OLD):
        Webhook(secret).verify(b"{}", headers)


def test_a_secret_without_prefix_or_padding_is_read_as_base64_too() -> None:
    key = b"a key of twenty-five byte"
    text = base64.b64encode(key).decode()
    expected = base64.b64encode(hmac.digest(key, b"i.1.x", hashlib.sha256)).decode()
    for secret in (text, text.rstrip("="), f"whsec_{text.rstrip('=')}"):
        assert sign([secret], "i", 1, b"x") == f"v1,{expected}"


@pytest.mark.parametrize("secret", ["whsec_", "whsec_not base64!", ""])
def test_what_is_no_secret_is_refused_without_being_repeated(secret: str) -> None:
    with pytest.raises(Refused) as refused:
        sign([secret], "i", 1, b"x")
    assert "not base64!" not in refused.value.detail
