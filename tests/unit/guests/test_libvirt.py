"""`--libvirt` with a virsh of our own that says what libvirt 9 says."""

import stat
from pathlib import Path

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.guests.maps import libvirt
from tests.unit.guests.test_mtree import FOUND, TEXT

UUID = "9c1ad29c-6fb7-4ad3-a3ab-a25a3cbb7f4a"
OTHER = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def virsh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that virsh is looked for in, in which `say` makes one."""
    monkeypatch.setattr(libvirt, "FOLDERS", (str(tmp_path), "/usr/bin", "/bin"))
    return tmp_path


def say(folder: Path, script: str) -> None:
    virsh = folder / "virsh"
    virsh.write_text(f"#!/bin/sh\n{script}\n")
    virsh.chmod(virsh.stat().st_mode | stat.S_IXUSR)


def refused(folder: Path, script: str) -> str:
    say(folder, script)
    with pytest.raises(BpfexitError) as caught:
        libvirt.memory_map(UUID)
    assert str(caught.value).startswith("--libvirt: ")
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_running_guests_are_found_by_name(virsh: Path) -> None:
    say(virsh, f"echo; echo '{UUID} web 01 '; echo '{OTHER} 7'; echo rubbish; echo")
    assert libvirt.domains() == {"web 01": UUID, "7": OTHER}


def test_a_guest_is_asked_by_its_uuid_and_as_arguments(virsh: Path) -> None:
    (virsh / "tree").write_text(TEXT)
    say(virsh, f'printf "<%s>" "$@" > {virsh}/asked; cat {virsh}/tree')
    assert libvirt.memory_map(UUID) == FOUND
    asked = (virsh / "asked").read_text()
    assert asked == f"<--quiet><qemu-monitor-command><--domain={UUID}><--hmp><info mtree -f>"


def test_what_virsh_complains_of_is_said_in_one_harmless_line(virsh: Path) -> None:
    text = refused(virsh, r"printf 'error: \033[2J failed\nto connect\n' >&2; exit 1")
    assert "failed to connect" in text


def test_a_virsh_that_hangs_has_its_end(virsh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libvirt, "TIMEOUT_S", 0.2)
    assert "did not answer" in refused(virsh, "exec sleep 600")


def test_an_answer_without_a_map_is_said(virsh: Path) -> None:
    assert "no memory map" in refused(virsh, "echo unknown command")


def test_without_virsh_its_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libvirt, "FOLDERS", (str(tmp_path),))
    with pytest.raises(BpfexitError, match=rf"no virsh in {tmp_path}; .* libvirt-clients"):
        libvirt.domains()


@pytest.mark.parametrize("path", ["", ":", ".", "{}", ":/usr/bin", "{}:/usr/bin"])
def test_path_leads_to_no_virsh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    say(tmp_path, f": > {tmp_path}/ran")
    trusted = tmp_path / "trusted"
    trusted.mkdir()
    say(trusted, f"echo $PATH > {trusted}/ran")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", path.format(tmp_path))
    monkeypatch.setattr(libvirt, "FOLDERS", (str(trusted),))
    assert libvirt.domains() == {}
    assert not (tmp_path / "ran").exists()
    assert (trusted / "ran").read_text() == f"{trusted}\n"  # nor what virsh runs itself


def test_the_folders_are_roots_alone() -> None:
    assert all(Path(folder).is_absolute() for folder in libvirt.FOLDERS)


def test_a_virsh_that_prints_without_end_is_stopped(virsh: Path) -> None:
    assert "more than 4 MiB" in refused(virsh, "exec cat /dev/zero")
    assert "more than 4 MiB" in refused(virsh, "exec cat /dev/zero >&2")


def test_as_much_as_virsh_may_print_is_read(virsh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say(virsh, "printf 1234")
    monkeypatch.setattr(libvirt, "MOST_BYTES", 4)
    assert libvirt.domains() == {}
    monkeypatch.setattr(libvirt, "MOST_BYTES", 3)
    with pytest.raises(BpfexitError, match="prints more"):
        libvirt.domains()


def test_a_virsh_that_closes_its_output_and_stays_has_its_end(
    virsh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libvirt, "TIMEOUT_S", 0.2)
    assert "did not answer" in refused(virsh, "exec sleep 600 >&- 2>&-")


def test_what_virsh_leaves_behind_is_not_waited_for(
    virsh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libvirt, "TIMEOUT_S", 0.2)
    assert "did not answer" in refused(virsh, "sleep 600 &")
