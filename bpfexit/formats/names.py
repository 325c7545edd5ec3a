"""How guests, vCPUs, reasons and addresses are written; names are not trusted."""

from collections import Counter
from collections.abc import Iterator, Sequence

from bpfexit.events.registry import KIND_OF_NAME
from bpfexit.model.address_names import AddressName
from bpfexit.model.distribution import Distribution, Labels
from bpfexit.model.text import printable

Path = tuple[str, ...]
"""A group's name, from the guest down to the address."""


def address(kind: str, number: int) -> str:
    """Return a target as a hexadecimal number; `kind` is the name of its kind."""
    return KIND_OF_NAME[kind].number(number)


def named(name: AddressName | None) -> dict[str, str | None]:
    """Return an address's name and its source for JSON and CSV; null if unknown."""
    if name is None:
        return {"name": None, "named_by": None}
    return {"name": name.text, "named_by": name.source.value}


def with_paths(distributions: Sequence[Distribution]) -> Iterator[tuple[Path, Distribution]]:
    """Yield each with its path; guests or vCPUs that share a name get a distinguishing number."""
    keys = {_vcpu_key(distribution.labels) for distribution in distributions}
    vms = Counter(vm for vm, _ in {key[:2] for key in keys})
    vcpus = Counter(key[:3] for key in keys)
    seen: Counter[Path] = Counter()
    for distribution in distributions:
        path = _path(distribution, vms, vcpus)
        seen[path] += 1
        yield _unique(path, seen[path]), distribution


def _vcpu_key(labels: Labels) -> tuple[str | int | None, ...]:
    return tuple(labels.get(name) for name in ("vm", "pid", "vcpu", "tid"))


def _path(
    distribution: Distribution,
    vms: Counter[str | int | None],
    vcpus: Counter[tuple[str | int | None, ...]],
) -> Path:
    labels = distribution.labels
    words = []
    if "vm" in labels:
        shared = vms[labels["vm"]] > 1
        name = printable(str(labels["vm"])) or "unnamed"
        words.append(f"{name} ({labels['pid']})" if shared else name)
    if "vcpu" in labels:
        alone = labels["vcpu"] is not None and vcpus[_vcpu_key(labels)[:3]] == 1
        number = "" if labels["vcpu"] is None else f"vCPU {labels['vcpu']} "
        words.append(f"{number}tid {labels['tid']}" if not alone else number.strip())
    if "class" in labels:
        words.append(str(labels["class"]))
    if "reason" in labels:
        words.append(printable(str(labels["reason"] or "")) or "unknown")
    if labels.get("kind") is not None:
        name = f" ({printable(distribution.name.marked)})" if distribution.name else ""
        words.append(_access(labels) + name)
    return tuple(words)


def _access(labels: Labels) -> str:
    kind, number = str(labels["kind"]), labels["address"]
    assert isinstance(number, int)  # noqa: S101 - a kind comes with an address
    return f"{KIND_OF_NAME[kind].written(number)} {labels['access'] or ''}".rstrip()


def _unique(path: Path, number: int) -> Path:
    """Add a number to a path that was there before: names can imitate others."""
    return path if number == 1 else (*path[:-1], f"{path[-1]} #{number}")
