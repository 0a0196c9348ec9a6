"""Collections and the thread that reports them: the driver's only thread, there only while something is collected."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterable

from .actions import Collect, StopCollecting
from .policy import Policy, Server
from .telemetry import REPORTS_MAX, Collection, Observation

logger = logging.getLogger("stationmaster_driver")

LINGER_S = 60.0
"""How long reports of a collection that is over wait for a destination that does not answer, in seconds."""
TICK_S = 0.5


class Courier:
    def __init__(
        self,
        policy: Policy,
        clock: Callable[[], float],
        destination: Callable[[str], str | None],
        sessions: Callable[[], int],
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._destination = destination
        self._sessions = sessions
        self._chance = random.Random()
        self._running: dict[str, Collection] = {}
        # Reports of what is over, by name, and until when they wait.
        self._over: dict[str, tuple[Collection, float]] = {}
        self._change = threading.Condition()
        self._instance = f"{self._chance.getrandbits(64):016x}"
        self._thread: threading.Thread | None = None

    @property
    def collecting(self) -> list[str]:
        """Names of what is collected now."""
        return list(self._running)

    def stop(self, stop: StopCollecting) -> None:
        with self._change:
            for name in [name for name in self._running if stop.name in (None, name)]:
                self._end(name, flush=stop.buffers == "flush")
            self._change.notify()

    def agree(self, wanted: Iterable[tuple[Collect, int]]) -> None:
        """Begins what is in force and ends what is not. With each, until when in milliseconds."""
        with self._change:
            found = {collect.name: (collect, until) for collect, until in wanted}
            for name in list(self._running):
                if name not in found or found[name][0] != self._running[name].collect:
                    self._end(name, flush=True)
            for name, (collect, until) in found.items():
                if name not in self._running:
                    self._running[name] = Collection(collect, self._clock(), time.time(), until / 1000)
                self._running[name].until = until / 1000
            if self._running and self._thread is None:
                self._thread = threading.Thread(target=self._go, name="stationmaster-courier", daemon=True)
                self._thread.start()
            self._change.notify()

    def observe(self, one: Observation) -> None:
        if self._running:
            with self._change:
                for collection in self._running.values():
                    collection.add(one, self._chance)

    def take(self, name: str) -> list[bytes]:
        with self._change:
            over = self._over.pop(name, None)
            found = [one for one in (over[0] if over else None, self._running.get(name)) if one is not None]
            reports = [report for one in found for report in one.waiting]
            for one in found:
                one.waiting.clear()
            return reports

    def for_server(self) -> tuple[Collection, bytes] | None:
        """The next report for the server, which whoever asks is to send, or to give back."""
        if not self._running and not self._over:
            return None
        with self._change:
            names = [*self._running, *self._over]
        bound = [name for name in names if self._is_for_server(name)]
        with self._change:
            for name in bound:
                over = self._over.get(name)
                for collection in (over[0] if over else None, self._running.get(name)):
                    if collection is not None and collection.waiting:
                        return collection, collection.waiting.popleft()
        return None

    def give_back(self, collection: Collection, report: bytes) -> None:
        """It could not be sent. Newer ones have the room if there is none for all."""
        with self._change:
            if len(collection.waiting) < REPORTS_MAX:
                collection.waiting.appendleft(report)

    def _is_for_server(self, name: str) -> bool:
        # Asked without holding the lock, as the answer takes the driver's.
        where = self._destination(name)
        return where is not None and isinstance(self._policy.destinations.get(where), Server)

    def tick(self) -> float:
        """Makes the reports that are due and sends them; gives seconds until there is more to do. Not under the lock."""
        with self._change:
            now = self._clock()
            for name in [name for name, one in self._running.items() if one.until <= now]:
                self._end(name, flush=True)
            for collection in self._running.values():
                if collection.due <= now:
                    self._report(collection)
            self._over = {name: one for name, one in self._over.items() if one[0].waiting and now < one[1]}
            everything = [*self._running.items(), *((name, one[0]) for name, one in self._over.items())]
        for name, collection in everything:
            self._send(name, collection)
        with self._change:
            due = [min(one.due, one.until) for one in self._running.values()]
            return min([TICK_S, *(max(at - self._clock(), 0.01) for at in due)])

    def _end(self, name: str, flush: bool) -> None:
        collection = self._running.pop(name)
        if flush:
            self._report(collection)
            self._over[name] = (collection, self._clock() + LINGER_S)

    def _report(self, collection: Collection) -> None:
        resource = {"process.pid": str(os.getpid()), "service.instance.id": self._instance}
        if self._policy.location is not None:
            resource["stationmaster.location"] = self._policy.location
        client = {
            "process.cpu.time": time.process_time(),
            "process.memory.usage": _memory(),
            "db.client.connection.count": float(self._sessions()),
        }
        collection.report(client, resource, time.time(), self._clock())

    def _send(self, name: str, collection: Collection) -> None:
        where = self._destination(name)
        destination = None if where is None else self._policy.destinations.get(where)
        # What is for the server is taken by a session.
        while destination is not None and not isinstance(destination, Server):
            with self._change:
                if not collection.waiting:
                    return
                report = collection.waiting[0]
            try:
                destination(report)
            except Exception as error:
                # It stays, and the next tick tries again.
                logger.warning("reports of %s do not reach %s: %s", name, where, type(error).__name__)
                return
            with self._change:
                if collection.waiting and collection.waiting[0] is report:
                    collection.waiting.popleft()

    def _go(self) -> None:
        while True:
            wait = self.tick()
            with self._change:
                if not self._running and not self._over:
                    self._thread = None
                    return
                self._change.wait(wait)


def _memory() -> float:
    """Bytes of memory that this process has, or zero where nobody says."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return float(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0.0
