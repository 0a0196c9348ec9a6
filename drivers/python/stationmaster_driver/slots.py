"""What is in force, and where the order of each slot stands. Pure; milliseconds throughout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from .actions import Action
from .directive import Directive, Scope, Target

SLOTS_MAX = 256
"""Most slots of which anything is remembered."""

A = TypeVar("A", bound=Action)


@dataclass
class Held:
    """A directive in force."""

    directive: Directive
    action: Action
    """As the owner cut it."""
    since: int
    until: int
    due_us: int = 0
    """For a rate: when the next operation is due, in microseconds."""


@dataclass
class Said:
    """What was last said about a slot; `held` is `None` once that is over."""

    order: tuple[int, int]
    held: Held | None
    written: int

    def is_idle(self, now: int) -> bool:
        return self.held is None or self.held.until <= now


class Slots:
    def __init__(self) -> None:
        self._slots: dict[str, Said] = {}
        self._writes = 0

    def order(self, slot: str) -> tuple[int, int] | None:
        said = self._slots.get(slot)
        return None if said is None else said.order

    def held(self, slot: str, now: int) -> Held | None:
        said = self._slots.get(slot)
        return said.held if said is not None and not said.is_idle(now) else None

    def all(self, now: int) -> Iterator[tuple[str, Held]]:
        """Everything in force, by slot."""
        for slot in sorted(self._slots):
            held = self._slots[slot].held
            if held is not None and held.until > now:
                yield slot, held

    def of(self, kind: type[A], target: Target, now: int) -> list[tuple[Held, A]]:
        """What of one kind is in force for a target, by slot."""
        return [
            (held, held.action)
            for _, held in self.all(now)
            if isinstance(held.action, kind) and held.directive.scope.covers(target)
        ]

    def covering(self, kind: type[A], target: Target, now: int) -> list[tuple[Held, A]]:
        """The same, the most particular scope first, then the highest order."""
        found = self.of(kind, target, now)
        return sorted(found, key=lambda one: (_particular(one[0].directive.scope), one[0].directive.order), reverse=True)

    def room_for(self, slot: str, now: int) -> bool:
        return (
            slot in self._slots
            or len(self._slots) < SLOTS_MAX
            or any(said.is_idle(now) for said in self._slots.values())
        )

    def write(self, slot: str, order: tuple[int, int], held: Held | None, now: int) -> None:
        """Writes a slot for which there is room; what was there is over."""
        if slot not in self._slots and len(self._slots) >= SLOTS_MAX:
            idle = [name for name, said in self._slots.items() if said.is_idle(now)]
            del self._slots[min(idle, key=lambda name: self._slots[name].written)]
        self._writes += 1
        self._slots[slot] = Said(order, held, self._writes)

    def end(self, wanted: Callable[[Held], bool]) -> list[Held]:
        """Ends what is wanted, keeping its order."""
        ended = []
        for slot in sorted(self._slots):
            said = self._slots[slot]
            if said.held is not None and wanted(said.held):
                ended.append(said.held)
                said.held = None
        return ended


def _particular(scope: Scope) -> int:
    return (scope.server is not None) + 2 * (scope.database is not None)
