"""A second session that only listens (R50): directives arrive while all others are idle, busy or dead."""

from __future__ import annotations

import logging
import select
import threading
from typing import Any

import psycopg

from .connection import Connection
from .driver import Driver

logger = logging.getLogger("stationmaster_driver")

LOOK_S = 0.5
AGAIN_S = 1.0


class Watch:
    """Listens in a thread of its own until `close`; use it with `with`. Connects like `Connection.connect`."""

    def __init__(self, conninfo: str = "", *, driver: Driver, **kwargs: Any) -> None:
        self._connection = Connection[Any].connect(conninfo, driver=driver, autocommit=True, **kwargs)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._go, name="stationmaster-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        self._connection.close()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _go(self) -> None:
        while not self._end.is_set():
            try:
                self._connection.poll()
                select.select([self._connection.fileno()], [], [], LOOK_S)
            except (psycopg.Error, OSError, ValueError) as error:
                logger.debug("the watch has no session: %s", error)
                self._end.wait(AGAIN_S)
