"""Every bound on what a sender may say. Part of the wire form; `crates/directive/README.md` has the same figures."""

from typing import Final

DIRECTIVE_BYTES_MAX: Final = 8 * 1024
ACKNOWLEDGEMENTS_BYTES_MAX: Final = 8 * 1024
ACKNOWLEDGEMENTS_MAX: Final = 16
ANNOUNCEMENT_BYTES_MAX: Final = 1024
DEPTH_MAX: Final = 6
NUMBER_MAX: Final = 2**53 - 1
NAME_BYTES_MAX: Final = 64
TEXT_BYTES_MAX: Final = 256
ADDRESS_BYTES_MAX: Final = 259
DATABASE_BYTES_MAX: Final = 63
EXPRESSION_BYTES_MAX: Final = 1024
SPREAD_MS_MAX: Final = 60_000
ATTEMPTS_MAX: Final = 10
DELAY_MS_MAX: Final = 60_000
ERROR_RULES_MAX: Final = 32
VALUES_MAX: Final = 16
INTERVAL_MS: Final = (100, 3_600_000)
REPORT_BYTES: Final = (256, 1_048_576)
PER_MILLE: Final = (1, 1_000)
PER_SECOND: Final = (1, 1_000_000)
KEYS_MAX: Final = 64
PARTS_MAX: Final = 256

_MINUTE = 60_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

LIFETIME_MS_MAX: Final = {
    "hold": 10 * _MINUTE,
    "resume": 10 * _MINUTE,
    "retry": _HOUR,
    "switch": _HOUR,
    "error_policy": _DAY,
    "information": _DAY,
    "collect": _DAY,
    "stop_collecting": _DAY,
    "upload": _DAY,
    "rate": _HOUR,
    "flush": _HOUR,
    "refresh": _HOUR,
    "fan_out": 7 * _DAY,
    "data_source": 7 * _DAY,
    "update": 7 * _DAY,
    "activate": _DAY,
    "deactivate": _DAY,
    "rule": _DAY,
    "revoke": _HOUR,
}
"""The longest lifetime of each kind, in milliseconds. Whoever loses its sender is free again after that."""

KINDS: Final = tuple(LIFETIME_MS_MAX)
"""The closed set, in the order of capability lists."""
