"""The parameters of each kind: what is asked of them. The counterpart is `crates/directive/src/codec/actions.rs`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from . import limits
from .actions import (
    PARAMETERS, Action, Activate, Collect, DataSource, Deactivate, ErrorPolicy, ErrorRule, FanOut, Flush, Hold,
    Information, KeyRange, Part, Rate, Refresh, Resume, Retry, Revoke, Rule, StopCollecting, Switch, Update,
    Upload,
)
from .fields import Fields, Why, is_address, is_host, is_port, is_text


def read(kind: str, given: Fields) -> Action:
    """The action of a kind out of the set."""
    return _READERS[kind](given)


def _spread(given: Fields) -> int:
    spread = given.optional("spread_ms", lambda name: given.integer(name, 0, limits.SPREAD_MS_MAX))
    return 1_000 if spread is None else spread


def _attempts(given: Fields) -> int:
    return given.integer("attempts", 0, limits.ATTEMPTS_MAX)


def _delay(given: Fields) -> int:
    return given.integer("delay_ms", 0, limits.DELAY_MS_MAX)


def _version(given: Fields, name: str = "version") -> int:
    return given.integer(name, 1, limits.NUMBER_MAX)


_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{86}==")


def _signature(given: Fields) -> str:
    return given.checked("signature", lambda text: _SIGNATURE.fullmatch(text) is not None)


def _switch(given: Fields) -> Switch:
    to: str | Mapping[str, str]
    found = given.get("to")
    if isinstance(found, str):
        if found != "handler":
            raise given.refuse(Why.RANGE, "to")
        to = found
    else:
        to = {"address": given.inner("to").checked("address", is_address)}
    pinned = given.optional("pinned", lambda name: given.word(name, "wait", "stay"))
    return Switch(to, pinned or "wait")


_REACTIONS = ("fail", "retry", "reconnect")
_ON = re.compile(r"[0-9A-Z]{2}(?:[0-9A-Z]{3})?")


def _error_rule(value: object) -> ErrorRule:
    rule = Fields(value, "rules")
    on = rule.checked("on", lambda text: _ON.fullmatch(text) is not None)
    react = rule.word("react", *_REACTIONS)
    attempts = rule.optional("attempts", lambda _: _attempts(rule))
    return ErrorRule(on, react, attempts or 0, rule.optional("delay_ms", lambda _: _delay(rule)) or 0)


def _collect(given: Fields) -> Collect:
    name = given.name("name")
    of: list[str] = []
    for subject in given.items("of", 1, 4):
        if not isinstance(subject, str):
            raise given.refuse(Why.MALFORMED, "of")
        if subject not in ("client", "application", "query", "errors"):
            raise given.refuse(Why.RANGE, "of")
        of.append(subject)
    interval_ms = given.integer("interval_ms", *limits.INTERVAL_MS)
    bytes_max = given.optional("bytes_max", lambda name: given.integer(name, *limits.REPORT_BYTES))
    sample = given.optional("sample_per_mille", lambda name: given.integer(name, *limits.PER_MILLE))
    return Collect(name, tuple(of), interval_ms, bytes_max or 65_536, sample or 1_000)


def _rate(given: Fields) -> Rate:
    number: Callable[[str], int] = lambda name: given.integer(name, *limits.PER_SECOND)
    per_second = given.optional("per_second", number)
    burst = given.optional("burst", number)
    excess = given.optional("excess", lambda name: given.word(name, "wait", "fail")) or "wait"
    return Rate(per_second, burst, excess, given.optional("of", lambda n: given.word(n, "all", "read", "write")) or "all")


def _flush(given: Fields) -> Flush:
    def keys(name: str) -> tuple[str, ...]:
        found: list[str] = []
        for key in given.items(name, 1, limits.KEYS_MAX):
            if not isinstance(key, str):
                raise given.refuse(Why.MALFORMED, name)
            if not is_text(key):
                raise given.refuse(Why.RANGE, name)
            found.append(key)
        return tuple(found)

    return Flush(given.optional("keys", keys))


def _refresh(given: Fields) -> Refresh:
    view = given.name("view")
    if given.get("portion") is None:
        return Refresh(view, None)
    portion = given.inner("portion")
    keys = KeyRange(portion.text("from"), portion.optional("to", portion.text))
    if keys.to is not None and keys.to <= keys.frm:
        raise portion.refuse(Why.RANGE, "to")
    return Refresh(view, keys)


def _fan_out(given: Fields) -> FanOut:
    def part(value: object) -> Part:
        one = Fields(value, "parts")
        return Part(one.text("from"), one.database("database"))

    table, version, by = given.name("table"), _version(given), given.word("by", "range", "hash")
    parts = tuple(part(one) for one in given.items("parts", 1, limits.PARTS_MAX))
    rising = all(one.frm < two.frm for one, two in zip(parts, parts[1:]))
    if parts[0].frm or not rising:
        raise given.refuse(Why.RANGE, "parts")
    return FanOut(table, version, by, parts)


def _data_source(given: Fields) -> DataSource:
    name, version, change = given.name("name"), _version(given), given.get("change")
    if isinstance(change, str):
        return DataSource(name, version, given.word("change", "remove"))
    changed = given.inner("change")
    if changed.get("rollback") is not None:
        return DataSource(name, version, {"rollback": _version(changed, "rollback")})
    parameters = changed.values("set")
    if any(one not in PARAMETERS for one in parameters):
        raise changed.refuse(Why.FORBIDDEN, "set")
    right = {"host": lambda text: is_host(text) or is_address(f"{text}:1"), "port": is_port, "connect_timeout": is_port}
    if not all(one not in parameters or check(parameters[one]) for one, check in right.items()):
        raise changed.refuse(Why.RANGE, "set")
    return DataSource(name, version, {"set": parameters})


def _update(given: Fields) -> Update:
    return Update(
        given.name("version"),
        given.word("urgency", "available", "recommended", "required"),
        given.checked("sha256", lambda text: re.fullmatch("[0-9a-f]{64}", text) is not None),
        given.name("key"),
        _signature(given),
    )


def _rule(given: Fields) -> Rule:
    right: Callable[[str], bool] = lambda text: text != "" and is_text(text, limits.EXPRESSION_BYTES_MAX)
    return Rule(
        given.name("name"),
        given.checked("expression", right),
        given.word("react", *_REACTIONS),
        given.optional("attempts", lambda _: _attempts(given)) or 0,
        given.optional("delay_ms", lambda _: _delay(given)) or 0,
        given.integer("not_after", 0, limits.NUMBER_MAX),
        given.name("key"),
        _signature(given),
    )


_READERS: Final[dict[str, Callable[[Fields], Action]]] = {
    "hold": lambda given: Hold(_spread(given)),
    "resume": lambda given: Resume(_spread(given)),
    "retry": lambda given: Retry(_attempts(given), _delay(given)),
    "switch": _switch,
    "error_policy": lambda given: ErrorPolicy(
        tuple(_error_rule(rule) for rule in given.items("rules", 0, limits.ERROR_RULES_MAX))
    ),
    "information": lambda given: Information(
        given.name("topic"), given.text("text"), given.optional("values", given.values) or {}
    ),
    "collect": _collect,
    "stop_collecting": lambda given: StopCollecting(
        given.optional("name", given.name), given.word("buffers", "flush", "drop")
    ),
    "upload": lambda given: Upload(given.name("destination"), given.optional("collection", given.name)),
    "rate": _rate,
    "flush": _flush,
    "refresh": _refresh,
    "fan_out": _fan_out,
    "data_source": _data_source,
    "update": _update,
    "activate": lambda given: Activate(given.name("routine"), given.optional("parameters", given.values) or {}),
    "deactivate": lambda given: Deactivate(given.name("routine")),
    "rule": _rule,
    "revoke": lambda given: Revoke(given.name("directive")),
}
assert tuple(_READERS) == limits.KINDS
