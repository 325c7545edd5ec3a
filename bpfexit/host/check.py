"""A fact about this machine, and whether it prevents counting."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """OK; WARN: works, with limits; FAIL: exits cannot be counted."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """A fact and, if it is a problem, what to do.

    `fact` and `remedy`, joined by a colon, are a sentence on what is wrong and what to
    do. Both may quote the kernel and are not trusted.
    """

    name: str
    status: Status
    fact: str
    remedy: str = ""

    @property
    def sentence(self) -> str:
        """The fact and what to do."""
        return f"{self.fact}: {self.remedy}" if self.remedy else self.fact
