"""Fresh roots of Debian releases, and commands inside, which have this machine's kernel.

A root is debootstrap's, with what the tests need besides the package; it is made once, kept as
an archive in the testbed's cache, and unpacked for each use. The mounts of a command inside are
in a namespace of its own: with the command they are gone, however it ends.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.kernels import cache_dir, debian_mirrors, digest, move, run

SUITES = ("bookworm", "trixie")
BESIDES = ("fish", "man-db", "systemd", "zsh")
ENOUGH_S = 900

_INSIDE = """
root=$1; shift
for folder in proc sys dev; do mount --rbind "/$folder" "$root/$folder" || exit 125; done
exec chroot "$root" "$@"
"""
_ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "TERM": "dumb",
}


@dataclass(frozen=True)
class Root:
    """A Debian root in a folder."""

    suite: str
    folder: Path

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command inside, in its root's folder."""
        done = subprocess.run(
            [*("unshare", "--mount", "--propagation", "private"), *self._inside(command)],
            env=_ENVIRONMENT,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ENOUGH_S,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr}"
        return done

    def _inside(self, command: Sequence[str]) -> list[str]:
        return ["sh", "-c", _INSIDE, "sh", str(self.folder), *command]

    def output(self, *command: str) -> str:
        """Return what a command inside prints."""
        return self.run(*command).stdout

    def files(self) -> set[str]:
        """Return the paths of all files and folders of the root itself."""
        places = ("/dev", "/proc", "/sys", "/tmp")  # noqa: S108 - not written to
        others = [word for place in places for word in ("-path", place, "-prune", "-o")]
        return set(self.output("find", "/", "-xdev", *others, "-print").splitlines())


def fresh_root(suite: str, folder: Path) -> Root:
    """Unpack a root of a release below `folder`."""
    archive = _archive(suite)
    root = folder / suite
    root.mkdir()
    run(["tar", "--extract", "--numeric-owner", f"--file={archive}", f"--directory={root}"])
    return Root(suite, root)


def _archive(suite: str) -> Path:
    """Return the archive of a release's root, making it first if need be."""
    archive = cache_dir() / "debian" / f"{suite}-{digest(BESIDES)}.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=archive.parent, prefix=f"{suite}-") as work:
            move(_made(suite, Path(work)), archive)
    return archive


def _made(suite: str, work: Path) -> Path:
    root, archive = work / "root", work / "root.tar"
    mirror = debian_mirrors(work / "lists")["Debian"]
    include = f"--include={','.join(BESIDES)}"
    run(["debootstrap", "--variant=minbase", include, suite, str(root), mirror])
    shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
    run(["tar", "--create", "--numeric-owner", f"--file={archive}", f"--directory={root}", "."])
    return archive
