"""Whatever is sent: every reader of ingest takes time linear in its size, and fails in no way but with a `Problem`."""

import contextlib
import gc
import time
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.api.request import LARGEST_ITEM
from services.ingest.domain.contact_keys import normal_email, normal_phone
from services.ingest.domain.facts import Activity, normal_activity, recorded
from services.ingest.domain.form_fields import ConsentBox
from services.ingest.domain.identity import Identity
from services.ingest.domain.intake import SubmittedLead, forgiving_lead, inquiry, normal_lead
from services.ingest.domain.items import each, split
from services.ingest.domain.strict_json import Reader
from services.ingest.sources import Source, SourceRequest, Unmappable
from services.ingest.sources.form import Form
from services.ingest.sources.google_ads import GoogleAds
from shared.domain.errors import Problem

IDENTITY = Identity(b"a key of at least sixteen bytes")
KEY = "a-key-entered-at-google"
_leads: Reader[SubmittedLead] = Reader(SubmittedLead)
_activities: Reader[Activity] = Reader(Activity)


def _receive(source: Source, raw: bytes, content_type: str = "application/x-www-form-urlencoded") -> None:
    authentic = source.verify(SourceRequest(raw, {"content-type": content_type}, {}))
    with contextlib.suppress(Unmappable):
        for submission in source.map(authentic):
            inquiry(forgiving_lead(submission.lead), identity=IDENTITY, sender="key:k", raw=authentic.redacted)


def form(raw: bytes) -> None:
    _receive(Form("web", consent=ConsentBox()), raw)


def multipart(raw: bytes) -> None:
    _receive(Form("web"), raw, "multipart/form-data; boundary=x")


def content_type(raw: bytes) -> None:
    _receive(Form("web"), b"a=b", raw.decode("latin-1"))


def google(raw: bytes) -> None:
    _receive(GoogleAds("google", keys=[KEY], defaults={}), raw)


def leads(raw: bytes) -> None:
    def made(item: bytes, _number: int) -> None:
        inquiry(normal_lead(_leads.read(item)), identity=IDENTITY, sender="key:k", raw=item)

    each(raw, split(raw, lines=False), made, largest=LARGEST_ITEM)


def lines(raw: bytes) -> None:
    each(raw, split(raw, lines=True), lambda item, _number: _leads.read(item), largest=LARGEST_ITEM)


def activities(raw: bytes) -> None:
    recorded(normal_activity(_activities.read(raw), IDENTITY), sender="k", raw=raw)


def email(raw: bytes) -> None:
    normal_email(raw.decode("latin-1"))


def phone(raw: bytes) -> None:
    normal_phone(raw.decode("latin-1"), "BE")


READERS: Mapping[str, Callable[[bytes], None]] = {
    read.__name__: read for read in (form, multipart, content_type, google, leads, lines, activities, email, phone)
}
JSON_SHAPES = {
    "escaped quotes, no end": (b'"', b'\\"', b""),
    "backslashes, no end": (b'{"a":"', b"\\\\", b""),
    "quotes": (b"", b'"', b""),
    "colons": (b"{", b'":', b""),
    "open brackets": (b"", b"[", b""),
    "open objects": (b"", b'{"a":', b""),
    "brackets": (b"[", b"[],", b"[]]"),
    "lists": (b"[", b"[1],", b"[1]]"),
    "numbers": (b"[", b"1,", b"1]"),
    "one number": (b'{"a":', b"1", b"}"),
    "fraction": (b'{"a":1.', b"1", b"}"),
    "exponent": (b'{"a":1e', b"9", b"}"),
    "blanks": (b"", b" ", b"1"),
    "lines": (b"{", b"\n", b"}"),
    "one key again": (b"{", b'"a":1,', b'"a":1}'),
    "unknown field that looks like a path": (b'{"', b" - at `$.a[0]", b'":1}'),
    "escapes in a key": (b'{"', b"\\u0061", b'":1}'),
    "not UTF-8 at the end": (b'{"a":"', b"x", b'\xff"}'),
    "lines before an error": (b'{"a":1', b"\n", b"]"),
    "items before an error": (b"[", b'{"contact":{"email":"a@b.example"}},', b"{]"),
    "control characters": (b'{"contact":{"email":"a@b.example"},"custom":{"a":["', b'\\u0001","', b'"]}}'),
}
FORM_SHAPES = {
    "one value": (b"a=", b"x", b""),
    "percents": (b"a=", b"%", b""),
    "escaped percents": (b"a=", b"%25", b""),
    "bad escapes": (b"a=", b"%zz", b""),
    "fields": (b"", b"a=1&", b""),
    "same names": (b"", b"a&", b""),
    "equal signs": (b"a=", b"=", b""),
    "plus signs": (b"", b"+", b""),
    "charset punycode": (b"_charset_=punycode&a=", b"%ff-", b""),
    "charset idna": (b"_charset_=idna&a=", b"%ffx.", b""),
    "a long charset": (b"a=%ff&_charset_=", b"x", b""),
    "control characters": (b"a=", b"\x01", b""),
    "an address": (b"email=", b"a.", b"@example.com"),
    "a domain": (b"email=a@", b"xn--a.", b"com"),
    "a number": (b"tel=", b"1(", b""),
    "a name": (b"name=", b"+x", b"&email=a@b.example"),
    "a field's name": (b"", b"-_", b"=1&email=a@b.example"),
}
PART = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
MULTIPART_SHAPES = {
    "almost boundaries": (PART, b"\r\n--", b"\r\n--x--\r\n"),
    "line ends": (PART, b"\r\n", b"\r\n--x--\r\n"),
    "carriage returns": (PART, b"\r", b""),
    "hyphens": (PART, b"-", b""),
    "parts": (b"", PART + b"1\r\n", b"--x--\r\n"),
    "preamble": (b"", b"\r\n", PART),
    "epilogue": (PART + b"1\r\n--x--", b"\r\n", b""),
    "headers": (b"--x\r\n", b"A: b\r\n", b"\r\n\r\n"),
    "a header": (b"--x\r\nContent-Disposition: form-data", b'; a="', b"\r\n\r\n"),
    "semicolons": (b"--x\r\nContent-Disposition: form-data", b";", b"\r\n\r\n"),
    "a name": (b'--x\r\nContent-Disposition: form-data; name="', b'\\"', b'"\r\n\r\n1\r\n--x--\r\n'),
    "base64": (b"--x\r\nContent-Transfer-Encoding: base64\r\n\r\n", b"=", b"\r\n--x--\r\n"),
}
HEADER_SHAPES = {
    "quotes": (b"multipart/form-data", b';"', b""),
    "semicolons": (b"multipart/form-data", b";", b""),
    "escapes": (b'multipart/form-data; boundary="', b'\\"', b""),
    "boundary": (b"multipart/form-data; boundary=", b"x", b""),
}
CONTACT_SHAPES = {
    "quoted": (b'"', b'\\"', b'"@example.com'),
    "dots": (b"a@", b"a.", b"com"),
    "letters": (b"", b"a", b"@example.com"),
    "at signs": (b"", b"@", b"example.com"),
    "non-ASCII": (b"a@", b"\xfc.", b"com"),
    "comments": (b"(", b"(", b")@example.com"),
    "digits": (b"+", b"4", b""),
    "extensions": (b"+32470123456", b" ext 1", b""),
    "hyphens": (b"+1", b"-(", b""),
}
SHAPES: Mapping[str, Mapping[str, tuple[bytes, bytes, bytes]]] = {
    "google": JSON_SHAPES, "leads": JSON_SHAPES, "lines": JSON_SHAPES, "activities": JSON_SHAPES,
    "form": FORM_SHAPES, "multipart": MULTIPART_SHAPES, "content_type": HEADER_SHAPES,
    "email": CONTACT_SHAPES, "phone": CONTACT_SHAPES,
}  # fmt: skip
CASES = [(reader, shape) for reader, shapes in SHAPES.items() for shape in shapes]
SMALL = 60_000
LARGE = LARGEST_ITEM - 1024
ALLOWED_S = 0.02
"""A measure below this says nothing about growth."""


@pytest.fixture
def no_collection() -> Iterator[None]:
    """The garbage collector's time is not the reader's: it depends on what other tests left behind."""
    gc.disable()
    yield
    gc.enable()


def _seconds(read: Callable[[bytes], None], raw: bytes) -> float:
    begun = time.process_time()
    with contextlib.suppress(Problem):
        read(raw)
    return time.process_time() - begun


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(("reader", "shape"), CASES)
def test_the_time_to_read_a_body_grows_no_faster_than_its_size(reader: str, shape: str) -> None:
    read = READERS[reader]
    start, repeated, end = SHAPES[reader][shape]

    def of_size(size: int) -> bytes:
        return start + repeated * ((size - len(start) - len(end)) // len(repeated)) + end

    small = large = float("inf")
    # Other programs can only make a measure longer: the shortest of several, taken in turns, is the reader's own.
    for _ in range(20):
        large = min(large, _seconds(read, of_size(LARGE)))
        small = min(small, _seconds(read, of_size(SMALL)))
        # Linear is a factor of 4.3, quadratic one of 19.
        if large < max(9 * small, ALLOWED_S):
            return
    pytest.fail(f"{LARGE} bytes take {large:.3f} s, {SMALL} bytes {small:.3f} s")


fragments = st.sampled_from(
    [b"a", b"email", b"_charset_", b"undefined", b"utf-7", b"=", b"&", b"%", b"%00", b"%ff", b"%u0041", b"+", b";",
     b"\x00", b"\x01", b"\xff", b"\xed\xa0\x80", b"\r\n", b"\n", b"--x", b"--x--", b"-", b'"', b"\\", b"'", b"@", b".",
     b"a@b.example", b"xn--", b"1", b"1e999999", b"-", b"9" * 400, b"{", b"}", b"[", b"]", b":", b",", b'"\\ud800"',
     b"null", b"true", b'{"contact":', b'"email":', b'"a@b.example"', b'"custom":', b'"google_key":', KEY.encode(),
     b'"user_column_data":[', b'{"column_id":"EMAIL","string_value":', b'"occurred_at":', b'"0000-00-00T00:00:00Z"',
     b'"9999-12-31T23:59:59-23:59"', b'"lead_submit_time":', b"Content-Disposition: form-data; name=", b"Content-Type:",
     b"Content-Transfer-Encoding: base64", b"filename*=utf-8''", b"boundary=", b"multipart/form-data;", b"charset=",
     "\u202e".encode(), "٣".encode(), "İ".encode()]
)  # fmt: skip
PREFIXES = {
    "google": b'{"google_key":"' + KEY.encode() + b'",', "multipart": PART, "content_type": b"multipart/form-data;",
    "leads": b'{"contact":{"email":"a@b.example"},', "activities": b'{"kind":"call",',
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
@settings(max_examples=200)
@given(parts=st.lists(fragments, max_size=12), whole=st.booleans())
def test_no_bytes_make_a_reader_fail_but_with_a_problem(reader: str, parts: list[bytes], whole: bool) -> None:
    raw = b"".join(parts)
    with contextlib.suppress(Problem):
        READERS[reader](PREFIXES.get(reader, b"") + raw if whole else raw)


@pytest.mark.parametrize(
    "charset",
    ["undefined", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf-7", "utf-16", "zlib", "hex", "rot13",
     "%00", "mbcs", "x" * 300, "", "..", "encodings", "utf-8-sig", "shift_jis", "%ff"],
)  # fmt: skip
def test_a_form_is_read_whatever_character_set_it_names(charset: str) -> None:
    source = Form("web")
    body = f"_charset_={charset}&email=a%40b.example&name=J%e4n%ff%00".encode()
    received = SourceRequest(body, {"content-type": "application/x-www-form-urlencoded; charset=undefined"}, {})
    [submission] = source.map(source.verify(received))
    assert submission.lead.contact.email == "a@b.example"
    assert (submission.lead.contact.first_name or "").startswith("J")


def test_a_field_of_a_form_has_the_bound_of_a_json_string() -> None:
    fits, not_quite = b"x" * 16_384, b"x" * 16_385
    form(b"email=a@b.example&message=" + fits)
    with pytest.raises(Problem, match="longer than 16384 bytes"):
        form(b"email=a@b.example&message=" + not_quite)
    with pytest.raises(Problem, match="longer than 16384 bytes"):
        form(b"email=a@b.example&" + not_quite + b"=1")


def _body() -> bytes:
    return b"&".join(f"f{n}=".encode() + b"\x01" * 16_000 for n in range(16))


def test_a_form_that_grows_too_large_when_encoded_is_refused_before_it_is_stored() -> None:
    with pytest.raises(Problem, match="Written as JSON") as refused:
        form(b"email=a@b.example&" + _body())
    assert refused.value.status == 413
