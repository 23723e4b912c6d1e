"""Where something is in an object, as a text that is made only when it is shown."""

from __future__ import annotations

from typing import Any, NamedTuple

_WHOLE = 12  # steps of a place that are shown; of a longer one its two ends
_LONGEST_STEP = 64


class Place(NamedTuple):
    """The way to something from the object that a file holds.

    It refers to the place above it, so that a deep object takes memory for each thing in it once, and not for each
    thing's whole way.
    """

    step: str
    above: Place | None = None
    depth: int = 1
    start: str = ""

    def below(self, step: str) -> Place:
        """Give the place of something inside."""
        step = step if len(step) <= _LONGEST_STEP else step[:_LONGEST_STEP] + "…"
        start = self.start if self.depth > _WHOLE // 2 else self.start + self.step
        return Place(step, self, self.depth + 1, start)

    def __str__(self) -> str:
        steps: list[str] = []
        place: Place | None = self
        while place is not None and place.depth > _WHOLE // 2 + 1 and len(steps) < _WHOLE // 2:
            steps.append(place.step)
            place = place.above
        if place is None:
            return ""
        middle = "…" if place.depth > _WHOLE // 2 + 1 else place.step
        return place.start + middle + "".join(reversed(steps))


Entries = list[tuple[Place, Any]]
