"""Log lines of every process: for people or as JSON, ours and the libraries' alike."""

import logging
import sys

import structlog
from structlog.typing import Processor

from myriad.log_line import as_json, hush, quote, show_error
from myriad.settings import Settings

# Libraries that tell at "info" what we tell in our own words, or not at all.
_CHATTY = (
    "alembic",
    "amqp",
    "botocore",
    "celery",
    "httpx",
    "httpcore",
    "kombu",
    "opentelemetry",
    "urllib3",
)


def set_up_logging(settings: Settings) -> None:
    """Send structlog's and the standard library's lines to standard error. Call once, at start."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(_level(settings)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(settings),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=_level(settings), force=True)
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addFilter(_demote)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, _level(settings)))


def _demote(record: logging.LogRecord) -> bool:
    """Make it "info": a library's deprecations concern its developers, not the operator."""
    record.levelno, record.levelname = logging.INFO, "INFO"
    return True


def _level(settings: Settings) -> int:
    return logging.getLevelNamesMapping()[settings.log_level.upper()]


def _renderers(settings: Settings) -> list[Processor]:
    # Not structlog's own tracebacks: they show every frame's variables, secrets among them.
    told: list[Processor] = [show_error, hush]
    if settings.log_format == "json":
        return [*told, as_json]
    return [*told, quote, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
