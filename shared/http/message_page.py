"""A page with one message, and the headers that every page has."""

from html import escape

from fastapi.responses import HTMLResponse, Response

from shared.domain.printable import printable

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action {forms}; frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "content-security-policy": _POLICY.format(forms="'none'"),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
FORM_HEADERS = {**PAGE_HEADERS, "content-security-policy": _POLICY.format(forms="'self'")}
"""Of a page with a form that posts to Baton."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Baton</title>
<link rel="stylesheet" href="/static/current/scoreboard.css">
</head>
<body>
<main class="message">
<h1>{title}</h1>
<p>{detail}</p>
<p><a class="button" href="{back}">Back</a></p>
</main>
</body>
</html>
"""


def message_page(title: str, detail: str, back: str, *, status: int = 200) -> Response:
    """A page that says `detail` and leads `back`, a path."""
    shown = _PAGE.format(title=escape(title), detail=escape(printable(detail)), back=escape(back))
    return HTMLResponse(shown, status, headers=PAGE_HEADERS)
