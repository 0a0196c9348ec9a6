"""How long a client may be held up. Time without a hold gives back what was used. Pure; milliseconds throughout."""


class Allowance:
    def __init__(self) -> None:
        self._used = self._at = self._held_until = 0

    def take(self, wanted: int, most: int, now: int) -> int:
        """Asks for a hold from now on; the answer is how long it may be."""
        granted, self._used, self._held_until = self._asked(wanted, most, now, self._held_until, self._used_at(now))
        self._at = max(self._at, now)
        return granted

    def offer(self, wanted: int, most: int, now: int, others_until: int) -> int:
        """What `take` would grant if all holds but those until then were given back."""
        end = max(others_until, now)
        used = max(self._used_at(now) - max(self._held_until - end, 0), 0)
        return self._asked(wanted, most, now, min(self._held_until, end), used)[0]

    def give_back(self, until: int, now: int) -> None:
        """The present holds end by then: what they do not use is given back."""
        end = max(until, now)
        self._used = max(self._used_at(now) - max(self._held_until - end, 0), 0)
        self._at, self._held_until = max(self._at, now), min(self._held_until, end)

    def _asked(self, wanted: int, most: int, now: int, held_until: int, used: int) -> tuple[int, int, int]:
        begin = max(held_until, now)
        more = min(max(now + wanted - begin, 0), max(most - used, 0))
        return min(wanted, max(begin + more - now, 0)), used + more, begin + more

    def _used_at(self, now: int) -> int:
        return max(self._used - max(now - max(self._at, self._held_until), 0), 0)
