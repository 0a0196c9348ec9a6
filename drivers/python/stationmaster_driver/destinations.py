"""Where reports can go: the owner names them in `Policy.destinations`."""

from __future__ import annotations

import urllib.request
from pathlib import Path

from .policy import Destination, Server

SERVER = Server.SERVER
"""The server of a session, as with every other driver."""


def file(path: str | Path) -> Destination:
    """Adds each report to a file, as one line."""

    def send(report: bytes) -> None:
        with open(path, "ab") as out:
            out.write(report + b"\n")

    return send


def otlp(url: str, *, timeout_s: float = 10.0) -> Destination:
    """Posts each report to an OpenTelemetry collector, such as `http://localhost:4318/v1/metrics`."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"a collector's address begins with http:// or https://, not {url!r}")

    def send(report: bytes) -> None:
        request = urllib.request.Request(url, report, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=timeout_s):
            pass

    return send
