"""How to react to errors (R67, R68, R72, R73). Pure.

A directive permits; it proves nothing. Only what is known to have had no effect is sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .actions import ErrorRule, Retry

BROKEN: Final = "08006"
"""Stands for a session that ended without a word."""
UNKNOWN: Final = ("40003", "08007")
"""The outcome is unknown, by name: whatever anybody asks for, such a request is not sent again."""


@dataclass(frozen=True)
class Reaction:
    """`fail`, `retry` or `reconnect`; how often, and the first pause in milliseconds."""

    react: str
    attempts: int = 0
    delay_ms: int = 0


FAIL: Final = Reaction("fail")


@dataclass(frozen=True)
class Advice:
    """What to do now, after so many milliseconds."""

    react: str
    after_ms: int


def own_reaction(sqlstate: str) -> Reaction:
    """What a driver does that was told nothing. An unknown class is the application's (R68)."""
    match sqlstate, sqlstate[:2]:
        case ("08007" | "40003" | "08P01" | "40002"), _:
            # The outcome is unknown, or again would be the same.
            return FAIL
        case _, "08":
            return Reaction("reconnect", 3, 100)
        case _, "40":
            return Reaction("retry", 3, 20)
        case "53300", _:
            return Reaction("reconnect", 3, 500)
        case _, "53":
            return Reaction("retry", 3, 500)
        case "55P03", _:
            return Reaction("retry", 3, 50)
        case ("57P01" | "57P02" | "57P03" | "57P05"), _:
            return Reaction("reconnect", 5, 200)
        case "25006", _:
            return Reaction("reconnect", 3, 200)
    return FAIL


def reaction(sqlstate: str, policies: Sequence[Sequence[ErrorRule]], retry: Retry | None) -> Reaction:
    """The first policy that speaks of it, a whole SQLSTATE before its class; then the table with `retry`'s numbers."""
    for rules in policies:
        for on in (sqlstate, sqlstate[:2]):
            rule = next((rule for rule in rules if rule.on == on), None)
            if rule is not None:
                return Reaction(rule.react, rule.attempts, rule.delay_ms)
    own = own_reaction(sqlstate)
    if retry is None or own.react == "fail":
        return own
    return Reaction(own.react, retry.attempts, retry.delay_ms)


class RetryBudget:
    """Further tries are a tenth of all calls at most, after the first ten: a fleet in trouble is not finished off."""

    def __init__(self) -> None:
        self._tenths = 100

    def spend(self) -> bool:
        if self._tenths < 10:
            return False
        self._tenths -= 10
        return True

    def earn(self) -> None:
        """A call went well."""
        self._tenths = min(self._tenths + 1, 100)


PASSING: Final = ("starting up", "shutting down", "recovery mode", "cannot connect now", "not accepting", "not yet")
LASTING: Final = ("FATAL", "certificate", "SSL error", "password", "authentication", "invalid")


def sqlstate_of(message: str) -> str:
    """The SQLSTATE of a connection that failed, as far as its text tells: libpq gives none. Empty: it will fail again."""
    if "too many" in message:
        return "53300"
    if any(text in message for text in PASSING):
        return "57P03"
    return "" if any(text in message for text in LASTING) else BROKEN


def kind_of(sqlstate: str | None, message: str) -> str:
    """The class of an error for reports: a SQLSTATE, or what only the client sees. Never its text (S8)."""
    if sqlstate is not None:
        return sqlstate
    kinds = {
        "translate host name": "dns", "certificate": "tls", "SSL": "tls", "timeout": "timeout", "refused": "refused",
        "reset by peer": "reset", "closed the connection": "reset", "connection is lost": "reset",
        "FATAL": "rejected",
    }
    return next((kind for text, kind in kinds.items() if text in message), "other")
