"""Reads the fields of a posted form from its raw body, in time linear in its size; files are refused."""

import codecs
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import (
    Field,
    File,
    MultipartParser,
    MultipartState,
    create_form_parser,
    parse_options_header,
)

from services.ingest.domain.strict_json import check_bounds
from shared.domain.errors import Refused

MAX_FIELDS = 500
_LONGEST_CONTENT_TYPE = 1024
_BROWSERS_CHARSETS = frozenset(
    {"utf-8", "koi8-r", "koi8-u", "big5", "big5hkscs", "euc_jp", "euc_kr", "gb2312", "gb18030", "gbk", "shift_jis"}
    | {f"cp{number}" for number in (*range(1250, 1259), 866, 874, 932, 949)}
    | {f"iso8859-{number}" for number in range(1, 17)}
)
"""Python's names of what the Encoding Standard lets a form be sent in. Others of its codecs take quadratic time or are
no character sets."""


class BadForm(Refused):
    """The body does not match its content type."""

    status = 400
    title = "The form can't be read"


def read_fields(content_type: str, raw: bytes) -> Mapping[str, list[str]] | None:
    """All values of each field, in order; None if the body is not a form. Raises `Refused`.

    Names and values have the same limits as JSON strings.
    """
    if len(content_type) > _LONGEST_CONTENT_TYPE:
        raise BadForm(f"The content type has more than {_LONGEST_CONTENT_TYPE} characters. Let the browser set it.")
    media, options = parse_options_header(content_type)
    if media.lower() == b"application/x-www-form-urlencoded":
        return _texts(_urlencoded(raw))
    if media.lower() == b"multipart/form-data":
        if not options.get(b"boundary"):
            raise BadForm("The content type has no boundary. Let the browser or client set it.")
        return _texts(_multipart(content_type, raw))
    return None


def _urlencoded(raw: bytes) -> list[tuple[bytes, bytes]]:
    try:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_FIELDS, encoding="latin-1")
    except ValueError:
        raise BadForm(f"A form may have at most {MAX_FIELDS} fields.") from None
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


def _multipart(content_type: str, raw: bytes) -> list[tuple[bytes, bytes]]:
    pairs: list[tuple[bytes, bytes]] = []

    def on_field(found: Field) -> None:
        if len(pairs) >= MAX_FIELDS:
            raise BadForm(f"A form may have at most {MAX_FIELDS} fields.")
        pairs.append((found.field_name or b"", found.value or b""))

    def on_file(found: File) -> None:
        empty = not found.file_name and found.size == 0  # what a browser sends when no file was chosen
        found.close()
        if not empty:
            raise Refused("Files are not accepted. Remove the file field from the form.", pointer="")

    try:
        config = {"MAX_MEMORY_FILE_SIZE": len(raw) + 1}
        parser = create_form_parser({"Content-Type": content_type.encode()}, on_field, on_file, config=config)
        parser.write(raw)
        parser.finalize()
        whole = isinstance(parser.parser, MultipartParser) and parser.parser.state == MultipartState.END
    except FormParserError:
        whole = False
    if not whole:
        raise BadForm("The body is not multipart/form-data, whole and with the boundary of its content type.")
    return pairs


def _texts(pairs: list[tuple[bytes, bytes]]) -> Mapping[str, list[str]]:
    charsets = ("utf-8", *_charset_named_in(pairs), "cp1252")
    fields: dict[str, list[str]] = {}
    for raw_name, value in pairs:
        fields.setdefault(_text(raw_name, charsets), []).append(_text(value, charsets))
    for name, values in fields.items():
        check_bounds({name: values})
    return fields


def _charset_named_in(pairs: list[tuple[bytes, bytes]]) -> tuple[str, ...]:
    """The character set in the hidden field `_charset_`, if it is one that browsers use."""
    named = next((value.decode("latin-1") for name, value in pairs if name == b"_charset_"), "")
    try:
        charset = codecs.lookup(named).name
    except (LookupError, ValueError):
        return ()
    return (charset,) if charset in _BROWSERS_CHARSETS else ()


def _text(raw: bytes, charsets: Sequence[str]) -> str:
    for charset in charsets:
        try:
            return raw.decode(charset).replace("\0", "")
        except UnicodeError:
            continue
    return raw.decode("utf-8", errors="replace").replace("\0", "")
