"""The agreement file: YAML that both sides sign, parsed with positions, checked, and turned into an immutable value.

An agreement that could silently drop a lead does not load. All errors are reported together, each with
`file:line:column`, the problem and how to fix it. What Baton does not support yet is refused by name, or loads with a
warning.
"""

import hashlib
import json
import pathlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from shared.agreement_file.build.assembly import AgreementSource, build
from shared.agreement_file.build.calendars import PublicHolidays
from shared.agreement_file.build.duty import warn_of_gaps
from shared.agreement_file.build.files import beside, calendar_names, draft_names, given, is_next_to_it
from shared.agreement_file.build.pilots import refuse_pilots_of_a_draft
from shared.agreement_file.formatting import formatted
from shared.agreement_file.schema.shapes import shaped
from shared.agreement_file.text.findings import AgreementRefused, Finding, Findings, in_order
from shared.agreement_file.text.yaml_document import Document, read
from shared.domain.agreement import Agreement
from shared.domain.agreement_versions import later_approvals
from shared.domain.errors import Misconfigured

__all__ = ["AgreementRefused", "Finding", "Loaded", "formatted", "load", "parse", "text_of"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """An agreement that can take effect, and its warnings in the order of the file."""

    agreement: Agreement
    warnings: tuple[Finding, ...]


def load(path: pathlib.Path, now: datetime | None = None) -> Loaded:
    """The agreement in a UTF-8 file, with the files that it names, which lie next to it. With `now`, approvals of a
    later day are refused, and the time to come during which nobody is on duty is a warning.

    Raises AgreementRefused with all findings, or Misconfigured if a file cannot be read.
    """
    text = text_of(path)
    content = read(text, str(path)).content if "pilots" in text or "duty" in text else {}
    drafts = draft_names(content)
    files = _texts(path.parent, [*drafts, *calendar_names(content)])
    for draft in drafts:
        if "duty" in files.get(draft, ""):
            with suppress(AgreementRefused):  # reported by `parse`
                calendars = filter(is_next_to_it, calendar_names(read(files[draft], draft).content))
                files |= _texts(path.parent, [beside(draft, name) for name in calendars])
    return parse(text, str(path), files, now)


def _texts(folder: pathlib.Path, names: Iterable[str]) -> dict[str, str]:
    """The texts of the files that are there, by name."""
    files = {name: folder / name for name in names if is_next_to_it(name)}
    return {name: text_of(file) for name, file in files.items() if file.exists()}


def parse(
    text: str,
    name: str,
    files: Mapping[str, str] | None = None,
    now: datetime | None = None,
    *,
    holidays: Mapping[str, tuple[date, ...]] | None = None,
) -> Loaded:
    """The agreement in a text, which is stored unchanged. `name` is the file's name in messages; `files` are the texts
    of the files that it names, by that name. `now` is as in `load`. `holidays` are those of an agreement that was read
    before: another version of the library changes nothing about it.

    The hash is `sha256:` and the digest of the content as JSON with sorted keys. Comments, layout and the order of keys
    do not change it; any other change does, also in a draft or a calendar. Raises AgreementRefused with all findings.
    """
    document = read(text, name)
    texts, drafts, known = files or {}, dict[str, Agreement](), dict(holidays or {})
    for draft in given(draft_names(document.content), texts, document.findings):
        drafts |= _draft(draft, texts, name, document, known, now)
    agreement = _built(document, text, texts, drafts, known, now)
    if document.findings.refusals:
        raise AgreementRefused(name, document.findings.refusals)
    return Loaded(agreement, in_order(document.findings.warnings))


def _draft(
    draft: str,
    texts: Mapping[str, str],
    name: str,
    whole: Document,
    holidays: PublicHolidays,
    now: datetime | None,
) -> dict[str, Agreement]:
    """The agreement of a draft by its name, empty if it was refused. Its findings are added to those of the whole."""
    file = str(pathlib.PurePath(name).parent / draft)
    findings = whole.findings
    try:
        document = read(texts[draft], file)
        refuse_pilots_of_a_draft(document.content, document.findings)
        calendars = {each: texts.get(beside(draft, each)) for each in calendar_names(document.content)}
        own = {each: text for each, text in calendars.items() if text is not None}
        agreement = _built(document, texts[draft], own, {}, holidays, now)
    except AgreementRefused as refused:
        findings.refusals |= {replace(finding, file=file) for finding in refused.findings}
        return {}
    findings.refusals |= {replace(finding, file=file) for finding in document.findings.refusals}
    findings.warnings |= {replace(finding, file=file) for finding in document.findings.warnings}
    return {} if document.findings.refusals else {draft: agreement}


def _built(
    document: Document,
    text: str,
    texts: Mapping[str, str],
    drafts: Mapping[str, Agreement],
    holidays: PublicHolidays,
    now: datetime | None,
) -> Agreement:
    content, findings = document.content, document.findings
    calendars = {name: texts[name] for name in given(calendar_names(content), texts, findings)}
    files = {draft: texts[draft] for draft in drafts} | calendars
    for draft, agreed in drafts.items():
        files |= {beside(draft, name): text for name, text in agreed.files.items()}
    source = AgreementSource(content, text, _digest(content, drafts, calendars), files, drafts, holidays)
    agreement = build(shaped(content, findings), source, findings)
    if now is not None:
        _refuse_later_approvals(agreement, findings, now)
        warn_of_gaps(agreement, findings, now)
    return agreement


def _refuse_later_approvals(agreement: Agreement, findings: Findings, now: datetime) -> None:
    for side, why in later_approvals(agreement, now).items():
        findings.refuse(("approved_by", side, "on"), "not_yet", why)


def _digest(content: Mapping[str, Any], drafts: Mapping[str, Agreement], calendars: Mapping[str, str]) -> str:
    if drafts:
        content = {**content, "@drafts": {name: draft.hash for name, draft in drafts.items()}}
    if calendars:
        content = {**content, "@calendars": {name: text.splitlines() for name, text in calendars.items()}}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def text_of(path: pathlib.Path, encoding: str = "utf-8-sig") -> str:
    """What is written in an agreement file. Raises Misconfigured if it cannot be read."""
    try:
        return path.read_bytes().decode(encoding)
    except FileNotFoundError:
        raise Misconfigured(f"{path}: there is no such file: check the path") from None
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8") from error
    except OSError as error:
        raise Misconfigured(f"{path}: the file can't be read: {error.strerror}") from error
