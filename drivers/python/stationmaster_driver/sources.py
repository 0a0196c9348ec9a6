"""What each version of a logical name said, so that one can go back (R87, R88). Pure; secrets are refused by the reader."""

from __future__ import annotations

from collections.abc import Mapping

from .actions import DataSource
from .fields import Refusal, Why

SOURCES_MAX = 32
VERSIONS_MAX = 8


class Sources:
    def __init__(self) -> None:
        # By name and version; `None` for a version that removed the name.
        self._names: dict[str, dict[int, Mapping[str, str] | None]] = {}

    def vet(self, source: DataSource) -> None:
        """Raises `Refusal` for what cannot be noted."""
        if source.name not in self._names and len(self._names) >= SOURCES_MAX:
            raise Refusal(Why.FULL, "data sources")
        if source.rollback is not None and source.rollback not in self._names.get(source.name, {}):
            raise Refusal(Why.UNKNOWN, "version")

    def change(self, source: DataSource) -> None:
        """Notes a version that was vetted."""
        versions = self._names.setdefault(source.name, {})
        versions[source.version] = versions[source.rollback] if source.rollback is not None else source.parameters
        while len(versions) > VERSIONS_MAX:
            del versions[min(versions)]

    def version(self, name: str, version: int) -> Mapping[str, str] | None:
        """What a version said; `None` where the application's own configuration counts."""
        return self._names.get(name, {}).get(version)

    def all(self) -> dict[str, list[int]]:
        """The versions that can be gone back to, by name."""
        return {name: sorted(self._names[name]) for name in sorted(self._names)}
