"""psycopg's connection and cursor, with directives. Everything that is decided stands in `session` and `driver`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import Row

from .driver import Driver, of_fleet
from .session import Session
from .steps import Plan, perform

T = TypeVar("T")
Self = TypeVar("Self", bound="Connection[Any]")
C = TypeVar("C", bound="Cursor[Any]")
OWN = ("autocommit", "prepare_threshold", "context", "row_factory", "cursor_factory")
"""What `connect` takes that is no connection parameter."""


class Connection(psycopg.Connection[Row]):
    """Use it like psycopg's, also as `connection_class` of a pool.

    It waits out holds, keeps to rates, retries where that is safe, and moves to other servers between transactions.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.session = Session(self, lambda way: psycopg.Connection.connect("", autocommit=True, **way))
        self.cursor_factory = Cursor
        self.server_cursor_factory = ServerCursor
        # Of several threads, one is at work: psycopg's own lock guards single messages.
        self._turn = threading.RLock()
        self._filters: dict[Any, Any] = {}
        super().add_notice_handler(self.session.hear)

    @classmethod
    def connect(  # type: ignore[override]
        cls: type[Self], conninfo: str = "", *, driver: Driver | None = None, source: str | None = None, **kwargs: Any
    ) -> Self:
        """Like psycopg's. `driver` shares its state and policy with others; `source` is a logical name (R88).

        Raises `Held` if the server asked not to connect for longer than the call may wait.
        """
        own = {name: kwargs.pop(name) for name in OWN if name in kwargs}
        given = conninfo_to_dict(conninfo, **kwargs)
        driver = of_fleet(given) if driver is None else driver
        given = driver.parameters(given, source)
        open: Callable[[dict[str, Any]], Any] = lambda way: super(Connection, cls).connect("", **own, **way)
        connection, token, way = perform(driver.connecting(given, open, driver.until()))
        connection.session.begin(driver, token, given, way)
        return cast(Self, connection)

    def run(self: Self, work: Callable[[Self], T]) -> T:
        """Runs `work` in a transaction, and again if it failed for a passing reason and had no effect (R72).

        `work` may therefore run more than once; what it does outside the database it must be able to do again.
        """

        def body(said: dict[str, bool]) -> T:
            with self.transaction():
                result = work(self)
                said["committing"] = True
            return result

        return cast(T, self._perform(self.session.transact(body)))

    def poll(self) -> None:
        """Hears what came while the connection was idle. Every call does so; this is for long pauses."""
        self._perform(self.session.poll())

    def commit(self) -> None:
        try:
            super().commit()
        finally:
            self._perform(self.session.ended())

    def rollback(self) -> None:
        if self.broken:
            self.session.forget_transaction()
            return
        super().rollback()
        self._perform(self.session.ended())

    @contextmanager
    def transaction(self, *args: Any, **kwargs: Any) -> Iterator[psycopg.Transaction]:
        self._perform(self.session.attend(self.session.driver.until()))
        with self.session.block(), super().transaction(*args, **kwargs) as transaction:
            yield transaction
        self._perform(self.session.ended())

    def add_notice_handler(self, callback: Callable[[Any], None]) -> None:
        """Like psycopg's; the application does not see what is meant for the driver."""
        self._filters[callback] = self.session.filtered(callback)
        super().add_notice_handler(self._filters[callback])

    def remove_notice_handler(self, callback: Callable[[Any], None]) -> None:
        super().remove_notice_handler(self._filters.pop(callback, callback))

    def _perform(self, plan: Plan[T]) -> T:
        with self._turn:
            return perform(plan)

    def _check_connection_ok(self) -> None:
        # What is broken is opened again by the next call.
        if not self.broken:
            super()._check_connection_ok()  # type: ignore[no-untyped-call,unused-ignore]


class Cursor(psycopg.Cursor[Row]):
    """psycopg's, but each statement goes through the session's plans."""

    def execute(self: C, query: Any, params: Any = None, **kwargs: Any) -> C:
        return cast(C, self._run(query, psycopg.Cursor.execute, query, params, **kwargs))

    def executemany(self, query: Any, params_seq: Any, **kwargs: Any) -> None:
        self._run(query, psycopg.Cursor.executemany, query, params_seq, **kwargs)

    def stream(self, query: Any, params: Any = None, **kwargs: Any) -> Iterator[Row]:
        self._attend()
        yield from super().stream(query, params, **kwargs)

    @contextmanager
    def copy(self, *args: Any, **kwargs: Any) -> Iterator[psycopg.Copy]:
        self._attend()
        with super().copy(*args, **kwargs) as copy:
            yield copy

    def _run(self, query: Any, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        connection = cast(Connection[Any], self._conn)

        def send() -> Any:
            # The connection may have moved since this cursor was made.
            self._pgconn = connection.pgconn
            method(self, *args, **kwargs)
            return self

        whole = method is psycopg.Cursor.execute
        return connection._perform(connection.session.run(query, send, whole=whole))

    def _attend(self) -> None:
        connection = cast(Connection[Any], self._conn)
        connection._perform(connection.session.admit())
        self._pgconn = connection.pgconn


class ServerCursor(psycopg.ServerCursor[Row]):
    """psycopg's; one that outlives its transaction ties the session to its server."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.withhold:
            cast(Connection[Any], self._conn).session.pin = "a cursor"
