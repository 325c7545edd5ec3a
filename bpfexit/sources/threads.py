"""Which vCPU threads have ended: nobody tells, so their `/proc` folders are looked for."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Threads:
    """Follows the threads of an array of struct vcpu, by slot.

    A thread is looked for when its vCPU has not moved since the last sample. One
    that was never seen is never taken for ended: its process is in another PID
    namespace, and so out of sight.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._seen: set[int] = set()
        self.ended: set[int] = set()

    def update(self, before: NDArray[Any], after: NDArray[Any]) -> int:
        """Note who has ended; return how many of them ended in the middle of an exit."""
        for slot in range(len(before), len(after)):
            if self._is_there(after[slot]):
                self._seen.add(slot)
        common = after[: len(before)]
        still = np.ones(len(before), bool)
        for field in ("exit_ns", "guest_ns", "what", "address"):
            still &= common[field] == before[field]
        gone = [
            slot
            for slot in np.flatnonzero(still).tolist()
            if slot in self._seen and slot not in self.ended and not self._is_there(after[slot])
        ]
        self.ended.update(gone)
        return int((after["exit_ns"][gone] != 0).sum())

    def alive(self, vcpus: NDArray[Any]) -> NDArray[np.bool_]:
        """Say of each vCPU whether its thread has not ended, shape (n,)."""
        alive = np.ones(len(vcpus), bool)
        alive[list(self.ended)] = False
        return alive

    def _is_there(self, vcpu: Any) -> bool:
        owner = int(vcpu["owner"])
        task = self._root / "proc" / str(owner >> 32) / "task" / str(owner & 0xFFFFFFFF)
        return task.is_dir()
