"""Parses YAML 1.2 into plain values with positions: no YAML 1.1 types, no anchors, no tags.

The values are mappings with text keys, lists, text, numbers and booleans; dates stay text.
"""

from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scanner import Scanner

from shared.agreement_file.text.findings import AgreementRefused, Finding, Findings, Path, Position, Positions

MAX_DEPTH = 100
"""Lists and mappings inside each other: the format needs about ten, and deeper ones take quadratic time to read."""
MAX_NODES = 500_000
"""Keys, values, lists and mappings of one file: a team of 10,000 in 500 pools has about 100,000."""

_TAG = "tag:yaml.org,2002:"
_WORDS = {"true": True, "false": False}
_NOT_A_MAPPING = "an agreement is a mapping that begins with a line like `agreement: my-agreement`"


@dataclass(frozen=True, slots=True)
class Document:
    """The content of a file as plain values, and the findings made so far, which know every position."""

    content: dict[str, Any]
    findings: Findings


def read(text: str, name: str) -> Document:
    """The document in `text`. Raises AgreementRefused if it is not a YAML mapping.

    Lesser errors (a duplicate key, a key without a value, an anchor) are in the findings: check them before use.
    """
    root = _composed(text, name)
    if root is None:
        raise AgreementRefused(name, [Finding(1, 1, "empty", f"the file is empty: {_NOT_A_MAPPING}")])
    if not isinstance(root, MappingNode):
        raise AgreementRefused(name, [Finding(*_place(root), "not_a_mapping", f"this is no mapping: {_NOT_A_MAPPING}")])
    walk = _Walk()
    content = walk.value(root, ())
    if content is None:  # the whole file has an anchor or a tag
        raise AgreementRefused(name, walk.findings.refusals)
    return Document(content, walk.findings)


class _TooLarge(MarkedYAMLError):
    """The file exceeds a bound at `problem_mark`."""


def _too_deep(mark: Any) -> _TooLarge:
    problem = f"lists or mappings are nested too deeply: use at most {MAX_DEPTH} levels"
    return _TooLarge(problem=problem, problem_mark=mark)


class _BoundedScanner(Scanner):
    """Stops at a bracket too many. It reads a kilobyte ahead of the composer, and each bracket costs a look at all open
    ones.
    """

    def fetch_flow_collection_start(self, token: Any, to_push: str) -> None:
        if self.flow_level >= MAX_DEPTH:
            raise _too_deep(self.reader.get_mark())
        super().fetch_flow_collection_start(token, to_push)


class _BoundedComposer(Composer):
    """Stops at the first node beyond a bound, before the rest of the file is read."""

    _depth = 0
    _nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        self._nodes += 1
        if self._depth > MAX_DEPTH:
            raise _too_deep(self.parser.peek_event().start_mark)
        if self._nodes > MAX_NODES:
            problem = f"the file has more than {MAX_NODES:,} keys and values: make it shorter"
            raise _TooLarge(problem=problem, problem_mark=self.parser.peek_event().start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _composed(text: str, name: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = _BoundedScanner
    yaml.Composer = _BoundedComposer
    yaml.composer.warn_double_anchors = False
    try:
        root: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        raise AgreementRefused(name, [_syntax(error, text)]) from error
    except ReaderError as error:
        before = text[: error.position]
        place = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        message = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML: remove it"
        raise AgreementRefused(name, [Finding(*place, "yaml", message)]) from error
    return root


def _syntax(error: MarkedYAMLError, text: str) -> Finding:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = text.splitlines()
    rest = lines[line][column:] if line < len(lines) else ""
    message = f"this is not YAML: {error.problem or error.context}"
    if isinstance(error, _TooLarge):
        message = str(error.problem)
    elif rest.startswith("\t"):
        message = "a tab: YAML is indented with spaces only"
    elif rest.startswith(">") or error.context == "while scanning a block scalar":
        message = 'an operator such as > or >= has to stand in quotes: op: ">="'
    elif error.context == "expected a single document in the stream":
        message = "a second document begins here: an agreement is one document"
    elif error.context and error.context_mark:
        message += f" ({error.context} that begins on line {error.context_mark.line + 1})"
    elif error.problem and error.problem.startswith("mapping values"):
        message = "a second colon in one line, or wrong indentation: put text that holds `: ` in quotes"
    return Finding(line + 1, column + 1, "yaml", message)


def _place(node: Node) -> Position:
    return node.start_mark.line + 1, node.start_mark.column + 1


@dataclass(slots=True)
class _Walk:
    """Turns nodes into values and writes down where each stood."""

    keys: dict[Path, Position] = field(default_factory=dict)
    values: dict[Path, Position] = field(default_factory=dict)
    quotes: dict[Path, str] = field(default_factory=dict)
    findings: Findings = field(init=False)

    def __post_init__(self) -> None:
        self.findings = Findings(Positions(self.keys, self.values, self.quotes))

    def value(self, node: Node, path: Path) -> Any:
        self.values[path] = _place(node)
        if node.anchor:
            self.findings.refuse(path, "anchor", "anchors and aliases (& and *) are not read: write the value out")
            return None
        if not isinstance(node, ScalarNode) and node.tag not in (f"{_TAG}map", f"{_TAG}seq"):
            self.findings.refuse(path, "tag", f"the tag {node.tag} is not read: remove it")
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path) if isinstance(node, ScalarNode) else None

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key, value in node.value:
            name = self._key(key, path)
            if name is None:
                continue
            if name in content:
                line, column = self.keys[*path, name]
                again = f"`{name}` was given before, at {line}:{column}: keep one"
                self.findings.refusals.add(Finding(*_place(key), "duplicate_key", again))
                continue
            self.keys[*path, name] = _place(key)
            content[name] = self.value(value, (*path, name))
        return content

    def _key(self, key: Node, path: Path) -> str | None:
        if isinstance(key, ScalarNode) and key.tag in (f"{_TAG}str", f"{_TAG}timestamp") and not key.anchor:
            return str(key.value)
        shown = f"`{key.value}`" if isinstance(key, ScalarNode) else "this"
        message = f"{shown} can't be a key: keys are text; put it in quotes if it is meant so"
        self.findings.refusals.add(Finding(*_place(key), "key", message))
        return None

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        kind = str(node.tag).removeprefix(_TAG)
        if kind in ("str", "timestamp"):
            if any("\ud800" <= letter <= "\udfff" for letter in node.value):
                self.findings.refuse(path, "wrong_value", "half of a character (a lone surrogate): write the whole one")
                return None
            self._note_quotes(node, path)
            return node.value
        if kind == "null":
            self.values[path] = self.keys.get(path, self.values[path])
            self.findings.refuse(path, "no_value", f"{_named(path)} has no value: write one, or remove it")
            return None
        try:
            return _read_scalar(kind, node.value)
        except (KeyError, ValueError):
            message = f"`{node.value[:60]}` can't be read as {kind.lstrip('!')}: put it in quotes if it is text"
            self.findings.refuse(path, "wrong_value", message)
            return None

    def _note_quotes(self, node: ScalarNode, path: Path) -> None:
        quote = node.style if node.style in ("'", '"') else ""
        length = node.end_mark.column - node.start_mark.column
        doubled = node.value.count("'") if quote == "'" else 0
        # Text that is longer in the file has escapes or continues on the next line.
        if node.start_mark.line == node.end_mark.line and length == len(node.value) + 2 * len(quote) + doubled:
            self.quotes[path] = quote


def _named(path: Path) -> str:
    return f"`{path[-1]}`" if path and isinstance(path[-1], str) else "this item"


def _read_scalar(kind: str, written: str) -> object:
    if kind == "bool":
        return _WORDS[written.casefold()]
    digits = written.replace("_", "")
    if kind == "int":
        number = int(digits, 0)
        if abs(number) >= 1 << 63:
            raise ValueError
        return number
    if kind == "float":
        return float(digits.replace(".inf", "inf").replace(".nan", "nan"))
    raise KeyError(kind)
