"""The broker's jars: exactly the files that `deploy/kafka/jars.lock.toml` names, or an error. A jar that is not yet
on this machine is fetched once from the Maven repository that jgo is set up for; every jar is checked against its
sha256 before use.
"""

import hashlib
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jgo
from jgo.config import GlobalSettings
from jgo.env import LockedDependency, LockFile
from jgo.maven import MavenContext

from deploy.local.process import ComponentError

KAFKA_LOCK = Path(__file__).parent.parent / "kafka" / "jars.lock.toml"

# Kafka's jars log through slf4j without a backend: without the second jar a dying broker logs nothing.
KAFKA = "org.apache.kafka:kafka_2.13:4.3.0+org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!"

_FETCHES_AT_ONCE = 4
_FETCH_TIMEOUT_S = 60


def locked_jars(lock: Path = KAFKA_LOCK, repository: Path | None = None) -> list[Path]:
    """The paths of the jars in `lock`, verified by sha256, in the lock's order.

    `repository` is the local Maven repository that is read and filled (if absent: jgo's own, usually
    `~/.m2/repository`). Safe for several processes: a jar appears in the repository atomically.
    Raises ComponentError if a jar cannot be fetched or is not the locked one.
    """
    folder = repository or GlobalSettings.load().repo_cache
    locked = LockFile.load(lock).dependencies
    missing = [jar for jar in locked if not _path(jar, folder).exists()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as staging,
            ThreadPoolExecutor(_FETCHES_AT_ONCE) as fetchers,
        ):
            list(fetchers.map(lambda jar: _fetch(jar, Path(staging), folder), missing))
    for jar in locked:
        _refuse_unless_locked(jar, _path(jar, folder))
    return [_path(jar, folder) for jar in locked]


def write_lock(endpoint: str = KAFKA, lock: Path = KAFKA_LOCK) -> int:
    """Resolve `endpoint` (Maven coordinates joined by `+`), fetch its jars, write their versions and sha256 to
    `lock`.

    To upgrade Kafka, change `KAFKA`, call this, and review the diff before committing it, because this trusts what it
    downloads. Returns the number of jars.
    """
    jars = [
        LockedDependency(
            found.groupId, found.artifactId, found.version, found.packaging, sha256=_sha256(found.resolve())
        )
        for found in sorted(jgo.resolve(endpoint), key=lambda each: each.key)
    ]
    LockFile(jars, environment_name=endpoint, jgo_version=jgo.__version__).save(lock)
    return len(jars)


def _path(jar: LockedDependency, repository: Path) -> Path:
    # Maven's layout of a repository: the group's words, the artifact and the version are folders.
    folder = repository.joinpath(*jar.groupId.split("."), jar.artifactId, jar.version)
    return folder / f"{jar.artifactId}-{jar.version}.{jar.packaging}"


def _fetch(jar: LockedDependency, staging: Path, repository: Path) -> None:
    # Downloaded to a temporary file and moved when verified: an interrupted run leaves no partial jar in the user's
    # repository.
    context = MavenContext(
        repo_cache=staging, remote_repos=GlobalSettings.load().repositories or None, timeout=_FETCH_TIMEOUT_S
    )
    try:
        fetched = context.create_dependency(_name(jar)).artifact.resolve()
    except (OSError, RuntimeError) as failure:
        raise ComponentError(
            "kafka",
            f"{_name(jar)} could not be fetched ({failure}). Connect to a Maven repository once (jgo's settings file "
            f"can name a mirror), or name a running Kafka in BATON_KAFKA.",
        ) from None
    _refuse_unless_locked(jar, fetched)
    place = _path(jar, repository)
    place.parent.mkdir(parents=True, exist_ok=True)
    fetched.replace(place)


def _refuse_unless_locked(jar: LockedDependency, path: Path) -> None:
    actual = _sha256(path)
    if actual != jar.sha256:
        raise ComponentError(
            "kafka",
            f"{path} is not the locked {_name(jar)}: its sha256 is {actual}, the lock says {jar.sha256}. Nothing was "
            f"started. Delete the file and try again; if it stays so, the lock or the repository cannot be trusted.",
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as jar:
        return hashlib.file_digest(jar, "sha256").hexdigest()


def _name(jar: LockedDependency) -> str:
    return f"{jar.groupId}:{jar.artifactId}:{jar.version}"
