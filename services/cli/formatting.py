"""`./baton agreement fmt`: formats an agreement file. Writes only if something changes."""

from pathlib import Path

from shared.agreement_file import formatted, text_of
from shared.domain.errors import Misconfigured
from shared.whole_file import replace_file


def needs_formatting(file: Path) -> bool:
    """Whether formatting would change the file. Raises `Misconfigured` if it cannot be read or is not YAML."""
    text = text_of(file, "utf-8")
    return formatted(text) != text


def format_file(file: Path) -> bool:
    """Format the file and return whether it changed. It is replaced atomically.

    Raises `Misconfigured` if it cannot be read or written, or is not YAML.
    """
    text = text_of(file, "utf-8")
    after = formatted(text)
    if after == text:
        return False
    try:
        replace_file(file.resolve(), after.encode(), mode=file.stat().st_mode)
    except OSError as wrong:
        raise Misconfigured(f"{file} can't be written ({wrong.strerror}). Nothing was changed.") from wrong
    return True
