"""The declaration of a histogram format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bpfexit.model.distribution import Distribution


@dataclass(frozen=True)
class Choice:
    """The options that only some formats take; None: not given."""

    buckets: str | None = None
    weight: str | None = None


def _always(choice: Choice) -> bool:
    del choice
    return True


@dataclass(frozen=True)
class Format:
    """One format of `bpfexit hist`.

    `help` describes it in the command's help. `encode` yields the text in pieces: as a
    whole, it may take much memory. `takes` names the fields of `Choice` that apply to it,
    and `needs_latencies` whether it is useless without latencies.
    `log2` selects one bucket per power of two unless `--buckets fine` is given.
    `groups` are the dimensions before the addresses, if `--by` is not given.
    """

    name: str
    help: str
    encode: Callable[[Sequence[Distribution], Choice], Iterable[str]]
    takes: tuple[str, ...] = ("buckets",)
    needs_latencies: Callable[[Choice], bool] = _always
    log2: bool = False
    groups: tuple[str, ...] = ("reason",)

    def refused(self, choice: Choice) -> tuple[str, ...]:
        """Return the given options that do not apply to this format."""
        given = (name for name, value in vars(choice).items() if value is not None)
        return tuple(name for name in given if name not in self.takes)

    def is_coarse(self, choice: Choice) -> bool:
        """Return whether its buckets are powers of two."""
        if choice.buckets is None:
            return self.log2
        return choice.buckets == "log2"
