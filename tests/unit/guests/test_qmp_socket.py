"""`--qmp [GUEST=]PATH`: names and paths may hold `=`, too."""

import os
from pathlib import Path

import pytest

from bpfexit.guests.maps.qmp_socket import Socket
from bpfexit.model.guest import Guest


@pytest.mark.parametrize(
    ("text", "guest", "path"),
    [
        ("/run/q", "", "/run/q"),
        ("relative", "", "relative"),
        ("web01=/run/q", "web01", "/run/q"),
        ("web01=relative", "web01", "relative"),
        ("a=b=/run/q", "a=b", "/run/q"),
        ("web01=/run/a=b", "web01", "/run/a=b"),
        ("/run/a=b", "", "/run/a=b"),
        ("", "", ""),
    ],
)
def test_what_does_not_exist_is_parted_before_a_slash_else_at_the_first(
    text: str, guest: str, path: str
) -> None:
    assert Socket.parse(text) == Socket(guest, path)


@pytest.mark.parametrize(
    ("text", "guest", "path"),
    [("a=b", "", "a=b"), ("x=a=b", "x", "a=b"), ("y=x=a=b", "y=x", "a=b"), ("x=c", "x", "c")],
)
def test_what_exists_decides(
    text: str, guest: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mknod("a=b")
    assert Socket.parse(text) == Socket(guest, path)


def test_a_guest_is_meant_by_its_name_or_its_process() -> None:
    web = Guest(4711, "web01")
    assert Socket("web01", "q").is_of(web)
    assert Socket("4711", "q").is_of(web)
    assert not Socket("web02", "q").is_of(web)
    assert not Socket("", "q").is_of(web)
