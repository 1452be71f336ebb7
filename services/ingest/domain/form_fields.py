"""Understands the fields of a web form by the names that forms usually give them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.ingest.domain.intake import StrictCompany, StrictConsent, StrictContact, SubmittedLead

_NAMES: Mapping[str, tuple[str, ...]] = {
    "email": ("email", "e_mail", "mail", "your_email", "email_address", "work_email"),
    "phone": ("phone", "tel", "telephone", "mobile", "phone_number", "your_phone"),
    "name": ("name", "full_name", "fullname", "your_name"),
    "first_name": ("first_name", "firstname", "fname", "given_name"),
    "last_name": ("last_name", "lastname", "lname", "surname", "family_name"),
    "job_title": ("job_title", "jobtitle", "title", "position", "role"),
    "seniority": ("seniority",),
    "country": ("country", "country_code"),
    "language": ("language", "lang", "locale"),
    "company": ("company", "company_name", "organisation", "organization"),
    "domain": ("domain", "company_domain"),
    "industry": ("industry",),
    "employees": ("employees", "company_size"),
    "message": ("message", "comments", "comment", "your_message"),
    "campaign": ("campaign", "utm_campaign"),
    "channel": ("channel", "utm_medium"),
    "page_url": ("page_url", "page"),
    "external_id": ("external_id", "submission_id"),
}
FORM_FIELDS = tuple(_NAMES)
"""What a form's fields may mean."""
_CUSTOM_TOO = ("utm_campaign", "utm_medium")
_CONSENT = ("consent", "gdpr", "marketing_opt_in")
TICKED = ("on", "true", "1", "yes")
"""What a ticked box may send, in any case, when the source lists nothing else."""


@dataclass(frozen=True, slots=True)
class ConsentBox:
    """The box that means consent: its name in the form (None: a usual one), the ground it gives, and its wording.

    `values` are what the box sends when it is ticked, compared without case. Every other value is no consent.
    """

    field: str | None = None
    basis: str = "opt_in"
    text: str | None = None
    values: tuple[str, ...] = TICKED

    def ticked(self, values: Sequence[str]) -> bool:
        """Whether one of the values that the form sent for the box says that it was ticked."""
        accepted = {value.casefold() for value in self.values}
        return any(value.strip().casefold() in accepted for value in values)


def form_lead(
    fields: Mapping[str, Sequence[str]],
    source: str,
    renamed: Mapping[str, str],
    defaults: Mapping[str, str],
    box: ConsentBox,
) -> SubmittedLead:
    """The lead in the form's fields. `renamed` gives a lead field's name in this form; unknown fields go to `custom`.

    An answer to the consent question other than a ticked box is no consent; it goes to `custom` as given.
    """
    rest = {name: values for name, values in fields.items() if not name.startswith("_")}
    consent = _consent(rest, box)
    given = {name: _take(rest, aliases, renamed.get(name)) for name, aliases in _NAMES.items()}
    first, last = given["first_name"], given["last_name"]
    if first is None and last is None and given["name"]:
        first, _, last = given["name"].partition(" ")
    employees = given["employees"]
    if employees is not None and not (employees.isascii() and employees.isdigit() and len(employees) < 10):
        rest["employees"], employees = [employees], None
    return SubmittedLead(
        contact=StrictContact(
            email=given["email"],
            phone=given["phone"],
            first_name=first or None,
            last_name=last or None,
            job_title=given["job_title"],
            seniority=given["seniority"],
            country=given["country"],
            language=given["language"],
        ),
        company=StrictCompany(
            name=given["company"],
            domain=given["domain"],
            industry=given["industry"],
            employees=int(employees) if employees else None,
        ),
        external_id=given["external_id"],
        source=source,
        kind=defaults.get("kind", "form"),
        channel=defaults.get("channel") or given["channel"],
        campaign=given["campaign"] or defaults.get("campaign"),
        page_url=given["page_url"],
        message=given["message"],
        consent=consent,
        custom={name: values[0] if len(values) == 1 else list(values) for name, values in rest.items()},
    )


def _take(rest: dict[str, Sequence[str]], aliases: Sequence[str], renamed: str | None) -> str | None:
    for name in list(rest):
        if name == renamed or (renamed is None and _plain(name) in aliases):
            values = rest[name] if _plain(name) in _CUSTOM_TOO else rest.pop(name)
            value = values[0].strip() if values else ""
            if value:
                return value
    return None


def _consent(rest: dict[str, Sequence[str]], box: ConsentBox) -> StrictConsent | None:
    for name in list(rest):
        is_box = name == box.field or (box.field is None and _plain(name) in _CONSENT)
        if is_box and box.ticked(rest[name]):
            del rest[name]
            return StrictConsent(basis=box.basis, text=box.text)
    return None


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")
