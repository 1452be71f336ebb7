"""`./baton agreement fmt`: formats an agreement file. Writes only if something changes."""

import tempfile
from pathlib import Path

from shared.agreement_file.formatting import formatted
from shared.domain.errors import Misconfigured


def needs_formatting(file: Path) -> bool:
    """Whether formatting would change the file. Raises `Misconfigured` if it cannot be read or is not YAML."""
    text = _text(file)
    return formatted(text) != text


def format_file(file: Path) -> bool:
    """Format the file and return whether it changed. It is replaced atomically.

    Raises `Misconfigured` if it cannot be read or written, or is not YAML.
    """
    text = _text(file)
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


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except FileNotFoundError:
        raise Misconfigured(f"{file}: there is no such file: check the path") from None
    except UnicodeDecodeError as wrong:
        raise Misconfigured(f"{file}: byte {wrong.start} is not UTF-8: save the file as UTF-8") from wrong
    except OSError as wrong:
        raise Misconfigured(f"{file}: the file can't be read: {wrong.strerror}") from wrong
