"""The table of guests: what fits, what gives way, and that no name does harm."""

from rich.cells import cell_len

from bpfexit.model.guest import Guest
from bpfexit.model.running_guest import RunningGuest
from bpfexit.ui.guests import lines

UUID = "9c1ad29c-6fb7-4ad3-a3ab-a25a3cbb7f4a"
LONG = "prod-postgres-primary-in-the-second-room-of-the-house-web-3"


def guest(name: str = "web", pid: int = 4711, vmm: str = "qemu") -> RunningGuest:
    return RunningGuest(Guest(pid, name, "qemu", vmm), 4, 4 << 30, 1300 << 20, 273_909.0, UUID)


def shown(*guests: RunningGuest, width: int | None = None) -> list[str]:
    return [line.plain for line in lines(guests, width)]


def test_a_pipe_gets_all_columns_and_whole_names() -> None:
    assert shown(guest("db" * 50)) == [
        "guest" + " " * 97 + "named by   PID  VMM   vCPUs   memory  resident      running  UUID",
        "db" * 50 + f"  qemu      4711  qemu      4  4.00GiB   1.27GiB  3d 04:05:09  {UUID}",
    ]


def test_unknown_values_are_a_dash() -> None:
    (_, line) = shown(RunningGuest(Guest(4711, "pid:4711"), 0))
    assert line.split() == ["pid:4711", "-", "4711", "-", "0", "-", "-", "-", "-"]


def test_numbers_end_below_each_other() -> None:
    small = RunningGuest(Guest(7, "a"), 16, 64 << 20, 5 << 10, 5.0)
    heading, *rest = shown(guest(), small)
    ends = [heading.index(title) + len(title) for title in ("PID", "vCPUs", "memory", "running")]
    for line, values in zip(
        rest, (("4711", "4", "4.00GiB", "09"), ("7", "16", "64.0MiB", "05")), strict=True
    ):
        assert [line[:end].endswith(value) for end, value in zip(ends, values, strict=True)] == [
            True
        ] * 4


def test_eighty_columns_hold_long_names_with_both_their_ends() -> None:
    table = shown(guest(LONG), guest(LONG[:-1] + "4", vmm="cloud-hypervisor"), width=80)
    assert max(map(len, table)) <= 80
    heading, first, second = table
    assert heading.split() == ["guest", "PID", "VMM", "vCPUs", "memory", "running"]
    assert first.startswith("prod-postgres-p")
    names = {line.split()[0] for line in (first, second)}
    assert {name[-6:] for name in names} == {"-web-3", "-web-4"}
    assert all("…" in name for name in names)


def test_what_fits_is_shown() -> None:
    assert "UUID" in shown(guest(), width=200)[0]
    assert "UUID" not in shown(guest(), width=80)[0]
    assert "named by" in shown(guest(), width=80)[0]
    assert "resident" in shown(guest(LONG), width=80)[0]


def test_a_very_narrow_terminal_still_has_names() -> None:
    (_, line) = shown(guest(LONG), width=10)
    assert line.startswith("prod-…-3  4711")


def test_wide_characters_take_two_columns() -> None:
    heading, *rest = shown(guest("客人" * 40), guest("e\u0301tude"), guest("a"), width=80)
    ends = {cell_len(line.split("4711")[0]) for line in rest}
    assert len(ends) == 1
    assert max(map(cell_len, (heading, *rest))) <= 80


def test_a_hostile_name_is_shown_as_text() -> None:
    hostile = "\x1b]0;evil\x07[bold]x[/bold]\u202e\n"
    for width in (None, 30, 80, 200):
        for line in shown(guest(hostile), width=width):
            assert line.isprintable()
    assert "\\x1b]0;evil\\x07[bold]x[/bold]\\u202e\\n" in shown(guest(hostile))[1]
