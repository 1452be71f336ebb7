"""`./baton agreement fmt`: an agreement file in its one layout, written only when that changes it."""

import tempfile
from pathlib import Path

from shared.agreement_file.formatting import formatted
from shared.domain.errors import Misconfigured


def needs_formatting(file: Path) -> bool:
    """Whether the layout of a file is another one. Raises `Misconfigured` when it can't be read, or is no YAML."""
    text = _text(file)
    return formatted(text) != text


def format_file(file: Path) -> bool:
    """Lay the file out again; returns whether that changed it. It is replaced in one step, so never seen half written.

    Raises `Misconfigured` when it can't be read or written, or is no YAML.
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
