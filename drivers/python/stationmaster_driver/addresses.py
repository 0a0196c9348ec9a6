"""Where connection parameters point. Pure, but for libpq's environment variables, which are part of them."""

from __future__ import annotations

import os
from typing import Any

from .directive import Target


def _pairs(given: dict[str, Any]) -> list[tuple[str, str]]:
    hosts = str(given.get("host") or given.get("hostaddr") or os.environ.get("PGHOST") or "localhost").split(",")
    ports = str(given.get("port") or os.environ.get("PGPORT") or "5432").split(",")
    return [(host, ports[at] if len(ports) > 1 else ports[0]) for at, host in enumerate(hosts)]


def join(host: str, port: str) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def of(given: dict[str, Any]) -> list[str]:
    """Every `host:port`, in order."""
    return [join(*pair) for pair in _pairs(given)]


def only(given: dict[str, Any], wanted: list[str]) -> dict[str, Any]:
    """The same parameters with only those of its addresses."""
    pairs = _pairs(given)
    if "hostaddr" in given or len(wanted) == len(pairs):
        return dict(given)
    kept = [pair for pair in pairs if join(*pair) in wanted]
    return given | {"host": ",".join(host for host, _ in kept), "port": ",".join(port for _, port in kept)}


def at(given: dict[str, Any], address: str) -> dict[str, Any]:
    """The same parameters at another address."""
    host, port = address.rsplit(":", 1)
    moved = given | {"host": host.strip("[]"), "port": port}
    moved.pop("hostaddr", None)
    return moved


def target(given: dict[str, Any], address: str | None = None) -> Target:
    """What a scope may mean by it; one address of it, or all."""
    user = given.get("user") or os.environ.get("PGUSER")
    database = given.get("dbname") or os.environ.get("PGDATABASE") or user
    return Target(tuple(of(given)) if address is None else (address,), (str(database),) if database else ())
