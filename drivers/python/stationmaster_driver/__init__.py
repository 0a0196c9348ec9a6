"""psycopg 3 that understands directives: what servers tell clients to do, so that applications get over failures.

`connect` instead of psycopg's is all that an application needs. README.md has the rest.
"""

from __future__ import annotations

from . import destinations
from .aio import AsyncConnection, AsyncCursor
from .connection import Connection, Cursor
from .driver import VERSION as __version__
from .driver import Driver, Status, deadline
from .errors import Held, RateLimited
from .policy import SUPPORTED, Policy
from .watch import Watch

connect = Connection.connect

__all__ = [
    "SUPPORTED", "AsyncConnection", "AsyncCursor", "Connection", "Cursor", "Driver", "Held", "Policy", "RateLimited",
    "Status", "Watch", "__version__", "connect", "deadline", "destinations",
]
