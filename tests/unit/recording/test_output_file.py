"""No one makes bpfexit write elsewhere, to another's file, or to one that is recorded to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.recording.output_file import open_output

USER = 65534

as_root = pytest.mark.usefixtures("needs_root")

HOLDS = """\
import sys
from pathlib import Path
from bpfexit.recording.output_file import open_output
open_output(Path(sys.argv[1]), append=True)
print(flush=True)
sys.stdin.readline()
"""


def opened(path: Path, append: bool = False) -> bool:
    """Open and close a file; return whether it was created."""
    output = open_output(path, append)
    output.close()
    return output.created


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Return a folder of another user."""
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o755)
    os.chown(folder, USER, USER)
    return folder


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Return a folder like /tmp."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


@pytest.mark.parametrize("append", [False, True])
def test_nobody_else_may_read_a_recording(tmp_path: Path, append: bool) -> None:
    path = tmp_path / "exits"
    old = os.umask(0)
    try:
        assert opened(path, append)
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_mode_of_a_file_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "exits"
    path.touch()
    path.chmod(0o640)
    assert not opened(path, append=True)
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("there", [False, True])
def test_a_symbolic_link_is_not_written_through(tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "target", tmp_path / "exits"
    link.symlink_to(target)
    if there:
        target.touch()
    with pytest.raises(BpfexitError, match="is a symbolic link; name the file it points to"):
        opened(link, append=True)
    with pytest.raises(BpfexitError, match="exists"):
        opened(link)
    assert target.exists() is there


def test_links_to_folders_are_followed_where_only_root_makes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk" / "log").mkdir(parents=True)
    (tmp_path / "absolute").symlink_to(tmp_path / "disk")
    (tmp_path / "relative").symlink_to("disk/../absolute/log")
    assert opened(tmp_path / "absolute" / "log" / "one")
    assert opened(tmp_path / "relative" / "two")
    monkeypatch.chdir(tmp_path)
    assert opened(Path("relative/../log/three"))
    assert {each.name for each in (tmp_path / "disk" / "log").iterdir()} == {"one", "two", "three"}


def test_links_without_end_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(BpfexitError, match="Too many levels of symbolic links"):
        opened(tmp_path / "loop" / "exits")
    (tmp_path / "file").touch()
    with pytest.raises(BpfexitError, match="Not a directory"):
        opened(tmp_path / "file" / "exits")


@as_root
@pytest.mark.parametrize("folder", ["theirs", "shared"])
@pytest.mark.parametrize("append", [False, True])
def test_links_that_others_may_plant_are_not_followed(
    tmp_path: Path, request: pytest.FixtureRequest, folder: str, append: bool
) -> None:
    planted = request.getfixturevalue(folder)
    (tmp_path / "etc").mkdir()
    (planted / "x").symlink_to(tmp_path / "etc")
    with pytest.raises(BpfexitError, match="x is a symbolic link in a folder that other users may"):
        opened(planted / "x" / "exits", append)
    assert not list((tmp_path / "etc").iterdir())


@as_root
def test_a_new_file_may_be_in_a_folder_of_others(theirs: Path, shared: Path) -> None:
    for folder in (theirs, shared):
        assert opened(folder / "exits")
        assert not opened(folder / "exits", append=True)


@as_root
def test_files_of_others_are_not_appended_to(tmp_path: Path, shared: Path) -> None:
    for folder in (tmp_path, shared):
        path = folder / "exits"
        path.touch()
        os.chown(path, USER, USER)
        with pytest.raises(BpfexitError, match=f"it belongs to the user {USER}; give another"):
            opened(path, append=True)


@as_root
def test_a_planted_hard_link_is_not_appended_to(tmp_path: Path, shared: Path) -> None:
    path = tmp_path / "exits"
    path.touch()
    os.link(path, shared / "exits")
    with pytest.raises(BpfexitError, match="other names"):
        opened(shared / "exits", append=True)
    assert not opened(path, append=True)


def test_only_a_file_that_was_created_is_discarded(tmp_path: Path) -> None:
    path = tmp_path / "exits"
    for append, left in ((False, False), (True, False), (True, True)):
        if left:
            path.touch()
        output = open_output(path, append)
        output.discard()
        output.discard()
        output.close()
        assert path.exists() is left


def test_another_file_of_that_name_is_not_discarded(tmp_path: Path) -> None:
    path = tmp_path / "exits"
    output = open_output(path, append=False)
    path.rename(tmp_path / "moved")
    path.touch()
    output.discard()
    output.close()
    assert path.exists()


def test_a_file_that_is_recorded_to_is_not_opened_and_its_holder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "exits"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout
        assert holder.stdin
        assert holder.stdout.readline() == "\n"
        with pytest.raises(BpfexitError, match=rf": process {holder.pid} records to it; stop it"):
            opened(path, append=True)
        holder.communicate("\n")
    assert not opened(path, append=True)
