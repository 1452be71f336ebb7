"""Reads the file that `BATON_SOURCES` names: the sources and their options.

Secrets are in the environment (`env:NAME`) or in a file (`file:PATH`), never here. Every error names the line.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from services.ingest.domain.form_fields import FORM_FIELDS, TICKED, ConsentBox
from services.ingest.sources import Source
from services.ingest.sources.form import Form
from services.ingest.sources.google_ads import GoogleAds
from shared.domain.errors import Misconfigured

_NAME_RULE = "lower-case letters, digits, '-' and '_'"
_SHORTEST_SECRET = 16
Environ = Mapping[str, str]


class _Defaults(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    kind: str | None = None
    channel: str | None = None
    campaign: str | None = None


class _Consent(msgspec.Struct, forbid_unknown_fields=True):
    field: str | None = None
    basis: str = "opt_in"
    text: str | None = None
    values: list[str] = msgspec.field(default_factory=lambda: list(TICKED))


class _Form(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="form"):
    token_from: str | None = None
    public: bool = False
    origins: list[str] = []
    thank_you: list[str] = []
    honeypot: str | None = None
    fields: dict[str, str] = {}
    consent: _Consent = msgspec.field(default_factory=_Consent)
    defaults: _Defaults = msgspec.field(default_factory=_Defaults)


class _GoogleAds(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="google_ads"):
    key_from: str | list[str]
    defaults: _Defaults = msgspec.field(default_factory=_Defaults)


class _Wrong(Exception):
    """Something is wrong at `field` of a source ("" for the source itself)."""

    def __init__(self, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.field = field


def load(path: Path, environ: Environ) -> Mapping[str, Source]:
    """The sources by name. Raises `Misconfigured` with `file:line` and what to do."""
    try:
        root = YAML(typ="safe", pure=True).compose(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as wrong:
        raise Misconfigured(f"BATON_SOURCES names {path}, which can't be read: {wrong}") from wrong
    except (MarkedYAMLError, ReaderError) as wrong:
        mark = getattr(wrong, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        raise Misconfigured(f"{path}:{line}: this is not YAML: {getattr(wrong, 'problem', wrong)}") from None
    listed = _entries(root, path, "the file") if root is not None else {}
    if set(listed) != {"sources"}:
        raise Misconfigured(f"{path}:1: the file must have one key, 'sources', with a source under each name.")
    sources: dict[str, Source] = {}
    for name, node in _entries(listed["sources"], path, "'sources'").items():
        try:
            sources[name] = _source(name, _plain(node, path), environ)
        except _Wrong as wrong:
            place = _line(node, wrong.field)
            raise Misconfigured(f"{path}:{place}: source {name!r}: {wrong}") from None
    return sources


def _source(name: str, content: object, environ: Environ) -> Source:
    if not name or set(name) - set("abcdefghijklmnopqrstuvwxyz0123456789-_"):
        raise _Wrong(f"a source's name is part of its URL: use {_NAME_RULE} only.")
    try:
        kind = msgspec.convert(content, _Form | _GoogleAds)
    except msgspec.ValidationError as wrong:
        message, _, at = str(wrong).partition(" - at `$.")
        field = at.rstrip("`").partition(".")[0].partition("[")[0]
        unknown = message.partition("unknown field `")[2].rstrip("`")
        raise _Wrong(f"{message.replace('`', chr(39))}. See deploy/sources.example.yaml.", field or unknown) from None
    if isinstance(kind, _Form):
        return _form(name, kind, environ)
    where = kind.key_from if isinstance(kind.key_from, list) else [kind.key_from]
    if not where:
        raise _Wrong("give at least one key in 'key_from'.", "key_from")
    keys = [_secret(text, environ, "key_from") for text in where]
    return GoogleAds(name, keys=keys, defaults=_given(kind.defaults))


def _form(name: str, form: _Form, environ: Environ) -> Source:
    if (form.token_from is None) != form.public:
        raise _Wrong("give either 'token_from' (then post to '...?token=...') or 'public: true'.", "token_from")
    for field in form.fields:
        if field not in FORM_FIELDS:
            raise _Wrong(f"a form has no field {field!r} to rename. There are: {', '.join(FORM_FIELDS)}.", "fields")
    for origin in form.origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}":
            raise _Wrong(f"{origin!r} is no origin. Write it as https://www.example.com, without a path.", "origins")
    for page in form.thank_you:
        if urlsplit(page).scheme not in ("http", "https") or not (page.isascii() and page.isprintable()):
            raise _Wrong(f"{page!r} is no address of a page. Write it whole, with https://.", "thank_you")
    return Form(
        name=name,
        token=_secret(form.token_from, environ, "token_from") if form.token_from else None,
        origins=frozenset(form.origins),
        thank_you=tuple(form.thank_you),
        honeypot=form.honeypot,
        fields=form.fields,
        defaults=_given(form.defaults),
        consent=_box(form.consent),
    )


def _box(consent: _Consent) -> ConsentBox:
    values = tuple(value.strip() for value in consent.values)
    if not all(values):
        raise _Wrong("an empty value is what an unticked box sends. List what a ticked one sends.", "consent")
    return ConsentBox(consent.field, consent.basis, consent.text, values)


def _given(defaults: _Defaults) -> Mapping[str, str]:
    return {name: value for name in ("kind", "channel", "campaign") if (value := getattr(defaults, name))}


def _secret(where: str, environ: Environ, field: str) -> str:
    kind, _, name = where.partition(":")
    try:
        if kind == "env":
            value = environ[name].strip()
        elif kind == "file":
            value = Path(name).read_text(encoding="utf-8").strip()
        else:
            raise _Wrong("a secret does not stand in this file: write 'env:NAME' or 'file:PATH'.", field)
    except KeyError:
        raise _Wrong(f"the environment has no {name}. Set it to the secret.", field) from None
    except (OSError, UnicodeDecodeError):
        raise _Wrong(f"{name} can't be read. Put the secret there, readable for this service.", field) from None
    if len(value) < _SHORTEST_SECRET:
        raise _Wrong(f"the secret in {where} has fewer than {_SHORTEST_SECRET} characters. Make a longer one.", field)
    return value


def _entries(node: Node, path: Path, what: str) -> dict[str, Node]:
    if not isinstance(node, MappingNode):
        raise Misconfigured(f"{path}:{node.start_mark.line + 1}: {what} must be a mapping of names.")
    entries: dict[str, Node] = {}
    for key, value in node.value:
        if key.value in entries:
            raise Misconfigured(f"{path}:{key.start_mark.line + 1}: {key.value!r} is there twice. Remove one.")
        entries[str(key.value)] = value
    return entries


def _plain(node: Node, path: Path) -> Any:
    if isinstance(node, MappingNode):
        return {name: _plain(value, path) for name, value in _entries(node, path, "this").items()}
    if isinstance(node, SequenceNode):
        return [_plain(value, path) for value in node.value]
    assert isinstance(node, ScalarNode)  # noqa: S101 (YAML has three kinds of nodes)
    if node.tag == "tag:yaml.org,2002:bool":
        return node.value.lower() == "true"
    return None if node.tag == "tag:yaml.org,2002:null" else node.value


def _line(node: Node, field: str) -> int:
    if isinstance(node, MappingNode):
        for key, _ in node.value:
            if key.value == field:
                return int(key.start_mark.line) + 1
    return int(node.start_mark.line) + 1
