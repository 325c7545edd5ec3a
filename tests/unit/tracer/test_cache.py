"""The cache gives back what was stored there, and nothing that others may have written."""

import os
import socket
from pathlib import Path

import pytest

from bpfexit.compiler.document import LARGEST
from bpfexit.host.check import Status
from bpfexit.tracer import cache

KEY, DATA = b'["0.1.0", "int on_kvm_exit..."]', b'{"format": 1}' * 100
SOMEBODY = 1234


@pytest.fixture(autouse=True)
def myself_as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the user that runs the tests, whoever that is."""
    monkeypatch.setattr(cache, "ROOT", os.geteuid())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a cache with one entry."""
    place = tmp_path / "cache"
    cache.store(KEY, DATA, place)
    return place


def entry(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_what_was_stored_is_found(folder: Path) -> None:
    assert cache.load(KEY, folder) == DATA
    assert cache.load(KEY + b" ", folder) is None


def test_all_may_read_and_only_the_owner_may_write(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        cache.store(KEY, DATA, tmp_path / "open")
        os.umask(0o077)
        cache.store(KEY, DATA, tmp_path / "closed")
    finally:
        os.umask(before)
    for folder in (tmp_path / "open", tmp_path / "closed"):
        assert folder.stat().st_mode & 0o7777 == 0o755
        assert entry(folder).stat().st_mode & 0o7777 == 0o644


def test_another_key_with_the_same_file_is_not_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_name", lambda _: entry(folder).name)
    assert cache.load(b"another", folder) is None
    cache.store(b"another", b"data", folder)
    assert cache.load(b"another", folder) == b"data"
    assert cache.load(KEY, folder) is None


def test_a_missing_folder_is_like_an_empty_one(tmp_path: Path) -> None:
    assert cache.load(KEY, tmp_path / "missing") is None
    cache.store(KEY, DATA, tmp_path / "no" / "parent")
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("size", [0, 3, 8, 20, 60, -1])
def test_an_entry_that_is_not_whole_is_ignored(folder: Path, size: int) -> None:
    content = entry(folder).read_bytes()
    entry(folder).write_bytes(content[:size])
    assert cache.load(KEY, folder) is None


@pytest.mark.parametrize("at", [0, 5, 12, 45, 100, -1])
def test_an_entry_with_one_bit_changed_is_ignored(folder: Path, at: int) -> None:
    content = bytearray(entry(folder).read_bytes())
    content[at] ^= 4
    entry(folder).write_bytes(content)
    assert cache.load(KEY, folder) is None


def test_an_entry_that_is_longer_is_ignored(folder: Path) -> None:
    with entry(folder).open("ab") as file:
        file.write(b"\0")
    assert cache.load(KEY, folder) is None
    with entry(folder).open("ab") as file:
        file.truncate(100 * LARGEST)
    assert cache.load(KEY, folder) is None


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o777])
def test_an_entry_that_others_may_write_is_ignored(folder: Path, mode: int) -> None:
    entry(folder).chmod(mode)
    assert cache.load(KEY, folder) is None


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777, 0o1777])
def test_a_folder_that_others_may_write_is_neither_read_nor_written(
    folder: Path, mode: int
) -> None:
    folder.chmod(mode)
    assert cache.load(KEY, folder) is None
    cache.store(b"another", DATA, folder)
    assert len(list(folder.iterdir())) == 1


def test_what_another_user_owns_is_ignored(folder: Path, needs_root: None) -> None:
    os.chown(entry(folder), SOMEBODY, SOMEBODY)
    assert cache.load(KEY, folder) is None
    os.chown(entry(folder), 0, SOMEBODY)
    assert cache.load(KEY, folder) == DATA
    os.chown(folder, SOMEBODY, 0)
    assert cache.load(KEY, folder) is None
    cache.store(b"another", DATA, folder)
    assert len(list(folder.iterdir())) == 1


def test_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert cache.load(KEY, link) is None
    cache.store(b"another", DATA, link)
    path = entry(folder)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert cache.load(KEY, folder) is None
    cache.store(KEY, DATA, folder)  # takes the link's place
    assert cache.load(KEY, folder) == DATA
    assert not entry(folder).is_symlink()


def test_what_is_no_file_is_ignored_at_once(folder: Path) -> None:
    path = entry(folder)
    path.unlink()
    os.mkfifo(path, 0o644)
    assert cache.load(KEY, folder) is None
    path.unlink()
    path.mkdir()
    assert cache.load(KEY, folder) is None
    cache.store(KEY, DATA, folder)
    assert list(folder.iterdir()) == [path]
    path.rmdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert cache.load(KEY, folder) is None


def test_what_is_no_folder_is_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("mine")
    cache.store(KEY, DATA, place)
    assert cache.load(KEY, place) is None
    assert place.read_text() == "mine"


def test_only_root_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "ROOT", os.geteuid() + 1)
    cache.store(KEY, DATA, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_disk_that_is_full_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    cache.store(b"another", DATA, folder)
    assert cache.load(KEY, folder) == DATA
    assert len(list(folder.iterdir())) == 1


def test_those_that_were_used_last_are_kept(folder: Path) -> None:
    for number in range(cache.MOST + 5):
        cache.store(b"%d" % number, DATA, folder)
        set_time(folder, b"%d" % number, 1000 + number)
        set_time(folder, KEY, 500)
        assert cache.load(KEY, folder) == DATA  # which makes it the last used
    (folder / "notes").write_text("not ours")
    cache.store(b"last", DATA, folder)
    kept = [number for number in range(cache.MOST + 5) if cache.load(b"%d" % number, folder)]
    assert kept == list(range(7, cache.MOST + 5))
    assert cache.load(KEY, folder) == cache.load(b"last", folder) == DATA
    assert len(list(folder.iterdir())) == cache.MOST + 1


def set_time(folder: Path, key: bytes, seconds: int) -> None:
    os.utime(folder / cache._name(key), (seconds, seconds))


def test_what_a_process_left_half_written_goes_with_time(folder: Path) -> None:
    part = folder / "0123abcd.bpf.99.part"
    part.write_text("half")
    os.utime(part, (1, 1))
    for number in range(cache.MOST):
        cache.store(b"%d" % number, DATA, folder)
    assert not part.exists()


def test_the_check_counts_what_is_there(folder: Path) -> None:
    found = cache.check(folder)
    assert (found.status, found.fact) == (
        Status.OK,
        f"in use: {folder} holds 1 of at most 32 compilations",
    )


def test_the_check_says_why_each_start_compiles(folder: Path, tmp_path: Path) -> None:
    missing, shared, link = tmp_path / "missing", tmp_path / "shared", tmp_path / "link"
    shared.mkdir()
    shared.chmod(0o777)
    link.symlink_to(folder)
    for place, says in (
        (missing, f"{missing} does not exist, so each start compiles the programs: make it as"),
        (shared, f"others than root may write {shared}, so each start compiles the programs: rem"),
        (link, f"{link} cannot be used (Not a directory), so each start"),
    ):
        found = cache.check(place)
        assert found.status is Status.WARN
        assert found.sentence.startswith(says)
