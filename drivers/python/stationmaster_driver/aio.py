"""The same as `connection` for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import Row

from .connection import OWN
from .driver import Driver, of_fleet
from .session import Session
from .steps import Plan, perform_async

T = TypeVar("T")
Self = TypeVar("Self", bound="AsyncConnection[Any]")
C = TypeVar("C", bound="AsyncCursor[Any]")


class AsyncConnection(psycopg.AsyncConnection[Row]):
    """Use it like psycopg's, also as `connection_class` of a pool. See `Connection`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.session = Session(self, lambda way: psycopg.AsyncConnection.connect("", autocommit=True, **way))
        self.cursor_factory = AsyncCursor
        self.server_cursor_factory = AsyncServerCursor
        self._turn = asyncio.Lock()
        self._filters: dict[Any, Any] = {}
        super().add_notice_handler(self.session.hear)

    @classmethod
    async def connect(  # type: ignore[override]
        cls: type[Self], conninfo: str = "", *, driver: Driver | None = None, source: str | None = None, **kwargs: Any
    ) -> Self:
        """Like psycopg's. `driver` shares its state and policy with others; `source` is a logical name (R88).

        Raises `Held` if the server asked not to connect for longer than the call may wait.
        """
        own = {name: kwargs.pop(name) for name in OWN if name in kwargs}
        given = conninfo_to_dict(conninfo, **kwargs)
        driver = of_fleet(given) if driver is None else driver
        given = driver.parameters(given, source)
        open: Callable[[dict[str, Any]], Any] = lambda way: super(AsyncConnection, cls).connect("", **own, **way)
        connection, token, way = await perform_async(driver.connecting(given, open, driver.until()))
        connection.session.begin(driver, token, given, way)
        return cast(Self, connection)

    async def run(self: Self, work: Callable[[Self], Awaitable[T]]) -> T:
        """Runs `work` in a transaction, and again if it failed for a passing reason and had no effect (R72).

        `work` may therefore run more than once; what it does outside the database it must be able to do again.
        """

        async def body(said: dict[str, bool]) -> T:
            async with self.transaction():
                result = await work(self)
                said["committing"] = True
            return result

        # Not under the lock: the statements inside take it.
        return cast(T, await perform_async(self.session.transact(body)))

    async def poll(self) -> None:
        """Hears what came while the connection was idle. Every call does so; this is for long pauses."""
        await self._perform(self.session.poll())

    async def commit(self) -> None:
        try:
            await super().commit()
        finally:
            await self._perform(self.session.ended())

    async def rollback(self) -> None:
        if self.broken:
            self.session.forget_transaction()
            return
        await super().rollback()
        await self._perform(self.session.ended())

    @asynccontextmanager
    async def transaction(self, *args: Any, **kwargs: Any) -> AsyncIterator[psycopg.AsyncTransaction]:
        await self._perform(self.session.attend(self.session.driver.until()))
        with self.session.block():
            async with super().transaction(*args, **kwargs) as transaction:
                yield transaction
        await self._perform(self.session.ended())

    def add_notice_handler(self, callback: Callable[[Any], None]) -> None:
        """Like psycopg's; the application does not see what is meant for the driver."""
        self._filters[callback] = self.session.filtered(callback)
        super().add_notice_handler(self._filters[callback])

    def remove_notice_handler(self, callback: Callable[[Any], None]) -> None:
        super().remove_notice_handler(self._filters.pop(callback, callback))

    async def _perform(self, plan: Plan[T]) -> T:
        async with self._turn:
            return await perform_async(plan)

    def _check_connection_ok(self) -> None:
        # What is broken is opened again by the next call.
        if not self.broken:
            super()._check_connection_ok()  # type: ignore[no-untyped-call,unused-ignore]


class AsyncCursor(psycopg.AsyncCursor[Row]):
    """psycopg's, but each statement goes through the session's plans."""

    async def execute(self: C, query: Any, params: Any = None, **kwargs: Any) -> C:
        return cast(C, await self._run(query, psycopg.AsyncCursor.execute, query, params, **kwargs))

    async def executemany(self, query: Any, params_seq: Any, **kwargs: Any) -> None:
        await self._run(query, psycopg.AsyncCursor.executemany, query, params_seq, **kwargs)

    async def stream(self, query: Any, params: Any = None, **kwargs: Any) -> AsyncIterator[Row]:
        await self._attend()
        async for row in super().stream(query, params, **kwargs):
            yield row

    @asynccontextmanager
    async def copy(self, *args: Any, **kwargs: Any) -> AsyncIterator[psycopg.AsyncCopy]:
        await self._attend()
        async with super().copy(*args, **kwargs) as copy:
            yield copy

    async def _run(self, query: Any, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        connection = cast(AsyncConnection[Any], self._conn)

        async def send() -> Any:
            # The connection may have moved since this cursor was made.
            self._pgconn = connection.pgconn
            await method(self, *args, **kwargs)
            return self

        whole = method is psycopg.AsyncCursor.execute
        return await connection._perform(connection.session.run(query, send, whole=whole))

    async def _attend(self) -> None:
        connection = cast(AsyncConnection[Any], self._conn)
        await connection._perform(connection.session.admit())
        self._pgconn = connection.pgconn


class AsyncServerCursor(psycopg.AsyncServerCursor[Row]):
    """psycopg's; one that outlives its transaction ties the session to its server."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.withhold:
            cast(AsyncConnection[Any], self._conn).session.pin = "a cursor"
