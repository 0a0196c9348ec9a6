"""Takes fields out of a JSON object, each with its type and limits.

An integer is written as one, `null` is the same as not there, a list is no object, and what is not asked for is not
looked at. The counterpart is `crates/directive/src/fields.rs`; the vectors keep both alike.
"""

from __future__ import annotations

import enum
import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import TypeVar

from . import limits

T = TypeVar("T")


class Why(str, enum.Enum):
    """The codes of refusals, as on the wire."""

    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    MALFORMED = "malformed"
    VERSION = "version"
    UNSUPPORTED = "unsupported"
    RANGE = "range"
    FORBIDDEN = "forbidden"
    SESSION = "session"
    NOT_ALLOWED = "not_allowed"
    STALE = "stale"
    LIMIT = "limit"
    FULL = "full"
    TOO_MANY = "too_many"
    UNKNOWN = "unknown"
    SIGNATURE = "signature"
    RULE = "rule"


class Refusal(Exception):
    """A directive is not obeyed: why, and the field that it is about (never a copy of what was sent)."""

    def __init__(self, why: Why, about: str = "", id: str | None = None) -> None:
        super().__init__(f"{why.value}: {about}" if about else why.value)
        self.why = why
        self.about = about
        self.id = id
        """The directive's id, where that could be read: only then can the refusal be acknowledged."""


def parse(data: bytes, bytes_max: int) -> object:
    """JSON within a length and a depth; both are looked at before anything is parsed."""
    if len(data) > bytes_max:
        raise Refusal(Why.TOO_LARGE, f"more than {bytes_max} bytes")
    if _depth(data) > limits.DEPTH_MAX:
        raise Refusal(Why.TOO_DEEP, f"more than {limits.DEPTH_MAX} levels")
    try:
        value: object = json.loads(data.decode(), parse_int=_number, parse_float=_float, parse_constant=_no_constant)
        # Only lone surrogates cannot be encoded.
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        raise Refusal(Why.MALFORMED, "JSON") from None
    return value


def _depth(data: bytes) -> int:
    """How deep brackets stand in each other outside strings."""
    depth = deepest = 0
    text = escaped = False
    for byte in data:
        if text and escaped:
            escaped = False
        elif text and byte == 0x5C:
            escaped = True
        elif byte == 0x22:
            text = not text
        elif not text and byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif not text and byte in b"}]":
            depth = max(depth - 1, 0)
    return deepest


def _number(digits: str) -> int | float:
    """An unsigned integer of 64 bits; anything else is a float, which no field takes."""
    if digits.startswith("-") or len(digits) > 20 or int(digits) >= 2**64:
        return _float(digits)
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("outside the range of a double")
    return number


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


class Fields:
    """An object and its name."""

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, dict):
            raise Refusal(Why.MALFORMED, path)
        self._map: dict[str, object] = value
        self._path = path

    def refuse(self, why: Why, name: str) -> Refusal:
        return Refusal(why, f"{self._path}.{name}" if self._path else name)

    def get(self, name: str) -> object:
        """`None` for what is missing."""
        return self._map.get(name)

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        return None if self.get(name) is None else read(name)

    def integer(self, name: str, least: int, most: int) -> int:
        value = self.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.refuse(Why.MALFORMED, name)
        if not least <= value <= most:
            raise self.refuse(Why.RANGE, name)
        return value

    def string(self, name: str) -> str:
        value = self.get(name)
        if not isinstance(value, str):
            raise self.refuse(Why.MALFORMED, name)
        return value

    def checked(self, name: str, right: Callable[[str], bool]) -> str:
        text = self.string(name)
        if not right(text):
            raise self.refuse(Why.RANGE, name)
        return text

    def name(self, name: str) -> str:
        return self.checked(name, is_name)

    def text(self, name: str) -> str:
        return self.checked(name, is_text)

    def database(self, name: str) -> str:
        return self.checked(name, is_database)

    def word(self, name: str, *words: str) -> str:
        return self.checked(name, lambda text: text in words)

    def inner(self, name: str) -> Fields:
        value = self.get(name)
        if not isinstance(value, dict):
            raise self.refuse(Why.MALFORMED, name)
        return Fields(value, name)

    def items(self, name: str, least: int, most: int) -> list[object]:
        value = self.get(name)
        if not isinstance(value, list):
            raise self.refuse(Why.MALFORMED, name)
        if not least <= len(value) <= most:
            raise self.refuse(Why.RANGE, name)
        return value

    def values(self, name: str) -> Mapping[str, str]:
        """Texts by names, sorted."""
        value = self.get(name)
        if not isinstance(value, dict):
            raise self.refuse(Why.MALFORMED, name)
        if len(value) > limits.VALUES_MAX:
            raise self.refuse(Why.RANGE, name)
        texts: dict[str, str] = {}
        for key in sorted(value):
            text = value[key]
            if not isinstance(text, str):
                raise self.refuse(Why.MALFORMED, name)
            if not is_name(key) or not is_text(text):
                raise self.refuse(Why.RANGE, name)
            texts[key] = text
        return texts


_NAME = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_SESSION = re.compile(r"[A-Za-z0-9_-]{16,64}")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}")
_ADDRESS = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\]):([1-9][0-9]{0,4})")
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")


def is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def is_text(text: str, bytes_max: int = limits.TEXT_BYTES_MAX) -> bool:
    """No control characters, which would forge lines in logs."""
    return len(text.encode()) <= bytes_max and not any(unicodedata.category(letter) == "Cc" for letter in text)


def is_database(text: str) -> bool:
    return text != "" and is_text(text, limits.DATABASE_BYTES_MAX)


def is_session(text: str) -> bool:
    return _SESSION.fullmatch(text) is not None


def is_address(text: str) -> bool:
    found = _ADDRESS.fullmatch(text)
    return found is not None and int(found[1]) < 2**16 and len(text) <= limits.ADDRESS_BYTES_MAX


def is_host(text: str) -> bool:
    return _HOST.fullmatch(text) is not None


def is_port(text: str) -> bool:
    """A number of 16 bits above 0; also what a connection's time-out in seconds may be."""
    return _NUMBER.fullmatch(text) is not None and int(text) < 2**16
