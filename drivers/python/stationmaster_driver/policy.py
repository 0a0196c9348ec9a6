"""What the client's owner allows. It always wins over what a server asks for (R89)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal, Union

from . import signature

SUPPORTED: Final[tuple[str, ...]] = (
    "hold", "resume", "retry", "switch", "error_policy", "information", "collect", "stop_collecting", "upload", "rate",
    "flush", "refresh", "fan_out", "data_source", *(("update",) if signature.AVAILABLE else ()), "activate",
    "deactivate", "revoke",
)
"""What this driver has: `update` where `cryptography` is installed to check its signature. Not `rule`: there is no
well-kept evaluator of its expressions for Python, and off is what the specification says of rules anyway."""


class Server(Enum):
    """The server itself as a destination: reports go there in the sessions, when these are idle."""

    SERVER = "server"


Destination = Union[Callable[[bytes], None], Server]
"""Sends a report, OTLP/JSON metrics, or raises. Called in the driver's own thread."""


@dataclass(frozen=True)
class Policy:
    """Limits and permissions, named as in the other drivers. Nobody is led elsewhere, and nothing is sent anywhere but to
    the server that the client speaks with, unless the owner says so."""

    allow: Collection[str] = SUPPORTED
    """Kinds that are obeyed; the others are refused as `not_allowed`."""
    hold_ms_max: int = 60_000
    """Longest time that directives may keep this client from connecting, in milliseconds. An allowance: being held up
    uses it, each millisecond without a hold gives one back."""
    lifetime_ms_max: int = 7 * 86_400_000
    """Longest lifetime of any directive, in milliseconds; a longer one is cut."""
    wait_ms_max: int = 10_000
    """Longest time that a call waits for a hold or a rate, in milliseconds, whatever its deadline."""
    rate_per_second_min: int = 1
    """Lowest rate that is obeyed."""
    addresses: Collection[str] = ()
    """Where a `switch` or a `data_source` may lead: `host:port`, `host`, `.suffix` of host names, or `*`."""
    destinations: Mapping[str, Destination] = field(default_factory=lambda: {"server": Server.SERVER})
    """Where an `upload` may send reports, by name. Where it is not said, to the server; `{}` is nowhere."""
    keys: Mapping[str, bytes] = field(default_factory=dict)
    """Ed25519 keys, 32 bytes each, by name, that may sign an `update`. Without any, all are refused."""
    routines: Collection[str] = ()
    """Names that `activate` may switch on; the application asks for them by `Driver.routine`."""
    subjects: Collection[str] = ("client", "application", "query", "errors")
    """What may be collected."""
    directives_per_minute: int = 600
    """How many directives are obeyed in a minute; more are refused as `too_many`."""
    call_timeout_s: float = 30.0
    """How long a call may take in all, in seconds, where `deadline` says nothing else."""
    connect_attempts: int = 5
    """How often a connection is tried again that fails for a passing reason."""
    location: str | None = None
    """Where this client runs, coarsely, such as a zone. Told to the server."""
    announce: bool = True
    """Whether servers are told that directives are understood. Without it none come, and only the driver's own
    intelligence is left; for a PgBouncer in between that refuses libpq's `options`."""

    @property
    def can(self) -> tuple[str, ...]:
        """What is announced."""
        return tuple(kind for kind in SUPPORTED if kind in self.allow)

    def may_lead_to(self, host: str, port: str | None) -> bool:
        """Letters count the same in either case."""
        host = host.lower()
        return any(
            one in ("*", host, f"{host}:{port}") or (one.startswith(".") and host.endswith(one))
            for one in (entry.lower() for entry in self.addresses)
        )

    def wait_or_fail(self, left_ms: int, deadline_ms: int | None) -> Literal["go", "wait", "fail"]:
        """What a call does about a pause (R71); it must have some of its time left afterwards."""
        if left_ms == 0:
            return "go"
        in_time = deadline_ms is None or left_ms < deadline_ms
        return "wait" if in_time and left_ms <= self.wait_ms_max else "fail"
