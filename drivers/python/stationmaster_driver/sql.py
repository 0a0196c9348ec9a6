"""What can be told from the text of SQL without parsing it. In doubt, the safe side. Pure."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

LOOK_MAX = 65_536
"""Longer statements are looked at up to here, in characters."""
SHOWN_MAX = 512
"""Longest text in a report, in characters."""


@dataclass(frozen=True)
class Look:
    """What a text seems to be."""

    shown: str
    """Without literals, for reports (S8)."""
    reads: bool
    """It only reads, as far as the text says."""
    whole: bool
    """When it fails it leaves nothing behind: one statement, which commits nothing by itself."""
    settings: frozenset[str]
    """Settings that it may change."""
    pin: str | None
    """What ties the session to its server from now on."""
    discards: bool
    """It empties the session."""


def setting(name: str, value: str) -> str:
    """A statement of the driver's own: alone in its message, when the session is idle."""
    return "SET {} = '{}'".format(name, value.replace("'", "''"))


_LITERAL = re.compile(
    r"""(?P<escaped>[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)) | (?P<text>'(?:[^']|'')*(?:'|\Z))
      | (?P<dollar>\$(?P<tag>[A-Za-z_]\w*)?\$.*?(?:\$(?P=tag)\$|\Z)) | (?P<bare>\$\$.*?(?:\$\$|\Z))
      | (?P<name>"(?:[^"]|"")*(?:"|\Z)) | (?P<line>--[^\n]*) | (?P<block>/\*.*?(?:\*/|\Z))
      | (?P<number>(?<![\w$"])[0-9][\w.]*)""",
    re.VERBOSE | re.DOTALL,
)
_LIST = re.compile(r"(\?|%s)(?:\s*,\s*(?:\?|%s))+")
_SET = re.compile(r"SET\s+(?:SESSION\s+)?(?!LOCAL\b|TRANSACTION\b|CONSTRAINTS\b|SESSION\b)([\w.]+)", re.IGNORECASE)
_RESET = re.compile(r"RESET\s+([\w.]+)", re.IGNORECASE)
_CONFIG = re.compile(r"\bset_config\s*\(\s*(?:'([\w.]+)')?", re.IGNORECASE)
_NAMES = {"time": "timezone", "names": "client_encoding"}
_READS = frozenset({"SELECT", "SHOW", "VALUES", "TABLE", "EXPLAIN"})
_WHOLE = frozenset({"SELECT", "SHOW", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH"})
_WRITES = re.compile(r"\b(?:INSERT|UPDATE|DELETE|MERGE|INTO|nextval|setval)\b", re.IGNORECASE)
_PINS = (
    (re.compile(r"\b(?:CREATE\s+(?:(?:LOCAL|GLOBAL)\s+)?|INTO\s+)TEMP(?:ORARY)?\b", re.I), "a temporary table"),
    (re.compile(r"\bWITH\s+HOLD\b", re.I), "a cursor"),
    (re.compile(r"^\s*LISTEN\b", re.I), "a LISTEN"),
    (re.compile(r"^\s*PREPARE\s+(?!TRANSACTION\b)", re.I), "a prepared statement of its own"),
    (re.compile(r"\bpg_(?:try_)?advisory_lock", re.I), "an advisory lock"),
    (re.compile(r"^\s*LOAD\b|^\s*SET\s+SESSION\s+AUTHORIZATION\b", re.I), "a session of its own kind"),
)


@functools.lru_cache(maxsize=1024)
def look(text: str) -> Look:
    """Looks at a text."""
    head = text[:LOOK_MAX]
    bare = _LITERAL.sub(_blank, head)
    parts = [part for part in bare.split(";") if part.strip()]
    words = bare.split(None, 1)
    first = words[0].upper().rstrip(";") if words else ""
    settings: set[str] = set()
    pin = next((what for part in parts for pattern, what in _PINS if pattern.search(part)), None)
    for part in parts:
        found = _SET.match(part.strip()) or _RESET.match(part.strip())
        if found is not None:
            name = found[1].lower()
            settings.add(_NAMES.get(name, name))
    for found in _CONFIG.finditer(head):
        if found[1] is None:
            pin = pin or "a setting without a name"
        else:
            settings.add(found[1].lower())
    whole = len(parts) <= 1 and len(text) <= LOOK_MAX and first in _WHOLE
    reads = whole and first in _READS and _WRITES.search(bare) is None
    return Look(_shown(text, bare, first), reads, whole, frozenset(settings), pin, bool(parts) and _discards(parts[-1]))


def text_of(query: Any, context: Any) -> str:
    """The text of whatever psycopg takes for a query."""
    if isinstance(query, str):
        return query
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    if hasattr(query, "as_string"):
        return str(query.as_string(context))
    # A template string: what is between the values.
    return "%s".join(getattr(query, "strings", ()))


def _discards(part: str) -> bool:
    return part.split()[:2] in (["DISCARD", "ALL"], ["discard", "all"])


def _blank(found: re.Match[str]) -> str:
    if found["name"] is not None:
        return found["name"]
    return " " if found["line"] is not None or found["block"] is not None else "?"


def _shown(text: str, bare: str, first: str) -> str:
    # Whether a backslash escapes a quote is a setting of the session: then nothing behind the first word is shown.
    if "\\'" in text or len(text) > LOOK_MAX:
        return f"{first} …"
    return _LIST.sub(r"\1", " ".join(bare.split()))[:SHOWN_MAX]
