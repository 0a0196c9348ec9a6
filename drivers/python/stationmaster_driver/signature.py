"""Ed25519 signatures of updates, checked by `cryptography` where that is installed."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from .actions import Update
from .fields import Refusal, Why

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:  # pragma: no cover
    AVAILABLE = False
else:
    AVAILABLE = True


def text(update: Update) -> bytes:
    """What is signed."""
    return "\n".join(("stationmaster update 1", update.version, update.urgency, update.sha256)).encode()


def vet(update: Update, keys: Mapping[str, bytes]) -> None:
    """Refuses what none of the owner's keys has signed."""
    key = keys.get(update.key)
    if key is None:
        raise Refusal(Why.SIGNATURE, "key")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(update.signature), text(update))
    except (InvalidSignature, ValueError):
        raise Refusal(Why.SIGNATURE, "signature") from None
