"""One connection's session: what ties it to its server, and the plans by which calls go through it.

Written once for psycopg's two worlds (`steps`). The sync and async connections only carry plans out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from weakref import ref

import psycopg
from psycopg import generators, pq

from . import acknowledgement, addresses, recovery
from .acknowledgement import Acknowledgement
from .announcement import MIRROR, REPORT, SQLSTATE, is_ours
from .directive import Target
from .driver import Driver
from .policy import Policy
from .recovery import Advice
from .sql import Look, look, setting, text_of
from .steps import Call, Plan, Sleep
from .telemetry import Observation

IDLE = pq.TransactionStatus.IDLE
_NOBODY = Driver(Policy(announce=False))
"""Until the connection is open."""
ANSWERED_MAX = 64
OWED_MAX = 64
"""Acknowledgements that wait for an idle moment; a sender repeats what was not acknowledged."""


class Session:
    """`connection` is psycopg's; `open` opens another one of the plain kind, with the given parameters."""

    def __init__(self, connection: Any, open: Callable[[dict[str, Any]], Any]) -> None:
        # The connection owns the session.
        self._connection = ref(connection)
        self._open = open
        self.driver = _NOBODY
        self.token: str | None = None
        self.given: dict[str, Any] = {}
        self.way: dict[str, Any] = {}
        self.opened = 0
        self.settings: dict[str, str] = {}
        self.pin: str | None = None
        self.blocks = 0
        self._dirty: set[str] = set()
        # A transaction was open when last looked; one was lost with its session and the application may not know.
        self._in_transaction = self._lost = False
        self._owed: list[Acknowledgement] = []
        # Switches that were made or could not be: of two that contradict each other, none is made twice.
        self._answered: deque[str] = deque(maxlen=ANSWERED_MAX)

    @property
    def connection(self) -> Any:
        connection = self._connection()
        assert connection is not None, "BUG: a session outlived its connection"
        return connection

    @property
    def is_open(self) -> bool:
        connection = self._connection()
        return connection is not None and not connection.closed

    @property
    def target(self) -> Target:
        """Where this session is."""
        pgconn = self.connection.pgconn
        try:
            return addresses.target(self.way, addresses.join(pgconn.host.decode(), pgconn.port.decode()))
        except psycopg.OperationalError:
            return addresses.target(self.way)

    def begin(self, driver: Driver, token: str | None, given: dict[str, Any], way: dict[str, Any]) -> None:
        """The connection was opened."""
        self.driver, self.given = driver, given
        driver.join(self)
        self._at(token, way)

    def owe(self, answer: Acknowledgement) -> None:
        if len(self._owed) < OWED_MAX:
            self._owed.append(answer)

    def hear(self, diagnostic: Any) -> None:
        """psycopg's notice handler."""
        if diagnostic.sqlstate == SQLSTATE and self.driver.policy.announce:
            self.driver.hear(self, self.token, (diagnostic.message_detail or "").encode())

    def filtered(self, handler: Callable[[Any], None]) -> Callable[[Any], None]:
        """A notice handler of the application, which is not shown what is meant for the driver."""
        return lambda diagnostic: None if is_ours(diagnostic.sqlstate) else handler(diagnostic)

    def forget_transaction(self) -> None:
        """The application rolled back; what was lost with the session is known to it."""
        self._in_transaction = self._lost = False

    @contextmanager
    def block(self) -> Iterator[None]:
        """While the application is in a transaction's block, the session stays where it is."""
        inner = self.connection.pgconn.transaction_status != IDLE
        self.blocks += 1
        try:
            yield
        finally:
            self.blocks -= 1
            if self.connection.broken:
                # The block ends with an error, so its own transaction is not forgotten.
                self._in_transaction = self._lost = inner

    # Plans.

    def attend(self, until: float) -> Plan[None]:
        """Before a call: hear what came while idle, open a lost session again, follow a switch (R67, R75)."""
        connection = self.connection
        if self.blocks or connection.pgconn.pipeline_status:
            return
        for ended in self.driver.expired():
            self.owe(ended)
        if connection.pgconn.transaction_status == IDLE:
            self._in_transaction = False
            self._poll()
        if connection.broken:
            if self._lost or self._in_transaction:
                raise psycopg.OperationalError("the connection was lost in a transaction: roll back, and begin again")
            if self.pin is not None:
                raise psycopg.OperationalError(f"the connection was lost, and with it {self.pin}: connect again")
            yield from self._move(self.given, until)
        elif connection.pgconn.transaction_status == IDLE:
            yield from self._follow(until)

    def run(self, query: Any, send: Callable[[], Any], *, whole: bool = True) -> Plan[Any]:
        """Sends a query: at its turn, and again where that is allowed and safe (R72, R73, R81)."""
        until, attempt = self.driver.until(), 0
        seen = look(text_of(query, self.connection))
        while True:
            yield from self.attend(until)
            waited = yield from self.driver.turn(self.target, seen.reads, until)
            alone = self.connection.pgconn.transaction_status == IDLE and not self.blocks
            began = self.driver.clock()
            try:
                result = yield Call(send)
            except psycopg.Error as error:
                self._failed(seen, error, alone, self.driver.clock() - began, waited)
                no_effect = alone and whole and self._no_effect(seen, error)
                advice = self._again(error, attempt, no_effect, until)
                if advice.react == "fail":
                    raise
                yield from self._clear(advice, until)
            else:
                rows = int(getattr(result, "rowcount", 0) or 0)
                self.driver.observe(Observation(seen.shown, self.driver.clock() - began, waited, rows))
                self._note(seen)
                self._in_transaction = self.connection.pgconn.transaction_status != IDLE
                yield from self.settle()
                return result
            attempt += 1
            yield Sleep(advice.after_ms / 1000)

    def admit(self) -> Plan[None]:
        """Before what is sent in its own way, such as COPY: it has its turn, and is not tried again."""
        until = self.driver.until()
        yield from self.attend(until)
        yield from self.driver.turn(self.target, False, until)

    def ended(self) -> Plan[None]:
        """A transaction may have ended."""
        if self.connection.broken and not self.blocks:
            self._lost = self._lost or not self.connection.autocommit
            return
        self._in_transaction = self.connection.pgconn.transaction_status != IDLE
        yield from self.settle()

    def transact(self, body: Callable[[dict[str, bool]], Any]) -> Plan[Any]:
        """Runs a whole transaction, and again if it had no effect: it says in `committing` when it is about to commit."""
        until, attempt = self.driver.until(), 0
        # Within another transaction it is not the driver's to begin again.
        alone = not self.blocks and not self._in_transaction and not self._lost
        while True:
            said: dict[str, bool] = {"committing": False}
            try:
                return (yield Call(lambda: body(said)))
            except psycopg.Error as error:
                # The server rolls back what it loses the client of, unless it was told to commit.
                told = not said["committing"] or (error.sqlstate is not None and not self.connection.broken)
                no_effect = alone and told and error.sqlstate not in recovery.UNKNOWN
                advice = self._again(error, attempt, no_effect, until)
                if advice.react == "fail":
                    raise
                self.forget_transaction()
            attempt += 1
            yield Sleep(advice.after_ms / 1000)

    def settle(self) -> Plan[None]:
        """After a call: learn what settings are now, and acknowledge, if the session is idle."""
        pgconn = self.connection.pgconn
        if pgconn.transaction_status != IDLE or pgconn.pipeline_status or self.blocks:
            return
        try:
            while self._dirty:
                name = self._dirty.pop()
                found = yield from self._ask('SHOW "{}"'.format('"."'.join(name.split("."))))
                if found is None:
                    self.settings.pop(name, None)
                else:
                    self.settings[name] = found
            while self._owed:
                yield from self._ask(acknowledgement.statement(acknowledgement.take(self._owed)))
            yield from self._report()
        except psycopg.OperationalError:
            # The next call finds a broken session.
            return

    def _report(self) -> Plan[None]:
        """Tells the server what was measured for it (R78)."""
        while (found := self.driver.courier.for_server()) is not None:
            collection, report = found
            try:
                yield from self._ask(setting(REPORT, report.decode()))
            except BaseException:
                self.driver.courier.give_back(collection, report)
                raise

    def poll(self) -> Plan[None]:
        """Hears what came while idle, does it, and acknowledges it."""
        yield from self.attend(self.driver.until())
        yield from self.settle()

    def _at(self, token: str | None, way: dict[str, Any]) -> None:
        self.token, self.way, self.opened = token, way, int(self.driver.clock() * 1000)
        mirrored = self.connection.pgconn.parameter_status(MIRROR.encode())
        if mirrored is not None and token is not None:
            self.driver.hear(self, token, mirrored)

    def _poll(self) -> None:
        pgconn = self.connection.pgconn
        try:
            pgconn.consume_input()
            # Looks at what was read: notices go to their handler.
            pgconn.is_busy()
        except psycopg.OperationalError:
            return

    def _ask(self, statement: str) -> Plan[str | None]:
        """Sends a statement of the driver's own; gives the first value, or `None` if there is none or it failed."""
        connection = self.connection
        connection.pgconn.send_query(statement.encode())
        results = yield Call(lambda: connection.wait(generators.execute(connection.pgconn)))
        value = results[-1].get_value(0, 0) if results and results[-1].ntuples else None
        return None if value is None else bytes(value).decode()

    def _note(self, seen: Look) -> None:
        if seen.discards:
            self.settings.clear()
            self.pin = None
            return
        self.pin = self.pin or seen.pin
        self._dirty |= self.settings.keys() if "all" in seen.settings else seen.settings

    def _failed(self, seen: Look, error: psycopg.Error, alone: bool, seconds: float, waited: float) -> None:
        if self.connection.broken:
            self._lost = not alone or not self.connection.autocommit
        kind = recovery.kind_of(error.sqlstate, str(error))
        self.driver.observe(Observation(seen.shown, seconds, waited, error=kind))

    def _no_effect(self, seen: Look, error: psycopg.Error) -> bool:
        """Whether nothing of it is left, for certain: the server said that it failed, or it could only read."""
        if self.connection.broken:
            return seen.whole and bool(self.connection.read_only) and not self.connection.autocommit
        return seen.whole and error.sqlstate is not None and error.sqlstate not in recovery.UNKNOWN

    def _again(self, error: psycopg.Error, attempt: int, no_effect: bool, until: float) -> Advice:
        sqlstate = error.sqlstate or (recovery.BROKEN if self.connection.broken else "")
        return self.driver.advise(sqlstate, attempt, no_effect, self.target, until)

    def _clear(self, advice: Advice, until: float) -> Plan[None]:
        """Makes the session ready for another try."""
        connection = self.connection
        self.forget_transaction()
        if not connection.broken and connection.pgconn.transaction_status != IDLE:
            yield from self._ask("ROLLBACK")
        if advice.react == "reconnect" and not connection.broken and self.pin is None:
            yield from self._move(self.given, until)

    def _follow(self, until: float) -> Plan[None]:
        """Goes where a switch says, now that no state would be lost."""
        found = self.driver.switch_for(self.target)
        if found is None or found[0].directive.id in self._answered:
            return
        held, switch = found
        if switch.address is None and held.since <= self.opened:
            # Opened since, so where the configuration points.
            return
        if self.pin is not None and switch.pinned == "wait":
            return
        id = held.directive.id
        self._answered.append(id)
        if self.pin is not None:
            self.owe(Acknowledgement(id, "failed", about=f"tied to its server by {self.pin}"))
            return
        try:
            given = self.given if switch.address is None else addresses.at(self.given, switch.address)
            yield from self._move(given, until, routed=False)
        except psycopg.Error as error:
            # The present session still works.
            if switch.address is not None:
                self.driver.forget_route(switch.address)
            kind = recovery.kind_of(error.sqlstate, str(error))
            self.owe(Acknowledgement(id, "failed", about=f"could not connect there: {kind}"))
        else:
            self.owe(Acknowledgement(id, "done"))

    def _move(self, given: dict[str, Any], until: float, *, routed: bool = True) -> Plan[None]:
        """Opens another session, makes it like this one, and takes its place."""
        if self._dirty and not self.connection.broken:
            yield from self.settle()
        fresh, token, way = yield from self.driver.connecting(given, self._open, until, routed=routed)
        try:
            for name, value in self.settings.items():
                restored = "SELECT pg_catalog.set_config(%s, %s, false)"
                yield Call(partial(fresh.execute, restored, (name, value)))
        except BaseException:
            yield Call(fresh.close)
            raise
        exchange(self.connection, fresh)
        self.driver.count("moves")
        self._at(token, way)
        yield Call(fresh.close)


def exchange(one: Any, other: Any) -> None:
    """Gives two of psycopg's connections each other's session. Their Python sides, cursors included, stay.

    The one place that needs what psycopg does not promise; tested with 3.1 and 3.3.
    """
    one.pgconn, other.pgconn = other.pgconn, one.pgconn
    for connection in (one, other):
        connection.pgconn.notice_handler = partial(psycopg.Connection._notice_handler, ref(connection))
        connection.pgconn.notify_handler = partial(psycopg.Connection._notify_handler, ref(connection))
    # psycopg leaves the blocks of a broken connection without counting them down.
    one._num_transactions = 0
    # Statements that psycopg prepared by itself are prepared again when they are needed.
    prepared = type(one._prepared)()
    prepared.prepare_threshold = one._prepared.prepare_threshold
    prepared.prepared_max = one._prepared.prepared_max
    one._prepared = prepared
