"""What the application sees when the driver decides to fail a call. Both are psycopg's `OperationalError`s."""

from __future__ import annotations

import psycopg


class Held(psycopg.OperationalError):
    """The server asked not to connect, for longer than this call can wait (R71)."""

    def __init__(self, reason: str, retry_after_s: float) -> None:
        said = f" ({reason})" if reason else ""
        super().__init__(f"the server asks not to connect for {retry_after_s:.1f} s more{said}")
        self.reason = reason
        self.retry_after_s = retry_after_s
        """When it may work, in seconds from now."""


class RateLimited(psycopg.OperationalError):
    """The server asked for fewer operations, and this one's turn comes too late (R81)."""

    def __init__(self, reason: str, retry_after_s: float) -> None:
        said = f" ({reason})" if reason else ""
        super().__init__(f"over the rate that the server asks for; try again in {retry_after_s:.2f} s{said}")
        self.reason = reason
        self.retry_after_s = retry_after_s
