"""What an exit accesses."""

from __future__ import annotations


class Kind(int):
    """A kind of target: its number stands in KIND of `row.packed_key` (`bpf_programs/wire.h`).

    `name` is its name in JSON, `dimension` that of its view (`--by`). A target is written
    as `prefix` and a hexadecimal number of at least `digits` digits.
    """

    name: str
    dimension: str
    prefix: str
    digits: int

    def __new__(
        cls, number: int, name: str, dimension: str = "", prefix: str = "", digits: int = 8
    ) -> Kind:
        """Define a kind; each number and each name stands for one."""
        kind = super().__new__(cls, number)
        kind.name, kind.dimension = name, dimension
        kind.prefix, kind.digits = prefix, digits
        return kind

    @property
    def json_name(self) -> str | None:
        """Its name in JSON and CSV; None for `NO_KIND`."""
        return self.name if self else None

    def __repr__(self) -> str:
        return f"Kind({int(self)}, {self.name!r})"

    def written(self, target: int) -> str:
        """Return a target as people write it: `0x0608`, `msr 0x00000079`."""
        return f"{self.prefix}{self.number(target)}"

    def number(self, target: int) -> str:
        """Return a target's number alone, in hexadecimal."""
        return f"0x{target:0{self.digits}x}"


NO_KIND = Kind(0, "none")
"""The exit accesses nothing, or nothing that is traced."""
