"""Moments of a client's own: spread evenly over clients, the same each time for one of them (S6)."""

_MASK = 2**64 - 1


def jitter_ms(seed: int, what: str, width_ms: int) -> int:
    """A number below `width_ms`, or 0: FNV-1a of the seed and the text, stirred as SplitMix64 ends."""
    mixed = 0xCBF29CE484222325
    for byte in seed.to_bytes(8, "little") + what.encode():
        mixed = (mixed ^ byte) * 0x100000001B3 & _MASK
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    high = (mixed ^ mixed >> 31) >> 32
    return high * width_ms >> 32
