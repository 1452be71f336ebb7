"""Texts that grow: a beginning, a part that repeats, an end. What reads them must take linear time.

Each target has the beginnings and ends that lead to its inner parts; `UNITS` are what repeats.
"""

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.fuzz.targets import BOUNDARY

LARGE = 256 * 1024
"""The size of the largest text in bytes, which is what a form or a platform may send."""
HEADER = 16 * 1024
"""The same for what travels in a header or is one value of a larger text."""
FLOOR_S = 0.15
"""Up to this the larger text may always take: the noise of a busy machine is below it."""
MAX_S = 1.5
"""More than this no text may take, whatever it grows like."""
RATIO = 8.0
"""Four times the size may take eight times as long; quadratic work takes sixteen."""

UNITS = (
    b"\\\"", b"\\", b"\"", b"[", b"{", b"[[]],", b"{\"a\":", b"\"a\":1,", b"\\u0000", b"\\ud800", b"1", b"-", b" ",
    b"\n", b"\r", b"\r\n", b"\t", b"\x00", b"\x01", b"\xff", b"\xc3", b"a", b"a=&", b"&", b"=", b";", b"%", b"%41",
    b"+", b" nv", b" gmbh & co. kg", b"n.v. ", b".", b"a.", b"@", b"a@", b",", b":", b"-a", b"(", b")", b"'", b"the ",
    b"\xe2\x80\xae", b"e\xcc\x81", b"\xef\xb7\xba", b"\xe6\xa0\xaa\xe5\xbc\x8f\xe4\xbc\x9a\xe7\xa4\xbe", b"0", b"9",
    b"#", b"- ", b"? ", b"&a [*a]\n", b"!!x ", b"|\n", b">\n ", b"  - a\n", b"a: b\n", b"\"a\": b\n", b"/", b"?",
    b"[::", b"Mon, ", b"=\r\n", f"--{BOUNDARY}".encode(),
    f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n".encode(),
)  # fmt: skip

_LEAD = b'{"contact":{"email":"jo@example.com"},"company":{"name":"'
_PART = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=".encode()
_CALENDAR = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20261123\r\n"
FRAMES: Mapping[str, tuple[tuple[bytes, bytes], ...]] = {
    "leads": ((b"", b""), (b'"', b""), (b'"', b'"'), (b"[", b"]"), (_LEAD, b'"}}'), (b'{"message":"', b"")),
    "lines": ((b"", b""), (b'"', b"")),
    "activities": ((b"", b""), (b'"', b""), (b'{"text":"', b"")),
    "form": ((b"", b""), (b"email=jo@example.com&company=", b""), (b"_charset_=", b"&a=b"), (b"phone=", b"")),
    "multipart": ((b"", b""), (_PART + b"a\r\n\r\n", b""), (_PART + b'"', b""), (_PART + b"a; filename=", b"")),
    "content_type": ((b"", b""), (b"multipart/form-data; boundary=", b""), (b'a/b; c="', b""), (b"a/b; ", b"")),
    "google": ((b"", b""), (b'"', b""), (b'{"user_column_data":[', b"]}"), (b'{"google_key":"', b'"}')),
    "company": ((b"", b""), (b"Acme", b""), (b"a.", b".example")),
    "email": ((b"", b""), (b"jo@", b""), (b"", b"@example.com"), (b'"', b'"@example.com')),
    "phone": ((b"", b""), (b"+32", b""), (b"+32 470 12 34 56 ext. ", b"")),
    "record": ((b"", b""), (b'"', b""), (b'{"lead_id":"', b'"}')),
    "record_headers": ((b"", b""), (b"a\nb\nc\n", b"")),
    "calendar": ((b"", b""), (_CALENDAR, b"END:VEVENT\r\nEND:VCALENDAR"), (_CALENDAR + b"SUMMARY:", b"")),
    "rota": ((b"", b""), (_CALENDAR, b"END:VEVENT\r\nEND:VCALENDAR"), (_CALENDAR + b"RRULE:", b"")),
    "agreement": ((b"", b""), (b"agreement: ", b""), (b"people:\n", b""), (b'agreement: "', b'"'), (b"a: [", b"]")),
    "retry_after": ((b"", b""), (b"Mon, 20 Nov 2026 12:00:00 ", b""), (b"Mon, 20 Nov ", b" 12:00:00 GMT")),
    "authorization": ((b"", b""), (b"Bearer ", b""), (b"Basic ", b"")),
    "endpoint": ((b"", b""), (b"https://", b""), (b"https://example.com/", b""), (b"https://[", b"]/")),
}


@dataclass(frozen=True)
class Text:
    """A text that can be had in any size."""

    start: bytes
    unit: bytes
    end: bytes

    def of(self, size: int) -> bytes:
        """The text with about `size` bytes."""
        return self.start + self.unit * (size // len(self.unit)) + self.end


def texts(target: str) -> Iterator[Text]:
    """All texts for a target."""
    return (Text(start, unit, end) for start, end in FRAMES[target] for unit in UNITS)


def largest(target: str) -> int:
    """The size of the largest text that a target is given. YAML is read at 20 microseconds a byte, so agreements from
    outside are read in a process with limits, and large ones would take minutes here."""
    small = ("content_type", "email", "phone", "retry_after", "authorization", "endpoint", "agreement")
    return HEADER if target in small else LARGE


def too_slow(work: Callable[[bytes], object], text: Text, size: int = LARGE) -> str | None:
    """How `work` grows faster than its text; None when it does not. Slow once may be the machine: looks three times."""
    for _ in range(3):
        large_s = _timed(work, text.of(size))
        if large_s <= FLOOR_S:
            return None
        small_s = _timed(work, text.of(size // 4))
        if large_s <= RATIO * small_s and large_s <= MAX_S:
            return None
    return f"{text}: {small_s:.3f} s for {size // 4} bytes, {large_s:.3f} s for {size}"


def _timed(work: Callable[[bytes], object], data: bytes) -> float:
    gc.freeze()  # a collection meanwhile walks what the work made, not all that the test run holds
    try:
        began = time.process_time()
        work(data)
        return time.process_time() - began
    finally:
        gc.unfreeze()
