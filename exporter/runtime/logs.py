"""Where log lines go and how they look; the libraries' own go the same way."""

import json
import logging
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
)


def configure(*, level: str, log_format: str) -> None:
    """Send log lines to stderr.

    level: debug, info, warning or error; log_format: logfmt or json.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    json_lines = structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.EventRenamer("msg"),
                json_lines if log_format == "json" else _logfmt,
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # At debug level it logs several lines for each paragraph of a document.
    logging.getLogger("markdown_it").setLevel(logging.INFO)


def _logfmt(logger: WrappedLogger, name: str, event: EventDict) -> str:
    """Return an event as one line of logfmt, quoted as Go quotes.

    structlog's own renderer lets carriage returns, escapes and other line ends through, and what
    Palette calls its things is not ours to trust.
    """
    del logger, name
    first = {key: event.get(key) for key in ("time", "level", "msg")}
    return " ".join(f"{key}={_value(value)}" for key, value in {**first, **event}.items())


def _value(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "", True: "true", False: "false"}[value]
    text = str(value)
    if text.isprintable():
        plain = not any(character in text for character in ' "=')
        return text if plain else json.dumps(text, ensure_ascii=False)
    return json.dumps(text)
