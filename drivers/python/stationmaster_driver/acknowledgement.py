"""What a client says back, and how it says so in its session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from . import limits
from .directive import VERSION, to_json
from .fields import Refusal, Why, is_name, is_text
from .sql import setting

Outcome = Literal["applied", "refused", "done", "failed", "expired"]


@dataclass(frozen=True)
class Acknowledgement:
    """What became of one directive. `lifetime_ms` belongs to `applied`, `why` to `refused`, `about` also to `failed`."""

    id: str
    outcome: Outcome
    lifetime_ms: int | None = None
    why: str | None = None
    about: str | None = None

    @staticmethod
    def refused(id: str, refusal: Refusal) -> Acknowledgement:
        about = refusal.about[: limits.TEXT_BYTES_MAX // 4]
        return Acknowledgement(id, "refused", why=refusal.why.value, about=about or None)


def encode(acknowledgements: Sequence[Acknowledgement]) -> str:
    """One JSON object of up to 16; raises `Refusal` for what a reader would refuse."""
    if not 1 <= len(acknowledgements) <= limits.ACKNOWLEDGEMENTS_MAX:
        raise Refusal(Why.RANGE, "acknowledgements")
    for one in acknowledgements:
        if not is_name(one.id) or (one.about is not None and not is_text(one.about)):
            raise Refusal(Why.RANGE, "acknowledgements")
    written = [{key: value for key, value in vars(one).items() if value is not None} for one in acknowledgements]
    text = to_json({"v": VERSION, "acknowledgements": written})
    if len(text.encode()) > limits.ACKNOWLEDGEMENTS_BYTES_MAX:
        raise Refusal(Why.TOO_LARGE, "acknowledgements")
    return text


def statement(acknowledgements: Sequence[Acknowledgement]) -> str:
    """The statement that acknowledges: alone in its message, when the session is idle."""
    return setting("stationmaster.acknowledge", encode(acknowledgements))


def take(waiting: list[Acknowledgement]) -> list[Acknowledgement]:
    """Takes as many as fit one message off the front."""
    count = min(len(waiting), limits.ACKNOWLEDGEMENTS_MAX)
    taken, waiting[:] = waiting[:count], waiting[count:]
    return taken
