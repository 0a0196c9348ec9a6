"""A client's state: what it was told, as far as its owner allows it.

Pure: every call takes the time, in milliseconds of a monotonic clock. `crates/directive/README.md` specifies it under
*Receiving*, and `receiver.json` of its vectors keeps all drivers alike.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Union

from . import recovery, signature
from .acknowledgement import Acknowledgement
from .actions import (
    Action, Activate, Collect, DataSource, Deactivate, ErrorPolicy, FanOut, Flush, Hold, Information, Rate, Refresh,
    Resume, Retry, Revoke, StopCollecting, Switch, Update, Upload,
)
from .allowance import Allowance
from .directive import Directive, Target, decode
from .fields import Refusal, Why
from .jitter import jitter_ms
from .policy import Policy
from .recovery import Advice, Reaction
from .slots import Held, Slots
from .sources import Sources

KNOWN_MAX = 1024
"""Most ids that are remembered."""


@dataclass(frozen=True)
class Blocked:
    """Why a client may not connect or send yet, and for how many milliseconds."""

    left_ms: int
    id: str
    reason: str


@dataclass(frozen=True)
class Changed:
    """Ask again what concerns this kind."""

    kind: str


@dataclass(frozen=True)
class Once:
    """Do this once, and acknowledge it as done."""

    action: Union[Flush, Refresh, StopCollecting]


Effect = Union[Changed, Once, None]


@dataclass
class Counts:
    """What happened so far."""

    received: int = 0
    applied: int = 0
    repeated: int = 0
    expired: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class Receiver:
    """`can` is what the driver has; `seed`, 64 random bits, spreads clients."""

    def __init__(self, policy: Policy, can: Collection[str], seed: int) -> None:
        self.policy = policy
        self.can = can
        self.seed = seed
        self.slots = Slots()
        self.counts = Counts()
        self.sources = Sources()
        self._known: OrderedDict[str, Acknowledgement] = OrderedDict()
        self._allowance = Allowance()
        self._minute = (0, 0)

    def receive(self, data: bytes, session: str | None, now: int) -> tuple[Acknowledgement | None, Effect]:
        """Takes a directive that came in the session with that token: what to answer there, and what to do now."""
        self.counts.received += 1
        id: str | None = None
        try:
            directive = decode(data)
            id = directive.id
            return self._obey(directive, session, now)
        except Refusal as refusal:
            self.counts.refused[refusal.why.value] += 1
            id = refusal.id or id
            return (None if id is None else Acknowledgement.refused(id, refusal)), None

    def expire(self, now: int) -> list[Acknowledgement]:
        """Drops what is over, and says so. Nothing depends on when it is called."""
        ended = [
            Acknowledgement(held.directive.id, "expired") for held in self.slots.end(lambda held: held.until <= now)
        ]
        self.counts.expired += len(ended)
        for one in ended:
            self._remember(one)
        return ended

    # What follows from the state.

    def connect(self, target: Target, now: int) -> Blocked | None:
        """The hold that keeps this client longest from a target, if one does. Waiting it out once is enough (R70)."""
        # Of equal ones the last slot's, as everywhere.
        holds = [(self._own_end(held, hold), held) for held, hold in reversed(self.slots.of(Hold, target, now))]
        end, held = max(holds, key=lambda one: one[0], default=(0, None))
        if held is None or end <= now:
            return None
        return Blocked(end - now, held.directive.id, held.directive.reason)

    def switch(self, target: Target, now: int) -> tuple[Held, Switch] | None:
        """The switch that a session on a target is to make, if it is not there yet (R75)."""
        found = next(iter(self.slots.covering(Switch, target, now)), None)
        return None if found is None or found[1].address in target.servers else found

    def on_error(self, sqlstate: str, attempts: int, harmless: bool, target: Target, now: int) -> Advice:
        """What to do about an error (R68, R72, R73). `attempts` further tries were made; `harmless` is certain."""
        policies = [action.rules for _, action in self.slots.covering(ErrorPolicy, target, now)]
        retry = next((action for _, action in self.slots.covering(Retry, target, now)), None)
        reaction = recovery.reaction(sqlstate, policies, retry)
        if reaction.react == "fail" or not harmless or attempts >= reaction.attempts:
            return Advice("fail", 0)
        doubled = min(reaction.delay_ms << min(attempts, 16), 60_000, self.policy.wait_ms_max)
        return Advice(reaction.react, doubled - jitter_ms(self.seed, f"{sqlstate}/{attempts}", doubled // 2 + 1))

    def permit(self, reads: bool, target: Target, deadline_ms: int | None, now: int) -> int | Blocked:
        """Asks for one operation (R81): after how many milliseconds it may go, which is then reserved for it."""
        of = ("all", "read" if reads else "write")
        rates = [(held, rate) for held, rate in reversed(self.slots.of(Rate, target, now)) if rate.of in of]
        waits = [(_wait_us(held, rate, now * 1000), held, rate) for held, rate in rates if rate.per_second is not None]
        if not waits:
            return 0
        wait_us, held, rate = max(waits, key=lambda one: one[0])
        left_ms = -(-wait_us // 1000)
        fails = rate.excess == "fail" and left_ms > 0
        if fails or self.policy.wait_or_fail(left_ms, deadline_ms) == "fail":
            return Blocked(left_ms, held.directive.id, held.directive.reason)
        for _, one, limit in waits:
            one.due_us = max(one.due_us, now * 1000) + _period_us(limit)
        return left_ms

    def information(self, now: int) -> list[Information]:
        return [held.action for _, held in self.slots.all(now) if isinstance(held.action, Information)]

    def collections(self, now: int) -> list[tuple[Collect, int]]:
        """What to collect (R76, R77), and until when."""
        return [(held.action, held.until) for _, held in self.slots.all(now) if isinstance(held.action, Collect)]

    def destination(self, collection: str, now: int) -> str | None:
        """Where to send a collection (R78, R79)."""
        held = self.slots.held(f"upload:{collection}", now) or self.slots.held("upload:", now)
        return held.action.destination if held is not None and isinstance(held.action, Upload) else None

    def update(self, now: int) -> Update | None:
        """The driver that is advised (R82)."""
        held = self.slots.held("update", now)
        return held.action if held is not None and isinstance(held.action, Update) else None

    def routine(self, name: str, now: int) -> dict[str, str] | None:
        """The parameters with which a routine is on (R91); `None` when it is off."""
        held = self.slots.held(f"routine:{name}", now)
        return dict(held.action.parameters) if held is not None and isinstance(held.action, Activate) else None

    def source(self, name: str, now: int) -> tuple[int, dict[str, str]] | None:
        """The version and the parameters of a logical name (R87, R88)."""
        held = self.slots.held(f"data_source:{name}", now)
        if held is None or not isinstance(held.action, DataSource):
            return None
        parameters = self.sources.version(name, held.action.version)
        return None if parameters is None else (held.action.version, dict(parameters))

    def fan_out(self, table: str, now: int) -> FanOut | None:
        """The map of a table (R86)."""
        held = self.slots.held(f"fan_out:{table}", now)
        return held.action if held is not None and isinstance(held.action, FanOut) else None

    def forget_routes(self, flush: Flush) -> None:
        """Ends switches by server, database or address, so that the next connection asks anew (R83)."""

        def flushed(held: Held) -> bool:
            if not isinstance(held.action, Switch):
                return False
            scope = held.directive.scope
            keys = [key for key in (scope.server, scope.database, held.action.address) if key is not None]
            return flush.keys is None or any(flush.covers(key) for key in keys)

        self.slots.end(flushed)

    # What may become of a directive.

    def _obey(self, directive: Directive, session: str | None, now: int) -> tuple[Acknowledgement, Effect]:
        if directive.session != session:
            raise Refusal(Why.SESSION, "session")
        if directive.id in self._known:
            self.counts.repeated += 1
            return self._known[directive.id], None
        if directive.lifetime_ms == 0:
            self.counts.expired += 1
            return Acknowledgement(directive.id, "expired"), None
        if directive.kind not in self.can:
            raise Refusal(Why.UNSUPPORTED, directive.kind)
        if directive.kind not in self.policy.allow:
            raise Refusal(Why.NOT_ALLOWED, directive.kind)
        slot = directive.slot
        order = self.slots.order(slot) if slot is not None else None
        if order is not None and directive.order <= order:
            raise Refusal(Why.STALE, "order")
        self._vet(directive, now)
        if slot is not None and not self.slots.room_for(slot, now):
            raise Refusal(Why.FULL, "slots")
        self._count_minute(now)
        lifetime_ms, effect = self._apply(directive, slot, min(directive.lifetime_ms, self.policy.lifetime_ms_max), now)
        answer = Acknowledgement(directive.id, "applied", lifetime_ms=lifetime_ms)
        self._remember(answer)
        self.counts.applied += 1
        return answer, effect

    def _vet(self, directive: Directive, now: int) -> None:
        """Whether the owner wants it, and whether the client has what it is about."""
        policy = self.policy
        match directive.action:
            case Switch(address=str(address)) if not policy.may_lead_to(*address.rsplit(":", 1)):
                raise Refusal(Why.NOT_ALLOWED, "address")
            case Rate(per_second=int(rate)) if rate < policy.rate_per_second_min:
                raise Refusal(Why.LIMIT, "per_second")
            case Collect(of=of) if any(subject not in policy.subjects for subject in of):
                raise Refusal(Why.NOT_ALLOWED, "of")
            case Upload(destination=destination) if destination not in policy.destinations:
                raise Refusal(Why.NOT_ALLOWED, "destination")
            case Update() as update:
                signature.vet(update, policy.keys)
            case Activate(routine=routine) | Deactivate(routine=routine) if routine not in policy.routines:
                raise Refusal(Why.UNKNOWN, "routine")
            case FanOut():
                self._vet_version(directive, now)
            case DataSource(parameters=parameters) as source:
                self._vet_version(directive, now)
                host = (parameters or {}).get("host")
                if host is not None and not policy.may_lead_to(host, (parameters or {}).get("port")):
                    raise Refusal(Why.NOT_ALLOWED, "host")
                self.sources.vet(source)

    def _vet_version(self, directive: Directive, now: int) -> None:
        """A version goes up, or says again what it said."""
        held = self.slots.held(directive.slot or "", now)
        new, old = directive.action, held.action if held is not None else None
        if isinstance(new, (FanOut, DataSource)) and isinstance(old, (FanOut, DataSource)):
            if new.version <= old.version and new != old:
                raise Refusal(Why.STALE, "version")

    def _count_minute(self, now: int) -> None:
        began, count = self._minute
        if now >= began + 60_000:
            began, count = now, 0
        if count >= self.policy.directives_per_minute:
            self._minute = (began, count)
            raise Refusal(Why.TOO_MANY, "directives in a minute")
        self._minute = (began, count + 1)

    def _apply(self, directive: Directive, slot: str | None, lifetime_ms: int, now: int) -> tuple[int, Effect]:
        action, order = directive.action, directive.order
        effect: Effect = Changed(directive.kind)
        match action:
            case Hold() if slot is not None:
                lifetime_ms = self._hold(action, directive, slot, lifetime_ms, now)
            case Resume() if slot is not None:
                self._resume(action, directive, slot, now)
            case Deactivate() if slot is not None:
                self.slots.write(slot, order, None, now)
            case StopCollecting():
                if slot is None:
                    self.slots.end(lambda held: isinstance(held.action, Collect))
                else:
                    self.slots.write(slot, order, None, now)
                effect = Once(action)
            case Revoke():
                effect = self._revoke(action.directive, now)
            case Flush() | Refresh():
                effect = Once(action)
            case _ if slot is not None:
                if isinstance(action, DataSource):
                    self.sources.change(action)
                # A rate that is said again does not begin again.
                before = self.slots.held(slot, now)
                due_us = before.due_us if before is not None else 0
                self.slots.write(slot, order, Held(directive, action, now, now + lifetime_ms, due_us), now)
        return lifetime_ms, effect

    def _hold(self, hold: Hold, directive: Directive, slot: str, lifetime_ms: int, now: int) -> int:
        """Holds, window included, for as long as the owner allows; the answer is how long without the window."""
        most, wanted = self.policy.hold_ms_max, lifetime_ms + hold.spread_ms
        # What the slot held is replaced: its rest is not to be paid for twice.
        others = self._holds_end(slot, now)
        if self._allowance.offer(wanted, most, now, others) == 0:
            raise Refusal(Why.LIMIT, "hold")
        self._allowance.give_back(others, now)
        whole_ms = self._allowance.take(wanted, most, now)
        spread_ms = min(hold.spread_ms, whole_ms)
        held = Held(directive, replace(hold, spread_ms=spread_ms), now, now + whole_ms)
        self.slots.write(slot, directive.order, held, now)
        return whole_ms - spread_ms

    def _resume(self, resume: Resume, directive: Directive, slot: str, now: int) -> None:
        """Turns the slot's hold into a window that opens now, and is never longer than the hold."""
        before = self.slots.held(slot, now)
        spread_ms = min(resume.spread_ms, before.until - now if before is not None else 0)
        self.slots.write(slot, directive.order, Held(directive, Hold(spread_ms), now, now + spread_ms), now)
        self._allowance.give_back(self._holds_end(None, now), now)

    def _revoke(self, id: str, now: int) -> Effect:
        found = next((held for _, held in self.slots.all(now) if held.directive.id == id), None)
        if found is not None and isinstance(found.action, Hold):
            # Its own window opens now.
            found.action = Hold(min(found.action.spread_ms, found.until - now))
            found.until = now + found.action.spread_ms
        self._allowance.give_back(self._holds_end(None, now), now)
        self.slots.end(lambda held: held.directive.id == id and not isinstance(held.action, Hold))
        self._remember(Acknowledgement(id, "expired"))
        return None if found is None else Changed(_kind(found.action))

    def _holds_end(self, excepted: str | None, now: int) -> int:
        """When the last hold ends, but for that of one slot."""
        holds = [one.until for slot, one in self.slots.all(now) if isinstance(one.action, Hold) and slot != excepted]
        return max(holds, default=now)

    def _own_end(self, held: Held, hold: Hold) -> int:
        return held.until - hold.spread_ms + jitter_ms(self.seed, held.directive.id, hold.spread_ms)

    def _remember(self, answer: Acknowledgement) -> None:
        self._known[answer.id] = answer
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)


def _kind(action: Action) -> str:
    return action.kind


def _period_us(rate: Rate) -> int:
    return 1_000_000 // (rate.per_second or 1)


def _wait_us(held: Held, rate: Rate, now_us: int) -> int:
    ahead_us = _period_us(rate) * ((rate.burst or 1) - 1)
    return max(held.due_us - now_us - ahead_us, 0)


def locate(map: FanOut, key: str) -> str:
    """The database that holds a key (R86)."""
    if map.by == "hash":
        key = hashlib.sha256(key.encode()).hexdigest()[:8]
    return [part.database for part in map.parts if part.frm <= key][-1]


__all__ = ["Blocked", "Changed", "Effect", "Once", "Reaction", "Receiver", "locate"]
