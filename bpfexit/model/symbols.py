"""Names of a guest's instructions, from the symbols of its kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.guest import Guest

FARTHEST = 1 << 20
"""Bytes after a symbol's beginning that are still named by it: beyond, nothing is known."""


class SymbolTable:
    """Symbols by address, moved by an offset (KASLR)."""

    def __init__(self, symbols: Iterable[tuple[int, str]], offset: int = 0) -> None:
        """Take addresses and names, in any order; of two at one address, the first is kept."""
        by_address: dict[int, str] = {}
        for address, name in symbols:
            by_address.setdefault((address + offset) & _ALL_BITS, name)
        ordered = sorted(by_address)
        self._addresses: NDArray[np.uint64] = np.array(ordered, np.uint64)
        self._names = [by_address[address] for address in ordered]

    def __len__(self) -> int:
        return len(self._names)

    def name(self, address: int) -> str | None:
        """Return `symbol+0x1c`; None if no symbol begins close before the address."""
        index = int(np.searchsorted(self._addresses, np.uint64(address), "right")) - 1
        if index < 0:
            return None
        distance = address - int(self._addresses[index])
        if distance >= FARTHEST:
            return None
        return f"{self._names[index]}+{distance:#x}" if distance else self._names[index]


_ALL_BITS = 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True)
class GuestSymbols:
    """The tables of guests, by name or process ID."""

    tables: Mapping[str, SymbolTable] = field(default_factory=dict)

    def name(self, guest: Guest, address: int) -> str | None:
        """Return the name of an instruction of a guest; None if it is not known."""
        table = self.tables.get(guest.name) or self.tables.get(str(guest.pid))
        return table.name(address) if table else None


NO_SYMBOLS = GuestSymbols()
