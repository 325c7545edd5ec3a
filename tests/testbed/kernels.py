"""Fetch Debian kernels, from the mirrors and with the keys this machine's own apt uses.

Every suite gets an apt configuration of its own below the cache folder, so the
machine's lists and caches stay as they are. A kernel appears in the cache by
one rename, when it is complete: whoever is cut off leaves nothing half done.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
# Where tools are looked for: a root's path may lack the folders of the system's own.
TOOL_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
METAPACKAGE = "linux-image-amd64"

# The kernel series each suite carries; sid's moves on.
SUITES = {"bullseye": "5.10.", "bookworm": "6.1.", "trixie": "6.12.", "sid": ""}
DEFAULT_SUITE = "bookworm"

# What the hosts of the testbed need; their dependencies follow.
MODULES = frozenset(
    {
        *("kvm", "kvm_amd", "kvm_intel"),
        # Of Bochs. ext4 asks for the checksum by name, so no dependency leads to it.
        *("ata_piix", "sd_mod", "ext4", "crc32c_generic"),
        *("9p", "9pnet_virtio", "virtiofs", "overlay"),
        *("virtio_console", "virtio_mmio", "virtio_pci"),
        *("atkbd", "i8042", "unix"),
    }
)


class TestbedError(Exception):
    """The testbed cannot be used here; the message says what is missing."""

    __test__ = False  # not a test, whatever the name says


@dataclass(frozen=True)
class Kernel:
    """A fetched kernel: `root` holds `boot/vmlinuz-RELEASE` and `lib/modules/RELEASE`."""

    suite: str
    root: Path

    @property
    def release(self) -> str:
        """What `uname -r` says inside."""
        return self.image.name.removeprefix("vmlinuz-")

    @property
    def version(self) -> tuple[int, ...]:
        """The release's first two numbers."""
        return tuple(int(number) for number in self.release.split(".")[:2])

    @property
    def image(self) -> Path:
        """The bootable image."""
        return next((self.root / "boot").glob("vmlinuz-*"))


def cache_dir() -> Path:
    """Return the folder of the fetched kernels: $BPFEXIT_TESTBED_CACHE or the checkout's own."""
    return Path(os.environ.get("BPFEXIT_TESTBED_CACHE") or CHECKOUT / ".testbed").resolve()


def cached(suite: str) -> Kernel | None:
    """Return the suite's kernel if it was fetched before."""
    root = _place(suite)
    return Kernel(suite, root) if root.is_dir() else None


def _place(suite: str) -> Path:
    """Return the kernel's folder, named after its modules: a checkout with others fetches anew."""
    return cache_dir() / "kernels" / f"{suite}-{digest(sorted(MODULES))}"


def digest(words: Iterable[str]) -> str:
    """Return a short name for what is made of these words."""
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:8]


def fetch(suite: str) -> Kernel:
    """Return the suite's kernel, downloading it first if need be."""
    if suite not in SUITES:
        raise TestbedError(f"unknown suite {suite!r}; there are {', '.join(SUITES)}")
    kernel = cached(suite)
    if kernel:
        return kernel
    target = _place(suite)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix=f"{suite}-") as work:
        move(_assemble(suite, Path(work)), target)
    return Kernel(suite, target)


def move(finished: Path, target: Path) -> None:
    """Put the finished file or folder in place; another fetch may have been quicker."""
    try:
        finished.rename(target)
    except OSError:
        if not target.exists():
            raise


def _assemble(suite: str, work: Path) -> Path:
    """Download and unpack below `work`; return the folder with the finished kernel."""
    apt = PrivateApt(suite, work)
    apt.update()
    unpacked = work / "unpacked"
    for package in apt.download(_kernel_packages(apt)):
        run(["dpkg", "-x", str(package), str(unpacked)])
    finished = work / "kernel"
    modules = _lay_out(unpacked, finished)
    _trim(finished, modules)
    return finished


def _kernel_packages(apt: "PrivateApt") -> list[str]:
    """Return the newest kernel's packages: one, or several where the suite splits them."""
    image = [name for name in apt.depends(METAPACKAGE) if re.match(r"linux-image-\d", name)]
    if len(image) != 1:
        raise TestbedError(f"{METAPACKAGE} of {apt.suite} names {len(image)} kernels: {image}")
    parts = [name for name in apt.depends(image[0]) if re.match(r"linux-(binary|modules)-\d", name)]
    return image + parts


def _lay_out(unpacked: Path, finished: Path) -> Path:
    """Sort the packages' files, whose places differ by suite, into one layout.

    Return the folder of modules.
    """
    found = [*unpacked.glob("lib/modules/*"), *unpacked.glob("usr/lib/modules/*")]
    if len(found) != 1:
        raise TestbedError(f"the packages hold {len(found)} folders of modules: {found}")
    release = found[0].name
    images = [unpacked / "boot" / f"vmlinuz-{release}", found[0] / "vmlinuz"]
    (finished / "boot").mkdir(parents=True)
    (finished / "lib/modules").mkdir(parents=True)
    shutil.copy(next(filter(Path.exists, images)), finished / "boot" / f"vmlinuz-{release}")
    return found[0].rename(finished / "lib/modules" / release)


def _trim(root: Path, modules: Path) -> None:
    """Delete the modules nobody loads: 10 MB stay of 400, and depmod takes no time."""
    run(["depmod", "-b", str(root), modules.name])
    keep = set(_closure(modules / "modules.dep"))
    for module in list(modules.rglob("*.ko*")):
        if str(module.relative_to(modules)) not in keep:
            module.unlink()
    run(["depmod", "-b", str(root), modules.name])


def _closure(dep_file: Path) -> Iterator[str]:
    """Yield the wanted modules' files and those they need (modules.dep lists these in full)."""
    for name, files in _dependencies(dep_file):
        if name in MODULES:
            yield from files


def _dependencies(dep_file: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each module's name, and its file with those it needs, to be loaded from the last on."""
    for line in dep_file.read_text().splitlines():
        module, _, needs = line.partition(":")
        yield Path(module).name.split(".")[0].replace("-", "_"), [module, *needs.split()]


def insertion_order(kernel: Kernel, names: Iterable[str]) -> list[Path]:
    """Return the files of these modules and of what they need, in an order they load in.

    What the kernel has built in is not among them.
    """
    folder = kernel.root / "lib/modules" / kernel.release
    files = dict(_dependencies(folder / "modules.dep"))
    ordered = [file for name in names for file in reversed(files.get(name, []))]
    return [folder / file for file in dict.fromkeys(ordered)]


class PrivateApt:
    """The machine's apt, pointed at one suite and with all its state below `work`."""

    def __init__(self, suite: str, work: Path) -> None:
        self.suite = suite
        self.archives = work / "archives"
        state = work / "apt"
        for folder in (state / "lists/partial", state / "cache/archives/partial", self.archives):
            folder.mkdir(parents=True)
        sources = state / "sources.list"
        sources.write_text("".join(_source_lines(suite, state / "machine-lists")))
        self._options = _options(
            {
                "Dir::Etc::sourcelist": sources,
                "Dir::Etc::sourceparts": "-",
                "Dir::State::lists": state / "lists",
                "Dir::Cache": state / "cache",
                # The unprivileged user apt would switch to cannot enter a private folder.
                "APT::Sandbox::User": "root",
                "Acquire::Languages": "none",
                "Acquire::Retries": "3",
            }
        )

    def update(self) -> None:
        """Download the suite's lists; a list that fails to verify is an error."""
        run(["apt-get", *self._options, "-q", "--error-on=any", "update"])

    def depends(self, package: str) -> list[str]:
        """Return what the newest version of the package depends on directly."""
        text = run(["apt-cache", *self._options, "depends", "--important", package])
        return re.findall(r"^ .?Depends: (\S+)$", text, re.MULTILINE)

    def download(self, packages: Iterable[str]) -> list[Path]:
        """Download and verify the packages; return the files."""
        run(["apt-get", *self._options, "-q", "download", *packages], cwd=self.archives)
        return sorted(self.archives.glob("*.deb"))


def _source_lines(suite: str, lists: Path) -> Iterator[str]:
    """Yield a sources.list for the suite: the main archive and, where there is one, security."""
    mirrors = debian_mirrors(lists)
    yield f"deb [signed-by={KEYRING}] {mirrors['Debian']} {suite} main\n"
    if "Debian-Security" in mirrors and suite != "sid":
        yield f"deb [signed-by={KEYRING}] {mirrors['Debian-Security']} {suite}-security main\n"


def debian_mirrors(lists: Path) -> dict[str, str]:
    """Return the machine's mirrors by label, `Debian` among them; `lists` may take new lists."""
    if not KEYRING.exists():
        raise TestbedError(f"{KEYRING} is missing: kernels are fetched on Debian only")
    mirrors = _mirrors([]) or _mirrors(_fresh_lists(lists))
    if "Debian" not in mirrors:
        raise TestbedError("the machine's apt sources name no Debian mirror")
    return mirrors


def _mirrors(options: list[str]) -> dict[str, str]:
    """Return the addresses of the machine's apt sources by the label their archive carries."""
    targets = ["--format", "$(LABEL)|$(REPO_URI)", "Created-By: Packages"]
    text = run(["apt-get", *options, "indextargets", *targets])
    return dict(line.split("|", 1) for line in text.splitlines())


def _fresh_lists(lists: Path) -> list[str]:
    """Download the machine's lists aside (images of containers come without); return options."""
    (lists / "partial").mkdir(parents=True)
    options = _options({"Dir::State::lists": lists, "APT::Sandbox::User": "root"})
    run(["apt-get", *options, "-q", "update"])
    return options


def _options(settings: dict[str, str | Path]) -> list[str]:
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def run(command: list[str], cwd: Path | None = None) -> str:
    """Run the command and return its output; a failure carries the end of what it said."""
    environment = dict(os.environ, PATH=TOOL_PATH)
    try:
        done = subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise TestbedError(f"{command[0]} is not installed") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise TestbedError(f"{' '.join(command[:1] + command[-2:])}: {said}")
    return done.stdout
