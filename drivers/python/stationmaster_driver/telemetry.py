"""What a client measures when it is asked to, and the reports made of it (R76, R77, S8). Pure; bounded everywhere.

Reports are OTLP/JSON metrics. They have no literals of queries, no values of rows, and no text of errors.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from .actions import Collect
from .directive import to_json

QUERIES_MAX = 256
REPORTS_MAX = 8
"""Reports that wait for their destination, for each collection; the oldest goes first."""
BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Upper bounds of the latencies' classes, in seconds."""


@dataclass(frozen=True)
class Observation:
    """One call: the query without literals, its time and waiting in seconds, its rows, and the class of its error."""

    shown: str
    seconds: float
    waited: float = 0.0
    rows: int = 0
    error: str | None = None


@dataclass
class Timing:
    """A histogram."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    total: float = 0.0
    waited: float = 0.0
    most: float = 0.0
    rows: int = 0

    def add(self, one: Observation) -> None:
        self.counts[sum(one.seconds > bound for bound in BOUNDS_S)] += 1
        self.total += one.seconds
        self.waited += one.waited
        self.most = max(self.most, one.seconds)
        self.rows += max(one.rows, 0)


class Collection:
    """One collection, from its directive until it is over."""

    def __init__(self, collect: Collect, now: float, wall_s: float, until: float) -> None:
        self.collect = collect
        self.until = until
        self.due = now + collect.interval_ms / 1000
        self.waiting: deque[bytes] = deque(maxlen=REPORTS_MAX)
        self.dropped = 0
        self._begin(wall_s)

    def _begin(self, wall_s: float) -> None:
        self._since = wall_s
        self._calls = Timing()
        self._queries: dict[str, Timing] = {}
        self._errors: Counter[str] = Counter()

    def add(self, one: Observation, chance: random.Random) -> None:
        of = self.collect.of
        if "errors" in of and one.error is not None:
            self._errors[one.error] += 1
        if chance.random() * 1000 >= self.collect.sample_per_mille:
            return
        if "application" in of:
            self._calls.add(one)
        if "query" in of and (one.shown in self._queries or len(self._queries) < QUERIES_MAX):
            self._queries.setdefault(one.shown, Timing()).add(one)

    def report(self, client: Mapping[str, float], resource: Mapping[str, str], wall_s: float, now: float) -> None:
        """Makes a report of what came since the last one; it waits to be sent."""
        queries = sorted(self._queries.items(), key=lambda one: -one[1].total)
        while True:
            text = to_json(self._otlp(client, resource, queries, wall_s)).encode()
            if len(text) <= self.collect.bytes_max:
                self.dropped += len(self.waiting) == REPORTS_MAX
                self.waiting.append(text)
                break
            if not queries:
                self.dropped += 1
                break
            queries = queries[: len(queries) // 2]
        self.due = now + self.collect.interval_ms / 1000
        self._begin(wall_s)

    def _otlp(
        self, client: Mapping[str, float], resource: Mapping[str, str], queries: list[tuple[str, Timing]], wall_s: float
    ) -> object:
        times = {"startTimeUnixNano": _nano(self._since), "timeUnixNano": _nano(wall_s)}
        metrics: list[object] = []
        if "client" in self.collect.of:
            metrics += [_gauge(name, value, times) for name, value in client.items()]
        if "application" in self.collect.of:
            metrics.append(_histogram("db.client.operation.duration", [({}, self._calls)], times))
        if queries:
            rows = [({"db.query.text": text}, timing) for text, timing in queries]
            metrics.append(_histogram("stationmaster.query.duration", rows, times))
            metrics.append(_sums("db.client.response.returned_rows", [(a, t.rows) for a, t in rows], times))
            metrics.append(_sums("stationmaster.query.waited", [(a, t.waited) for a, t in rows], times))
        if self._errors:
            errors: list[tuple[dict[str, str], float]] = [({"error.type": k}, n) for k, n in self._errors.items()]
            metrics.append(_sums("stationmaster.errors", errors, times))
        attributes = {"stationmaster.collection": self.collect.name, **resource}
        scope = {"scope": {"name": "stationmaster_driver"}, "metrics": metrics}
        return {"resourceMetrics": [{"resource": {"attributes": _attributes(attributes)}, "scopeMetrics": [scope]}]}


def _nano(wall_s: float) -> str:
    return str(int(wall_s * 1e9))


def _attributes(given: Mapping[str, str]) -> list[object]:
    return [{"key": key, "value": {"stringValue": text}} for key, text in given.items()]


def _gauge(name: str, value: float, times: Mapping[str, str]) -> object:
    return {"name": name, "gauge": {"dataPoints": [{"asDouble": value, "timeUnixNano": times["timeUnixNano"]}]}}


def _sums(name: str, points: list[tuple[dict[str, str], float]], times: Mapping[str, str]) -> object:
    written = [{"attributes": _attributes(given), "asDouble": float(value), **times} for given, value in points]
    return {"name": name, "sum": {"aggregationTemporality": 1, "isMonotonic": True, "dataPoints": written}}


def _histogram(name: str, points: list[tuple[dict[str, str], Timing]], times: Mapping[str, str]) -> object:
    written = [
        {
            "attributes": _attributes(given),
            "count": str(sum(timing.counts)),
            "sum": timing.total,
            "max": timing.most,
            "bucketCounts": [str(count) for count in timing.counts],
            "explicitBounds": list(BOUNDS_S),
            **times,
        }
        for given, timing in points
    ]
    return {"name": name, "unit": "s", "histogram": {"aggregationTemporality": 1, "dataPoints": written}}
