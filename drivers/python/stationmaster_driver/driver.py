"""One client towards one fleet: what its sessions share.

The receiver decides what is in force; here it meets clocks, threads and the network.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from . import addresses, announcement, recovery
from .acknowledgement import Acknowledgement
from .actions import FanOut, Flush, Information, Refresh, StopCollecting, Switch, Update
from .announcement import Announcement
from .courier import Courier
from .directive import Directive, Target
from .errors import Held, RateLimited
from .policy import SUPPORTED, Policy
from .receiver import Blocked, Once, Receiver, locate
from .recovery import Advice
from .slots import Held as InForce
from .steps import Call, Plan, Sleep
from .telemetry import Observation

if TYPE_CHECKING:
    from .session import Session

logger = logging.getLogger("stationmaster_driver")

VERSION = "0.1.0"
LOOK_AGAIN_S = 0.1
"""How often a call that waits looks whether it still has to, in seconds: a `resume` is heard by another session."""
EXPIRE_S = 1.0

_deadline: ContextVar[float | None] = ContextVar("stationmaster_deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Calls inside may take so long in all, holds, rates and further tries included (R71)."""
    set_to = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(set_to)


@dataclass(frozen=True)
class Status:
    """What the driver does at the moment, and has done (R66)."""

    in_force: dict[str, Directive]
    """Directives by slot."""
    left_s: dict[str, float]
    """How long each goes on, in seconds."""
    applied: int
    repeated: int
    expired: int
    refused: dict[str, int]
    """By code."""
    counts: dict[str, int]
    """Sessions opened (`connects`), reopened (`moves`), calls tried again (`retries`), failed by a hold (`held`) or a
    rate (`limited`)."""
    sessions: int
    """Open ones."""


class Driver:
    """Shared by the connections of an application to one fleet. Safe to use from several threads and event loops.

    `clock` gives seconds of a monotonic clock, `seed` spreads clients; both are for tests.
    """

    def __init__(
        self, policy: Policy | None = None, *, clock: Callable[[], float] = time.monotonic, seed: int | None = None
    ) -> None:
        self.policy = policy or Policy()
        self.clock = clock
        self.receiver = Receiver(self.policy, SUPPORTED, random.getrandbits(64) if seed is None else seed)
        self.budget = recovery.RetryBudget()
        self.counts: Counter[str] = Counter()
        self.sessions: weakref.WeakSet[Session] = weakref.WeakSet()
        self.courier = Courier(self.policy, clock, self._destination, lambda: len(self.sessions))
        self._listeners: list[Callable[[Information], None]] = []
        self._views: dict[str, Callable[[Refresh], None]] = {}
        self._expired = clock()
        # Reentrant: libpq may hand in a notice at any call.
        self._lock = threading.RLock()

    def status(self) -> Status:
        with self._lock:
            now, counts = self._now(), self.receiver.counts
            live = dict(self.receiver.slots.all(now))
            return Status(
                {slot: held.directive for slot, held in live.items()},
                {slot: (held.until - now) / 1000 for slot, held in live.items()},
                counts.applied,
                counts.repeated,
                counts.expired,
                dict(counts.refused),
                dict(self.counts),
                sum(session.is_open for session in self.sessions),
            )

    def information(self) -> dict[str, Information]:
        """What the server told, by topic (R74)."""
        with self._lock:
            return {one.topic: one for one in self.receiver.information(self._now())}

    def on_information(self, listener: Callable[[Information], None]) -> None:
        """Calls this for what the server tells from now on; it must be quick and must not use the connection."""
        self._listeners.append(listener)

    def on_refresh(self, view: str, listener: Callable[[Refresh], None]) -> None:
        """Calls this when a view that the application caches is to be read again, or a portion of it (R84, R85).

        It must be quick and must not use the connection: it marks what is stale.
        """
        self._views[view] = listener

    def fan_out(self, table: str) -> FanOut | None:
        """The map of a table over databases (R86), if there is one."""
        with self._lock:
            return self.receiver.fan_out(table, self._now())

    def locate(self, table: str, key: str, version: int) -> str:
        """The database that holds a key, for a query planned with that version of the map.

        Raises `LookupError` when another version is in force: plan the query again.
        """
        found = self.fan_out(table)
        if found is None or found.version != version:
            present = "none" if found is None else str(found.version)
            raise LookupError(f"the map of {table} has version {present} now, not {version}: plan the query again")
        return locate(found, key)

    def routine(self, name: str) -> dict[str, str] | None:
        """The parameters with which a routine of the application is switched on (R91); `None` when it is off."""
        with self._lock:
            return self.receiver.routine(name, self._now())

    def update(self) -> Update | None:
        """The newest driver that was advised (R82). A library cannot replace itself, so this is for people."""
        with self._lock:
            return self.receiver.update(self._now())

    def reports(self, collection: str) -> list[bytes]:
        """Takes the reports that wait, for instance where no destination was given."""
        return self.courier.take(collection)

    def join(self, session: Session) -> None:
        with self._lock:
            self.sessions.add(session)

    def hear(self, session: Session, token: str | None, data: bytes) -> None:
        """A directive came in a session."""
        with self._lock:
            answer, effect = self.receiver.receive(data, token, self._now())
            if answer is None:
                return
            session.owe(answer)
            logger.info("directive %s: %s", answer.id, answer.why or answer.outcome)
            if isinstance(effect, Once):
                session.owe(self._once(answer.id, effect))
            elif effect is not None and effect.kind == "information":
                self._tell(answer.id)
            if effect is not None:
                self.courier.agree(self.receiver.collections(self._now()))

    def expired(self) -> list[Acknowledgement]:
        """What is over since the last time, now and then."""
        with self._lock:
            if self.clock() < self._expired + EXPIRE_S:
                return []
            self._expired = self.clock()
            return self.receiver.expire(self._now())

    def _once(self, id: str, once: Once) -> Acknowledgement:
        match once.action:
            case Flush() as flush:
                self.receiver.forget_routes(flush)
            case StopCollecting() as stop:
                self.courier.stop(stop)
            case Refresh() as refresh:
                listener = self._views.get(refresh.view)
                if listener is None:
                    return Acknowledgement(id, "failed", about="no such view")
                try:
                    listener(refresh)
                except Exception:
                    logger.exception("the listener of the view %s failed", refresh.view)
                    return Acknowledgement(id, "failed", about="the application could not")
        return Acknowledgement(id, "done")

    def _tell(self, id: str) -> None:
        held = next((held for _, held in self.receiver.slots.all(self._now()) if held.directive.id == id), None)
        for listener in self._listeners:
            try:
                if held is not None and isinstance(held.action, Information):
                    listener(held.action)
            except Exception:
                logger.exception("a listener failed")

    def _destination(self, collection: str) -> str | None:
        with self._lock:
            return self.receiver.destination(collection, self._now())

    def _now(self) -> int:
        return int(self.clock() * 1000)

    # What connections ask.

    def until(self) -> float:
        """When a call that begins now has to be over."""
        now, wanted = self.clock(), _deadline.get()
        return now + (self.policy.call_timeout_s if wanted is None else wanted - time.monotonic())

    def parameters(self, given: dict[str, Any], source: str | None) -> dict[str, Any]:
        """Connection parameters, with what a logical name stands for now (R87, R88)."""
        with self._lock:
            found = None if source is None else self.receiver.source(source, self._now())
            return given if found is None else given | found[1]

    def switch_for(self, target: Target) -> tuple[InForce, Switch] | None:
        with self._lock:
            return self.receiver.switch(target, self._now())

    def advise(self, sqlstate: str, attempts: int, harmless: bool, target: Target, until: float) -> Advice:
        """What to do about an error; `fail` also when it would take too long or too many are tried again."""
        with self._lock:
            advice = self.receiver.on_error(sqlstate, attempts, harmless, target, self._now())
            if advice.react == "fail" or self.clock() + advice.after_ms / 1000 > until or not self.budget.spend():
                return Advice("fail", 0)
            self.counts["retries"] += 1
            return advice

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def observe(self, one: Observation) -> None:
        if one.error is None:
            self.budget.earn()
        self.courier.observe(one)

    def turn(self, target: Target, reads: bool, until: float) -> Plan[float]:
        """Waits for an operation's turn under the rates in force; gives how long, in seconds (R81)."""
        with self._lock:
            found = self.receiver.permit(reads, target, self._left_ms(until), self._now())
            if isinstance(found, Blocked):
                self.counts["limited"] += 1
                raise RateLimited(found.reason, found.left_ms / 1000)
        if found:
            yield Sleep(found / 1000)
        return found / 1000

    def connecting(
        self, given: dict[str, Any], open: Callable[[dict[str, Any]], Any], until: float, *, routed: bool = True
    ) -> Plan[Any]:
        """Opens a session: after holds (R70, R71), by the route that switches taught, again when it fails (R67).

        Gives what `open` gave, the session's token and its parameters.
        """
        attempt = 0
        while True:
            route = self._routed(given) if routed else given
            # Each is forgotten when it fails, so this ends.
            way = yield from self._gate(route, until)
            token = announcement.token() if self.policy.announce else None
            way["connect_timeout"] = way.get("connect_timeout") or max(2, int(until - self.clock()))
            try:
                opened = yield Call(lambda: open(self._announced(way, token)))
                self.count("connects")
                return opened, token, way
            except psycopg.OperationalError as error:
                self.courier.observe(Observation("connect", 0.0, error=recovery.kind_of(error.sqlstate, str(error))))
                if route is not given:
                    # A route is worth no more than the server behind it.
                    self.forget_route(addresses.of(route)[0])
                    continue
                sqlstate = error.sqlstate or recovery.sqlstate_of(str(error))
                advice = self.advise(sqlstate, attempt, True, addresses.target(way), until)
                if advice.react == "fail":
                    raise
                attempt += 1
            yield Sleep(advice.after_ms / 1000)

    def forget_route(self, address: str) -> None:
        with self._lock:
            self.receiver.forget_routes(Flush((address,)))

    def _routed(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self.switch_for(addresses.target(given))
        address = found[1].address if found is not None else None
        return given if address is None else addresses.at(given, address)

    def _gate(self, given: dict[str, Any], until: float) -> Plan[dict[str, Any]]:
        """Waits until one of the addresses is not held; gives the parameters with those that are not."""
        while True:
            with self._lock:
                now = self._now()
                held = {
                    address: self.receiver.connect(addresses.target(given, address), now)
                    for address in addresses.of(given)
                }
                free = [address for address, hold in held.items() if hold is None]
                if free:
                    return addresses.only(given, free)
                hold = min((one for one in held.values() if one is not None), key=lambda one: one.left_ms)
                if self.policy.wait_or_fail(hold.left_ms, self._left_ms(until)) == "fail":
                    self.counts["held"] += 1
                    raise Held(hold.reason, hold.left_ms / 1000)
            yield Sleep(min(hold.left_ms / 1000, LOOK_AGAIN_S))

    def _left_ms(self, until: float) -> int:
        return max(int((until - self.clock()) * 1000), 0)

    def _announced(self, way: dict[str, Any], token: str | None) -> dict[str, Any]:
        if not self.policy.announce:
            return way
        said = Announcement(token, f"python-{VERSION}", self.policy.location, self.policy.can)
        return way | {"options": said.option(str(way.get("options") or os.environ.get("PGOPTIONS", "")))}


_fleets: dict[str, Driver] = {}
_fleets_lock = threading.Lock()


def of_fleet(given: dict[str, Any]) -> Driver:
    """The driver of connections that were given none: one for each address, so that no server speaks for another."""
    with _fleets_lock:
        return _fleets.setdefault(",".join(addresses.of(given)), Driver())
