"""Text from outside, made safe to show: what moves a cursor, hides or turns other words around is spelled out.

Unicode's bidirectional controls reorder the words that follow them; escape sequences reach a terminal.
"""

import re

_UNSAFE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]|\r(?!\n)"
)
_LINES = re.compile(r"[\t\r\n]")


def printable(text: str, *, lines: bool = False) -> str:
    r"""The text with unsafe characters as `[U+202E]`; with `lines`, tabs and ends of lines stay.

    >>> printable("Jo\u202e\x1b[2J")
    'Jo[U+202E][U+001B][2J'
    >>> printable("a\nb"), printable("a\nb", lines=True)
    ('a[U+000A]b', 'a\nb')
    """
    safe = _UNSAFE.sub(_spelled, text)
    return safe if lines else _LINES.sub(_spelled, safe)


def printable_json(document: str) -> str:
    r"""The same for JSON, whose values stay what they are.

    >>> printable_json('{"name": "\u202eJo"}')
    '{"name": "\\u202eJo"}'
    """
    return _UNSAFE.sub(_escaped, document)


def _spelled(found: "re.Match[str]") -> str:
    return f"[U+{ord(found[0]):04X}]"


def _escaped(found: "re.Match[str]") -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
