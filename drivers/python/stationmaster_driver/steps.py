"""Plans: what is to be done in which order, written once for both of psycopg's worlds.

A plan is a generator that yields steps and is sent their results, so it knows neither threads nor event loops, and a
test can carry it out with a clock of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar, Union

T = TypeVar("T")


@dataclass(frozen=True)
class Sleep:
    """Wait for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Call:
    """Call this; in the world of `async`, await what it gives."""

    function: Callable[[], Any]


Plan = Generator[Union[Sleep, Call], Any, T]


def perform(plan: Plan[T]) -> T:
    """Carries a plan out in this thread."""
    try:
        step = next(plan)
        while True:
            try:
                given = None
                if isinstance(step, Sleep):
                    time.sleep(step.seconds)
                else:
                    given = step.function()
            except BaseException as error:
                step = plan.throw(error)
            else:
                step = plan.send(given)
    except StopIteration as end:
        result: T = end.value
        return result


async def perform_async(plan: Plan[T]) -> T:
    """Carries a plan out in this task."""
    try:
        step = next(plan)
        while True:
            try:
                given = await (asyncio.sleep(step.seconds) if isinstance(step, Sleep) else step.function())
            except BaseException as error:
                step = plan.throw(error)
            else:
                step = plan.send(given)
    except StopIteration as end:
        result: T = end.value
        return result
