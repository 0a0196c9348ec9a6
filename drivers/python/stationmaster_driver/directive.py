"""A directive, and its form as JSON, which `crates/directive/README.md` specifies. Knows no carrier and no clock."""

from __future__ import annotations

import json
from dataclasses import dataclass

from . import actions, limits, reading
from .actions import Action
from .fields import Fields, Refusal, Why, is_address, is_name, is_session, parse

VERSION = 1


@dataclass(frozen=True)
class Scope:
    """What it is about; what is not named is not restricted."""

    server: str | None = None
    database: str | None = None

    def covers(self, target: Target) -> bool:
        server = self.server is None or self.server in target.servers
        return server and (self.database is None or self.database in target.databases)


@dataclass(frozen=True)
class Target:
    """Where a client is about to connect or send: the names under which a scope may mean it."""

    servers: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Directive:
    """One action out of the closed set, with an id, an order, a lifetime from receipt, and a scope."""

    id: str
    order: tuple[int, int]
    """Epoch, then sequence. What is said about a slot replaces what is lower."""
    lifetime_ms: int
    action: Action
    reason: str = ""
    session: str | None = None
    scope: Scope = Scope()

    @property
    def kind(self) -> str:
        return self.action.kind

    @property
    def slot(self) -> str | None:
        """Its place in the state of a client; `None` for what happens once and leaves nothing."""
        at = f"@{self.scope.server or ''}/{self.scope.database or ''}"
        match self.action:
            case actions.Hold() | actions.Resume():
                return f"hold{at}"
            case actions.Retry() | actions.Switch() | actions.ErrorPolicy():
                return f"{self.kind}{at}"
            case actions.Rate(of=of):
                return f"rate:{of}{at}"
            case actions.Information(topic=name):
                return f"information:{name}"
            case actions.Collect(name=name):
                return f"collect:{name}"
            case actions.StopCollecting(name=stopped):
                return None if stopped is None else f"collect:{stopped}"
            case actions.Upload(collection=collection):
                return f"upload:{collection or ''}"
            case actions.FanOut(table=name):
                return f"fan_out:{name}"
            case actions.DataSource(name=name):
                return f"data_source:{name}"
            case actions.Update():
                return "update"
            case actions.Activate(routine=name) | actions.Deactivate(routine=name):
                return f"routine:{name}"
            case actions.Rule(name=name):
                return f"rule:{name}"
            case actions.Flush() | actions.Refresh() | actions.Revoke():
                return None


def decode(data: bytes) -> Directive:
    """Reads one directive; raises `Refusal` for the first rule that it breaks."""
    fields = Fields(parse(data, limits.DIRECTIVE_BYTES_MAX))
    id = fields.get("id")
    try:
        return _read(fields)
    except Refusal as refusal:
        if isinstance(id, str) and is_name(id):
            refusal.id = id
        raise


def encode(directive: Directive) -> str:
    """Writes one directive in its canonical form; raises `Refusal` for what a reader would refuse."""
    wire: dict[str, object] = {
        "v": VERSION,
        "id": directive.id,
        "epoch": directive.order[0],
        "sequence": directive.order[1],
        "lifetime_ms": directive.lifetime_ms,
        "reason": directive.reason or None,
        "session": directive.session,
        "scope": {key: text for key, text in vars(directive.scope).items() if text is not None} or None,
        "action": directive.kind,
        "with": actions.write(directive.action),
    }
    text = to_json({key: value for key, value in wire.items() if value is not None})
    decode(text.encode())
    return text


def to_json(value: object) -> str:
    """Without white space; names keep their order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _read(fields: Fields) -> Directive:
    if fields.integer("v", 0, 2**64 - 1) != VERSION:
        raise fields.refuse(Why.VERSION, "v")
    id = fields.name("id")
    kind = fields.string("action")
    if kind not in limits.LIFETIME_MS_MAX:
        raise fields.refuse(Why.UNSUPPORTED, "action")
    order = (fields.integer("epoch", 0, limits.NUMBER_MAX), fields.integer("sequence", 0, limits.NUMBER_MAX))
    lifetime_ms = fields.integer("lifetime_ms", 0, limits.LIFETIME_MS_MAX[kind])
    reason = fields.optional("reason", fields.text) or ""
    session = fields.optional("session", lambda name: fields.checked(name, is_session))
    scope = Scope()
    if fields.get("scope") is not None:
        inner = fields.inner("scope")
        scope = Scope(
            inner.optional("server", lambda name: inner.checked(name, lambda text: is_name(text) or is_address(text))),
            inner.optional("database", inner.database),
        )
    given = Fields({}, "with") if fields.get("with") is None else fields.inner("with")
    return Directive(id, order, lifetime_ms, reading.read(kind, given), reason, session, scope)
