"""Google Ads lead form webhooks (https://developers.google.com/google-ads/webhook/docs/implementation).

There is no signature: the body carries the key that was entered with the form. Success is `200 {}`; a 4xx is final for
Google and its `message` is shown to the advertiser; a 5xx is retried.
"""

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.ingest.domain.intake import StrictCompany, StrictContact, SubmittedLead
from services.ingest.domain.pending_event import Accepted
from services.ingest.domain.strict_json import NotJson, Reader
from services.ingest.sources import Authentic, Reply, SourceRequest, Submission, Unmappable
from shared.domain.errors import Problem, Refused
from shared.domain.instants import bounded
from shared.http.problems import Forbidden

_reader: Reader[dict[str, Any]] = Reader(dict[str, Any])
_encode = msgspec.json.Encoder().encode
_JSON = ((b"content-type", b"application/json"),)
_NAMES = ("FULL_NAME", "FIRST_NAME", "LAST_NAME", "EMAIL", "WORK_EMAIL", "PHONE_NUMBER", "WORK_PHONE", "COUNTRY",
          "COMPANY_NAME", "JOB_TITLE")  # fmt: skip
_IDS = ("form_id", "campaign_id", "adgroup_id", "creative_id", "asset_group_id", "gcl_id", "lead_source", "lead_stage")


class GoogleAds:
    """One lead form. Each of `keys` counts (two during a change); `defaults` fill what the payload lacks."""

    def __init__(self, name: str, *, keys: Sequence[str], defaults: Mapping[str, str]) -> None:
        self._name = name
        self._keys = [key.encode() for key in keys]
        self._defaults = {"kind": "lead_form", "channel": "paid_search", **defaults}

    @property
    def name(self) -> str:
        """The last part of its URL."""
        return self._name

    def verify(self, received: SourceRequest) -> Authentic:
        """The payload without its key, if the key is right. Raises `NotJson` or `Forbidden`."""
        try:
            payload = _reader.read(received.raw)
        except NotJson as wrong:
            raise wrong.placed(received.raw) from None
        sent = [payload.pop(name) for name in list(payload) if name.lower() == "google_key"]
        given = sent[0].encode() if len(sent) == 1 and isinstance(sent[0], str) else b""
        matches = [hmac.compare_digest(key, given) for key in self._keys]
        if not any(matches):
            raise Forbidden("The key of this lead form is wrong. Enter the key that was set for this source in Baton.")
        return Authentic(payload, _encode(payload))

    def map(self, authentic: Authentic) -> Sequence[Submission]:
        """The one lead of a payload. Raises `Unmappable`."""
        payload = authentic.payload
        columns = payload.get("user_column_data")
        if not isinstance(columns, list):
            raise Unmappable("no_columns", "the payload has no user_column_data")
        answers = {
            str(c["column_id"]): str(c["string_value"])
            for c in columns
            if isinstance(c, dict) and c.get("column_id") and c.get("string_value") not in (None, "")
        }
        lead_id = payload.get("lead_id")
        defaults = self._defaults
        lead = SubmittedLead(
            contact=_contact(answers),
            company=StrictCompany(name=answers.get("COMPANY_NAME")),
            external_id=str(lead_id) if lead_id else None,
            occurred_at=_instant(payload.get("lead_submit_time")),
            source=self._name,
            kind=defaults["kind"],
            channel=defaults["channel"],
            campaign=defaults.get("campaign") or _id(payload, "campaign_id"),
            custom={name: value for name, value in answers.items() if name not in _NAMES}
            | {f"google.{name}": value for name in _IDS if (value := _id(payload, name))},
        )
        return [Submission(lead, test=payload.get("is_test") is True)]

    def accepted(self, received: SourceRequest, authentic: Authentic, outcomes: Sequence[Accepted]) -> Reply:
        """Success, as Google expects it."""
        return Reply(200, b"{}", _JSON)

    def refused(self, received: SourceRequest, problem: Problem) -> Reply | None:
        """The problem as the message that the advertiser sees."""
        return Reply(problem.status, _encode({"message": problem.detail}), _JSON)

    def handshake(self, method: str, received: SourceRequest) -> Reply | None:
        """Google sends none."""
        return None


def _contact(answers: Mapping[str, str]) -> StrictContact:
    first, last = answers.get("FIRST_NAME"), answers.get("LAST_NAME")
    if first is None and last is None and "FULL_NAME" in answers:
        first, _, last = answers["FULL_NAME"].strip().partition(" ")
    country = answers.get("COUNTRY")
    return StrictContact(
        email=answers.get("EMAIL") or answers.get("WORK_EMAIL"),
        phone=answers.get("PHONE_NUMBER") or answers.get("WORK_PHONE"),
        first_name=first or None,
        last_name=last or None,
        job_title=answers.get("JOB_TITLE"),
        country=country,
    )


def _id(payload: Mapping[str, Any], name: str) -> str | None:
    # Numeric ids exceed what a double holds, so they travel as text; zero means that there is none.
    value = payload.get(name)
    return str(value) if isinstance(value, str | int) and str(value) not in ("", "0") else None


def _instant(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        return bounded(at) if at is not None and at.tzinfo is not None else None
    except (ValueError, Refused):
        return None
