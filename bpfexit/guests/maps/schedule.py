"""When a source of memory maps is due."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

FIRST_PAUSE_S = 10.0
"""From the first reading to the second: by then, the firmware has placed the devices."""

LONGEST_PAUSE_S = 640.0


@dataclass
class Schedule:
    """Due at once, then after 10, 20, 40 … s, and finally every 640 s.

    Each reading stops QEMU's main loop for about a millisecond, hence the growing pauses.
    """

    due: float = -inf
    pause_s: float = FIRST_PAUSE_S

    @property
    def is_new(self) -> bool:
        """Whether there was no reading so far."""
        return self.due == -inf

    def postpone(self, now: float) -> None:
        """Pause after a reading, whether it failed or not."""
        self.due = now + self.pause_s
        self.pause_s = min(2 * self.pause_s, LONGEST_PAUSE_S)
