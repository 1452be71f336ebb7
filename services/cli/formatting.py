"""`./baton agreement fmt`: formats an agreement file. Writes only if something changes."""

import tempfile
from pathlib import Path

from shared.agreement_file import formatted, text_of
from shared.domain.errors import Misconfigured


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
        whole = file.resolve()
        with tempfile.NamedTemporaryFile("wb", dir=whole.parent, prefix=f".{whole.name}.", delete=False) as new:
            new.write(after.encode())
        Path(new.name).chmod(whole.stat().st_mode)
        Path(new.name).replace(whole)
    except OSError as wrong:
        raise Misconfigured(f"{file} can't be written ({wrong.strerror}). Nothing was changed.") from wrong
    return True
