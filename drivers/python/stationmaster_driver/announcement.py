"""How a client says that it understands directives. Who does not is sent none (S9)."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass

from . import limits
from .directive import VERSION
from .fields import Refusal, Why, is_name, is_session

ANNOUNCE = "stationmaster.directives"
SQLSTATE = "SM001"
"""Of a notice whose detail is a directive of version 1."""
MIRROR = "stationmaster.directive"
REPORT = "stationmaster.report"
"""The ParameterStatus that mirrors the newest directive."""

_DEFAULT = tuple(kind for kind in limits.KINDS if kind != "rule")


@dataclass(frozen=True)
class Announcement:
    """What a client says of itself when it connects."""

    session: str | None = None
    driver: str | None = None
    location: str | None = None
    can: Collection[str] = _DEFAULT
    version: int = VERSION

    def value(self) -> str:
        """The parameter's value; raises `Refusal` for what a reader would refuse."""
        parts = [str(self.version)]
        for key, text, right in (
            ("session", self.session, is_session),
            ("driver", self.driver, is_name),
            ("location", self.location, is_name),
        ):
            if text is not None:
                if not right(text):
                    raise Refusal(Why.RANGE, f"{ANNOUNCE}: {key}")
                parts.append(f"{key}={text}")
        can = [kind for kind in limits.KINDS if kind in self.can]
        if tuple(can) != _DEFAULT:
            parts.append("can=" + ",".join(can))
        return ";".join(parts)

    def option(self, others: str = "") -> str:
        """libpq's `options`: the application's own, and this."""
        return f"{others} -c {ANNOUNCE}={self.value()}".strip()


def token() -> str:
    """A session's token: new for each, and not to be guessed (S4)."""
    return secrets.token_urlsafe(18)


def is_ours(sqlstate: str | None) -> bool:
    """Whether a notice is for the driver, in this or a later version, and not for the application."""
    return sqlstate is not None and len(sqlstate) == 5 and sqlstate.startswith("SM")
