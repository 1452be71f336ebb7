"""A file that is replaced whole or not at all, whatever stops the writer."""

import os
import tempfile
from pathlib import Path


def replace_file(file: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write `content` to `file`; it is on disk when this returns. Raises `OSError`; then the file is as it was."""
    descriptor, new = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as writing:
            writing.write(content)
            writing.flush()
            os.fsync(descriptor)
        Path(new).chmod(mode)
        Path(new).replace(file)
    except BaseException:
        Path(new).unlink(missing_ok=True)
        raise
