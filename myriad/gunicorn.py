"""Gunicorn's configuration, made from our settings: `gunicorn -c python:myriad.gunicorn`."""

import logging
import math

from gunicorn.config import Config
from gunicorn.glogging import Logger

from myriad.log import set_up_logging
from myriad.settings import load_settings


class FarmLogger(Logger):
    """Hands gunicorn's lines to our own logging, in whichever shape the operator chose."""

    def setup(self, cfg: Config) -> None:
        set_up_logging(load_settings())
        self.error_log.propagate = True
        self.error_log.setLevel(logging.NOTSET)


_settings = load_settings()
_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host

bind = f"{_host}:{_settings.port}"
worker_class = "myriad.front_end_worker.FrontEndWorker"
workers = 1
threads = _settings.web_threads
timeout = 60
graceful_timeout = 5 + math.ceil(_settings.web_linger_s)
keepalive = 5
logger_class = FarmLogger
control_socket_disable = True
