"""A guest's memory map from QEMU's `info mtree -f`. The text is not trusted."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bpfexit.events.kind import Kind
from bpfexit.events.mmio import MMIO
from bpfexit.events.pio import PIO
from bpfexit.events.region import Region

MAX_CHARACTERS = 2 << 20
"""Maximum length of the text; that of a guest with hundreds of devices has some 100 KB."""

MAX_REGIONS = 16384
"""Maximum number of regions: a text with more is not a memory map."""

MAX_NAME = 64
"""Maximum characters of a region's name; QEMU's own have up to 40."""

_SPACES = {"I/O": PIO, "memory": MMIO}
_EMULATED = ("i/o", "romd")
"""The kinds of region whose accesses exit: of a ROM device, only the writes."""

_LIMITS = {PIO: 0xFFFF, MMIO: 2**64 - 1}
_SPACE = re.compile(r'AS "([^"]*)", root: ')
_ROOT = re.compile(r"Root memory region: (.*)")
_REGION = re.compile(
    r"([0-9a-f]{16})-([0-9a-f]{16}) \(prio -?\d{1,10}, ([a-z/-]{1,16})\): "
    r"(.*?)( @([0-9a-f]{16}))?( KVM)?"
)


def regions(text: str) -> tuple[Region, ...]:
    """Return the ports and addresses that are emulated, in order of kind and address.

    RAM is left out, because its accesses do not exit, and so is the root, which has the
    unassigned addresses. A piece of a region from offset 0x10 on is named `NAME+0x10`.
    """
    regions_of = {
        (region.kind, region.first): region
        for kind, lines in _views(text[:MAX_CHARACTERS])
        for region in _emulated(kind, lines)
    }
    return tuple(_disjoint([regions_of[key] for key in sorted(regions_of)]))[:MAX_REGIONS]


def _views(text: str) -> Iterator[tuple[Kind, list[str]]]:
    """Yield the flat views that belong to the processors' address spaces, the root's name first."""
    for block in text.split("FlatView #")[1:]:
        lines = [line.strip() for line in block.splitlines()]
        spaces = [match[1] for line in lines if (match := _SPACE.match(line))]
        kinds = [_SPACES[name] for name in spaces if name in _SPACES]
        if kinds:
            yield kinds[0], lines


def _emulated(kind: Kind, lines: list[str]) -> Iterator[Region]:
    root = ""
    for line in lines:
        if match := _ROOT.fullmatch(line):
            root = match[1]
        elif match := _REGION.fullmatch(line):
            region = _region(kind, root, match)
            if region:
                yield region


def _region(kind: Kind, root: str, match: re.Match[str]) -> Region | None:
    first, last = int(match[1], 16), int(match[2], 16)
    name, offset = match[4], int(match[6] or "0", 16)
    if match[3] not in _EMULATED or name in ("", root) or not first <= last <= _LIMITS[kind]:
        return None
    return Region(kind, first, last, name[:MAX_NAME] + (f"+{offset:#x}" if offset else ""))


def _disjoint(ordered: list[Region]) -> Iterator[Region]:
    """Leave out overlapping ranges: a flat view has none."""
    before: Region | None = None
    for region in ordered:
        if before is None or (before.kind, before.last) < (region.kind, region.first):
            yield region
            before = region
