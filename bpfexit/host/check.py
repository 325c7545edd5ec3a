"""One fact about this machine, and whether it stands in the way."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """OK; WARN works, but worse or not surely; FAIL keeps exits from being counted."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """A fact and, where it is no good one, what to do.

    `fact` and `remedy`, joined by a colon, make a sentence that says what is
    wrong and what to do. Both may quote the kernel: not to be trusted.
    """

    name: str
    status: Status
    fact: str
    remedy: str = ""

    @property
    def sentence(self) -> str:
        """The fact and what to do."""
        return f"{self.fact}: {self.remedy}" if self.remedy else self.fact
