"""The agreement file: YAML that both sides sign, read with positions, checked, and frozen into a value.

An agreement that could drop a lead silently does not load, and everything that is wrong is told at once, each with
`file:line:column`, what is wrong and what would be right. What the product does not do yet is refused by name.
"""

import hashlib
import json
import pathlib
from dataclasses import dataclass

from shared.agreement_file.building import Source, build
from shared.agreement_file.findings import AgreementRefused, Finding
from shared.agreement_file.reading import read
from shared.agreement_file.shapes import shaped
from shared.domain.agreement import Agreement
from shared.domain.errors import Misconfigured

__all__ = ["AgreementRefused", "Finding", "Loaded", "load", "parse"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """An agreement that can take effect, and what is odd about it without endangering leads, in order of the file."""

    agreement: Agreement
    warnings: tuple[Finding, ...]


def load(path: pathlib.Path) -> Loaded:
    """The agreement in a UTF-8 file.

    Raises AgreementRefused with all findings, or Misconfigured when the file can't be read at all.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise Misconfigured(f"{path}: there is no such file: check the path") from None
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8") from error
    except OSError as error:
        raise Misconfigured(f"{path}: the file can't be read: {error.strerror}") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Loaded:
    """The agreement in a text, which is kept exactly; `name` stands for the file in messages.

    Its hash is `sha256:` and the digest of the content as JSON with sorted keys, so comments, layout and the order of
    keys don't change it, and everything else does. Raises AgreementRefused with all findings.
    """
    document = read(text, name)
    canonical = json.dumps(document.content, sort_keys=True, separators=(",", ":"))
    digest = f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
    findings = document.findings
    agreement = build(shaped(document.content, findings), Source(document.content, text, digest), findings)
    if findings.refusals:
        raise AgreementRefused(name, findings.refusals)
    return Loaded(agreement, tuple(sorted(findings.warnings)))
