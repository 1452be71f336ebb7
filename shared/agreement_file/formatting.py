"""The canonical layout of agreement files: blocks in the order of the guide, uniform spacing, comments preserved.

Formatting never changes what a file means, so its content hash stays the same.
"""

import io
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.resolver import VersionedResolver

from shared.agreement_file.schema.agreement_schema import AgreementBlocks
from shared.agreement_file.text.findings import AgreementRefused
from shared.agreement_file.text.yaml_document import read

ORDER = tuple(AgreementBlocks.model_fields)
"""The blocks in the order of the guide; others come last, in the order of the file."""

_CLOSE = ("version", "effective_from", "approved_by", "timezone", "currency", "review", "decay")
"""Blocks that no empty line sets apart from the one before."""
_WIDEST = 120


@dataclass(frozen=True, slots=True)
class _Chunk:
    """One block with the comments right above it."""

    key: str
    lines: tuple[str, ...]


def formatted(text: str) -> str:
    """The text in canonical layout, with the same content and comments. Idempotent.

    A part that cannot be formatted without loss (a comment inside a list in brackets) stays unchanged. So does the
    whole text if a key or value cannot be read (an anchor, a key without a value). Raises AgreementRefused if the text
    is not a YAML mapping; other errors in the agreement do not matter here.
    """
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    head, chunks = _split(plain)
    if not chunks:
        return text
    chunks.sort(key=lambda chunk: ORDER.index(chunk.key) if chunk.key in ORDER else len(ORDER))
    laid_out = "\n".join([*head, *([""] if head else []), *_joined(chunks)]) + "\n"
    # Better an ugly file than another agreement.
    return laid_out if _content(laid_out) == _content(plain) else text


def _split(text: str) -> tuple[list[str], list[_Chunk]]:
    """The comment at the top of the file, and the blocks; none when they can't be taken apart."""
    document = read(text, "the agreement")
    places = {document.findings.positions.of_key((key,)): key for key in document.content}
    if document.findings.refusals or any(column != 1 for _, column in places):
        return [], []
    lines = [line.rstrip() for line in text.split("\n")]
    begins: list[int] = []
    for line, _ in sorted(places):
        begin = line - 1
        floor = begins[-1] + 1 if begins else 0
        while begin > floor and (not lines[begin - 1] or lines[begin - 1].startswith("#")):
            begin -= 1
        begins.append(begin)
    first = min(places)[0] - 1
    blank = max((at for at in range(begins[0], first) if not lines[at]), default=None)
    head = _trimmed(lines[: begins[0] if blank is None else blank])
    begins[0] = begins[0] if blank is None else blank
    ends = [*begins[1:], len(lines)]
    keys = [places[place] for place in sorted(places)]
    return head, [_Chunk(key, _spaced(_trimmed(lines[a:b]))) for key, a, b in zip(keys, begins, ends, strict=True)]


def _trimmed(lines: list[str]) -> list[str]:
    """Without empty lines at both ends, and no two in a row."""
    single = [line for at, line in enumerate(lines) if line or (at and lines[at - 1])]
    return single[(1 if single and not single[0] else 0) : (-1 if single and not single[-1] else None)]


def _joined(chunks: list[_Chunk]) -> list[str]:
    lines: list[str] = []
    for chunk in chunks:
        if lines and (chunk.key not in _CLOSE or chunk.lines[0].startswith("#")):
            lines.append("")
        lines.extend(chunk.lines)
    return lines


def _spaced(lines: list[str]) -> tuple[str, ...]:
    """The lines of one block with canonical indentation and spacing; as they are when something would be lost."""
    before = "\n".join(lines)
    try:
        once = _dumped(before)
        same = _content(once) == _content(before) and _comments(once) == _comments(before) and _dumped(once) == once
    except (YAMLError, AgreementRefused, ValueError, RecursionError):
        return tuple(lines)
    wider = max(map(len, once.split("\n"))) > max(_WIDEST, *map(len, lines))
    return tuple(once.split("\n")) if same and not wider else tuple(lines)


class _AsWritten(VersionedResolver):
    """Reads every value as text, so that it is written unchanged."""

    @property
    def versioned_resolver(self) -> dict[str, Any]:
        """How values other than text are recognised: not at all."""
        return {}


def _dumped(text: str) -> str:
    yaml: Any = YAML()
    yaml.Resolver = _AsWritten
    yaml.preserve_quotes = True
    yaml.width = 10**6
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    yaml.dump(yaml.load(text), out)
    lines = _trimmed([line.rstrip() for line in out.getvalue().split("\n")])
    return "\n".join(_aligned(lines))


def _aligned(lines: list[str]) -> list[str]:
    """Comment lines indented like the line that they speak of: the next one, or the last."""
    indents: list[int] = []
    for line in reversed(lines):
        bare = line.lstrip()
        before = indents[-1] if indents else 0
        indents.append(before if not bare or (bare.startswith("#") and indents) else len(line) - len(bare))
    indents.reverse()
    return [
        " " * indent + line.lstrip() if line.lstrip().startswith("#") else line
        for indent, line in zip(indents, lines, strict=True)
    ]


def _content(text: str) -> dict[str, Any]:
    return read(text, "the agreement").content


def _comments(text: str) -> list[str]:
    """What looks like a comment, in order; a `#` inside of text counts too, as it stays where it is."""
    return [line[line.index("#") :] for line in text.split("\n") if "#" in line]
