"""One JSON line per log entry on stderr; ids only, never contact data or secrets."""

import json
import logging
import sys
from typing import Any

import msgspec
import structlog

from shared.domain.printable import printable, printable_json


def _render(_logger: object, _name: str, entry: Any) -> str:
    try:
        text = msgspec.json.encode(entry, enc_hook=str).decode()
    except UnicodeEncodeError:
        text = json.dumps(entry, default=str)  # escapes half characters, which no encoding takes
    return printable_json(text)


def _for_a_terminal(_logger: object, _name: str, entry: Any) -> Any:
    return {
        name: printable(value, lines=name == "exception") if isinstance(value, str) else value
        for name, value in entry.items()
    }


def configure(*, level: str = "INFO", plain: bool = False) -> None:
    """Set up logging once, at process start. `plain` writes for a person at a terminal instead of JSON."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            *([_for_a_terminal, structlog.dev.ConsoleRenderer(colors=False)] if plain else [_render]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


def get(service: str) -> Any:
    """A logger that carries the service's name on every line."""
    return structlog.get_logger(service=service)
