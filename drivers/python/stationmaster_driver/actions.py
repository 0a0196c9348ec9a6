"""What a directive asks for, with its parameters. Fields stand in the order in which they are written.

Durations end in `_ms`, are milliseconds and count from receipt. `None` and empty maps are not written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Union

PARAMETERS: Final = (
    "host", "port", "dbname", "user", "application_name", "connect_timeout", "target_session_attrs"
)
"""What a data source may set, by libpq's names. No secrets, and nothing that could weaken TLS: those are the owner's."""


@dataclass(frozen=True)
class Hold:
    """Do not connect (R70); afterwards, everybody comes back at a moment of their own within `spread_ms` (S6)."""

    kind: ClassVar = "hold"
    spread_ms: int


@dataclass(frozen=True)
class Resume:
    """End the hold of the same scope."""

    kind: ClassVar = "resume"
    spread_ms: int


@dataclass(frozen=True)
class Retry:
    """Send what failed for a passing reason again (R72). A permission, not a proof; zero attempts forbid it."""

    kind: ClassVar = "retry"
    attempts: int
    delay_ms: int


@dataclass(frozen=True)
class Switch:
    """Go on at another address, or where the application's configuration points: `to` is `handler` (R75)."""

    kind: ClassVar = "switch"
    to: str | Mapping[str, str]
    pinned: str

    @property
    def address(self) -> str | None:
        """`host:port`; `None` for the handler."""
        return None if isinstance(self.to, str) else self.to["address"]


@dataclass(frozen=True)
class ErrorRule:
    """The reaction to one SQLSTATE, or to a class of two characters."""

    on: str
    react: str
    attempts: int
    delay_ms: int


@dataclass(frozen=True)
class ErrorPolicy:
    """How to react to errors (R73). No rules means the driver's own table."""

    kind: ClassVar = "error_policy"
    rules: tuple[ErrorRule, ...]


@dataclass(frozen=True)
class Information:
    """Something to know (R74). Changes nothing by itself."""

    kind: ClassVar = "information"
    topic: str
    text: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Collect:
    """Collect as long as the directive lives (R76, R77). `of`: `client`, `application`, `query`, `errors`."""

    kind: ClassVar = "collect"
    name: str
    of: tuple[str, ...]
    interval_ms: int
    bytes_max: int
    sample_per_mille: int


@dataclass(frozen=True)
class StopCollecting:
    """Stop collecting (R97); without a name, everything."""

    kind: ClassVar = "stop_collecting"
    name: str | None
    buffers: str


@dataclass(frozen=True)
class Upload:
    """Send what is collected to a destination out of the owner's list (R78, R79)."""

    kind: ClassVar = "upload"
    destination: str
    collection: str | None


@dataclass(frozen=True)
class Rate:
    """Keep to a rate of operations (R81); without a rate, the limit is lifted."""

    kind: ClassVar = "rate"
    per_second: int | None
    burst: int | None
    excess: str
    of: str


@dataclass(frozen=True)
class Flush:
    """Drop what is cached about servers (R83); without keys, everything."""

    kind: ClassVar = "flush"
    keys: tuple[str, ...] | None

    def covers(self, key: str) -> bool:
        return self.keys is None or key in self.keys


@dataclass(frozen=True)
class KeyRange:
    """Keys from one, included, to another, excluded."""

    frm: str
    to: str | None


@dataclass(frozen=True)
class Refresh:
    """Read a cached view, or a part of it, again (R84, R85)."""

    kind: ClassVar = "refresh"
    view: str
    portion: KeyRange | None


@dataclass(frozen=True)
class Part:
    """A part of a table, up to the next one."""

    frm: str
    database: str


@dataclass(frozen=True)
class FanOut:
    """Which database holds which part of a table (R86)."""

    kind: ClassVar = "fan_out"
    table: str
    version: int
    by: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class DataSource:
    """What a logical name stands for (R87, R88). `change`: `remove`, `{"set": …}` or `{"rollback": version}`."""

    kind: ClassVar = "data_source"
    name: str
    version: int
    change: str | Mapping[str, Mapping[str, str] | int]

    @property
    def parameters(self) -> Mapping[str, str] | None:
        """What is set, if something is."""
        found = None if isinstance(self.change, str) else self.change.get("set")
        return found if isinstance(found, Mapping) else None

    @property
    def rollback(self) -> int | None:
        """The version to go back to, if that is asked for."""
        found = None if isinstance(self.change, str) else self.change.get("rollback")
        return found if isinstance(found, int) else None


@dataclass(frozen=True)
class Update:
    """A newer driver exists (R82)."""

    kind: ClassVar = "update"
    version: str
    urgency: str
    sha256: str
    key: str
    signature: str


@dataclass(frozen=True)
class Activate:
    """Switch a built-in routine on (R91)."""

    kind: ClassVar = "activate"
    routine: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Deactivate:
    """Switch it off."""

    kind: ClassVar = "deactivate"
    routine: str


@dataclass(frozen=True)
class Rule:
    """Decide by a signed expression (R90)."""

    kind: ClassVar = "rule"
    name: str
    expression: str
    react: str
    attempts: int
    delay_ms: int
    not_after: int
    key: str
    signature: str


@dataclass(frozen=True)
class Revoke:
    """Forget a directive; what it replaced does not return."""

    kind: ClassVar = "revoke"
    directive: str


Action = Union[
    Hold, Resume, Retry, Switch, ErrorPolicy, Information, Collect, StopCollecting, Upload, Rate, Flush, Refresh,
    FanOut, DataSource, Update, Activate, Deactivate, Rule, Revoke,
]


def write(action: Action) -> dict[str, object]:
    """The parameters as JSON, in their order."""
    return _written(action)


def _written(value: object) -> dict[str, object]:
    assert dataclasses.is_dataclass(value)
    written: dict[str, object] = {}
    for field in dataclasses.fields(value):
        found = getattr(value, field.name)
        if found is None or (isinstance(found, Mapping) and not found):
            continue
        if isinstance(found, tuple):
            found = [_written(one) if dataclasses.is_dataclass(one) else one for one in found]
        elif dataclasses.is_dataclass(found):
            found = _written(found)
        # `from` is a word of Python.
        written["from" if field.name == "frm" else field.name] = found
    return written
