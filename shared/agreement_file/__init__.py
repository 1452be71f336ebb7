"""The agreement file: YAML that both sides sign, parsed with positions, checked, and turned into an immutable value.

An agreement that could silently drop a lead does not load. All errors are reported together, each with
`file:line:column`, the problem and how to fix it. What Baton does not support yet is refused by name, or loads with a
warning.
"""

import hashlib
import json
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from shared.agreement_file.build.assembly import AgreementSource, build
from shared.agreement_file.build.pilots import draft_names, is_next_to_it, refuse_pilots_of_a_draft
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
    """The agreement in a UTF-8 file, with the drafts of its pilots, which lie next to it. With `now`, approvals of a
    later day are refused.

    Raises AgreementRefused with all findings, or Misconfigured if the file cannot be read.
    """
    text = text_of(path)
    named = draft_names(read(text, str(path)).content) if "pilots" in text else ()
    drafts = {name: path.parent / name for name in named if is_next_to_it(name)}
    texts = {name: text_of(file) for name, file in drafts.items() if file.exists()}
    return parse(text, str(path), texts, now)


def parse(text: str, name: str, drafts: Mapping[str, str] | None = None, now: datetime | None = None) -> Loaded:
    """The agreement in a text, which is stored unchanged. `name` is the file's name in messages; `drafts` are the texts
    of its pilots' agreements, by the names used in the text. With `now`, approvals of a later day are refused.

    The hash is `sha256:` and the digest of the content as JSON with sorted keys. Comments, layout and the order of keys
    do not change it; any other change does, also in a draft. Raises AgreementRefused with all findings.
    """
    document = read(text, name)
    findings, given, agreements = document.findings, drafts or {}, dict[str, Agreement]()
    named = draft_names(document.content)
    for draft, path in named.items():
        if not is_next_to_it(draft):
            findings.refuse(path, "wrong_value", f"`{draft}` has to lie next to the agreement: write its name alone")
        elif draft not in given:
            findings.refuse(path, "no_draft", f"there is no file `{draft}` next to the agreement: check the name")
        else:
            agreements |= _draft(draft, given[draft], name, document, now)
    texts = {draft: given[draft] for draft in named if draft in given}
    source = AgreementSource(document.content, text, _digest(document, agreements), texts, agreements)
    agreement = build(shaped(document.content, findings), source, findings)
    _refuse_later_approvals(agreement, findings, now)
    if findings.refusals:
        raise AgreementRefused(name, findings.refusals)
    return Loaded(agreement, in_order(findings.warnings))


def _draft(draft: str, text: str, name: str, whole: Document, now: datetime | None) -> dict[str, Agreement]:
    """The agreement of a draft by its name, empty if it was refused. Its findings are added to those of the whole."""
    file = str(pathlib.PurePath(name).parent / draft)
    findings = whole.findings
    try:
        document = read(text, file)
        refuse_pilots_of_a_draft(document.content, document.findings)
        agreement = build(
            shaped(document.content, document.findings),
            AgreementSource(document.content, text, _digest(document, {}), {}, {}),
            document.findings,
        )
        _refuse_later_approvals(agreement, document.findings, now)
    except AgreementRefused as refused:
        findings.refusals |= {replace(finding, file=file) for finding in refused.findings}
        return {}
    findings.refusals |= {replace(finding, file=file) for finding in document.findings.refusals}
    findings.warnings |= {replace(finding, file=file) for finding in document.findings.warnings}
    return {} if document.findings.refusals else {draft: agreement}


def _refuse_later_approvals(agreement: Agreement, findings: Findings, now: datetime | None) -> None:
    for side, why in later_approvals(agreement, now).items() if now is not None else ():
        findings.refuse(("approved_by", side, "on"), "not_yet", why)


def _digest(document: Document, drafts: Mapping[str, Agreement]) -> str:
    content = document.content
    if drafts:
        content = content | {"@drafts": {name: draft.hash for name, draft in drafts.items()}}
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
