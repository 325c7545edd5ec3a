"""The kernel's release, and what follows from it."""

from pathlib import Path

import pytest

from bpfexit.host.kernel import preempts_raw_tracepoints, release


def machine(root: Path, text: str) -> Path:
    file = root / "proc/sys/kernel/osrelease"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return root


@pytest.mark.parametrize(
    ("text", "numbers", "preempted"),
    [
        ("5.10.0-46-amd64\n", (5, 10), False),
        ("6.18.44\n", (6, 18), False),
        ("6.19.0-rc1\n", (6, 19), True),
        ("7.2.13+deb14-amd64\n", (7, 2), True),
        ("10.0\n", (10, 0), True),
    ],
)
def test_the_first_two_numbers_decide(
    tmp_path: Path, text: str, numbers: tuple[int, int], preempted: bool
) -> None:
    root = machine(tmp_path, text)
    assert release(root) == numbers
    assert preempts_raw_tracepoints(root) is preempted


@pytest.mark.parametrize("text", ["", "unknown", "v6"])
def test_an_unreadable_release_is_taken_for_a_new_one(tmp_path: Path, text: str) -> None:
    assert preempts_raw_tracepoints(machine(tmp_path, text))
