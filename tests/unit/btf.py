"""BTF, built by hand."""

import struct

MAGIC = 0xEB9F
KIND_INT, KIND_STRUCT = 1, 4
BITFIELDS = 1 << 31

Member = tuple[str, int]
"""Name, and the offset in bits."""


class Builder:
    """Builds a BTF blob: a header, the types, the strings."""

    def __init__(self, base: "Builder | None" = None) -> None:
        self.types = b""
        self.strings = b"" if base else b"\0"
        self.base = len(base.strings) if base else 0

    def name(self, text: str) -> int:
        at = self.base + len(self.strings)
        self.strings += text.encode() + b"\0"
        return at

    def integer(self, text: str) -> None:
        self.types += struct.pack("<IIII", self.name(text), KIND_INT << 24, 4, 32)

    def structure(self, text: str, members: list[Member], flag: int = 0) -> None:
        info = flag | KIND_STRUCT << 24 | len(members)
        self.types += struct.pack("<III", self.name(text), info, 64)
        for member, bits in members:
            self.types += struct.pack("<III", self.name(member), 1, bits)

    def blob(self) -> bytes:
        lengths = (0, len(self.types), len(self.types), len(self.strings))
        return struct.pack("<HBBI4I", MAGIC, 1, 0, 24, *lengths) + self.types + self.strings
