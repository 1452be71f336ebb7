"""The static files, read once. Each is served under a digest of its content and may be cached forever."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
_MEDIA = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One static file."""

    name: str
    digest: str
    media_type: str
    body: bytes

    @property
    def path(self) -> str:
        """Where pages find it."""
        return f"/static/{self.digest}/{self.name}"


def read_assets(folder: Path = FOLDER) -> dict[str, Asset]:
    """All static files by name."""
    found = {}
    for file in sorted(folder.iterdir()):
        body = file.read_bytes()
        found[file.name] = Asset(file.name, sha256(body).hexdigest()[:16], _MEDIA[file.suffix], body)
    return found
