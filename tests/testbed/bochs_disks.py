"""The three disks that Bochs boots from: a Debian root, a boot disk for a kernel, and the data.

The root is Debian's minbase of this machine's own release, so that the checkout's
Python runs inside. It is made once, and only read: what a run adds or changes lies
on the data disk, or in memory.
"""

import lzma
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.testbed.kernels import (
    CHECKOUT,
    Kernel,
    TestbedError,
    cache_dir,
    debian_mirrors,
    digest,
    insertion_order,
    move,
    run,
)

PACKAGES = ("python3", "python3-bpfcc", "kmod", "procps", "trace-cmd")
DROPPED = ("usr/share/doc", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt")
"""A third of the root, which nothing inside reads."""

BASE_LABEL, DATA_LABEL = "base", "data"
DATA = "/mnt"
"""Where the data disk is mounted inside."""

# ext4 without a journal, as debugfs reads it even after a run that was cut off.
FILE_SYSTEM = ("-t", "ext4", "-O", "^has_journal")
IMAGE_SIZE = "2G"  # sparse

BOOT_MODULES = ("ata_piix", "sd_mod", "crc32c_generic", "ext4", "overlay")

KERNEL_OPTIONS = (
    *("console=ttyS0,115200", "quiet", "nomodeset", "random.trust_cpu=on"),
    # One CPU, whose calibration loops and self-tests would take most of the boot.
    *("nosmp", "mitigations=off", "no_timer_check", "cryptomgr.notests", "apparmor=0", "audit=0"),
)

INIT = f"""\
#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /base /data /cover /merged
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod "$module"; done
disk() {{ until findfs "LABEL=$1" 2>/dev/null; do sleep 0.1; done; }}
mount -t ext4 -o ro "$(disk {BASE_LABEL})" /base
mount -t ext4 -o sync,noinit_itable "$(disk {DATA_LABEL})" /data
mount -t tmpfs cover /cover
mkdir /cover/upper /cover/work
mount -t overlay -o lowerdir=/data/files:/base,upperdir=/cover/upper,workdir=/cover/work \\
    overlay /merged
for folder in proc sys dev; do mount --move "/$folder" "/merged/$folder"; done
mount --move /data /merged{DATA}
exec switch_root /merged {DATA}/boot
"""

ISOLINUX = Path("/usr/lib/ISOLINUX/isolinux.bin")
LDLINUX = Path("/usr/lib/syslinux/modules/bios/ldlinux.c32")
BUSYBOX = "busybox"
BOOT_MENU = f"""\
DEFAULT kernel
PROMPT 0
LABEL kernel
 KERNEL /vmlinuz
 INITRD /initrd
 APPEND {" ".join(KERNEL_OPTIONS)}
"""


def base_disk(packages: Sequence[str] = PACKAGES) -> Path:
    """Return the disk with the Debian root and these packages, making it first if need be."""
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    image = cache_dir() / "vmx" / f"{suite}-{digest([*packages, *DROPPED])}.img"
    if not image.exists():
        image.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=image.parent, prefix=f"{suite}-") as work:
            move(_debian(suite, packages, Path(work)), image)
    return image


def _debian(suite: str, packages: Sequence[str], work: Path) -> Path:
    """Install the root below `work`; return its image."""
    root = work / "root"
    mirror = debian_mirrors(work / "lists")["Debian"]
    include = f"--include={','.join(packages)}"
    run(["debootstrap", "--variant=minbase", include, suite, str(root), mirror])
    for folder in DROPPED:
        shutil.rmtree(root / folder)
    return _image(root, work / "base.img", BASE_LABEL)


def _image(tree: Path, image: Path, label: str) -> Path:
    run(["mke2fs", "-q", *FILE_SYSTEM, "-L", label, "-d", str(tree), str(image), IMAGE_SIZE])
    return image


def boot_disk(kernel: Kernel, work: Path) -> Path:
    """Make the disk whose boot loader starts the kernel; return its image."""
    tree, image = work / "iso", work / "boot.img"
    (tree / "isolinux").mkdir(parents=True)
    shutil.copy(kernel.image, tree / "vmlinuz")
    shutil.copy(_initrd(kernel, work), tree / "initrd")
    for file in (ISOLINUX, LDLINUX):
        shutil.copy(file, tree / "isolinux")
    (tree / "isolinux/isolinux.cfg").write_text(BOOT_MENU)
    loader = ("-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat")
    options = ("-no-emul-boot", "-boot-load-size", "4", "-boot-info-table")
    run(["xorriso", "-as", "mkisofs", "-o", str(image), *loader, *options, str(tree)])
    # A disk is read several times as fast as a CD.
    run(["isohybrid", str(image)])
    return image


def _initrd(kernel: Kernel, work: Path) -> Path:
    """Pack what finds the root: the modules, unpacked and in the order of loading, and busybox."""
    tree, packed = work / "initrd", work / "initrd.cpio"
    for folder in ("bin", "modules"):
        (tree / folder).mkdir(parents=True)
    shutil.copy(shutil.which(BUSYBOX) or BUSYBOX, tree / "bin/busybox")
    (tree / "init").write_text(INIT)
    (tree / "init").chmod(0o755)
    for number, module in enumerate(insertion_order(kernel, BOOT_MODULES)):
        name = f"{number:02}-{module.name.split('.')[0]}.ko"
        (tree / "modules" / name).write_bytes(_unpacked(module))
    run(["sh", "-c", 'find . | cpio --quiet -o -H newc >"$1"', "sh", str(packed)], cwd=tree)
    return packed


def _unpacked(module: Path) -> bytes:
    if module.suffix == ".ko":
        return module.read_bytes()
    if module.suffix == ".xz":
        return lzma.decompress(module.read_bytes())
    raise TestbedError(f"{module.name} is packed in a way that is not known")


def data_disk(kernel: Kernel, share: Path, boot: str, work: Path) -> Path:
    """Make the disk of one run: checkout, modules, script and results; return its image."""
    tree = work / "data"
    files = tree / "files"
    for folder in _program_folders():
        _copy(folder, files / folder.relative_to("/"))
    run([sys.executable, "-m", "compileall", "-q", str(files)])
    _copy(kernel.root / "lib/modules", files / "usr/lib/modules")
    _copy(share, tree / "share")
    (tree / "boot").write_text(boot)
    (tree / "boot").chmod(0o755)
    return _image(tree, work / "data.img", DATA_LABEL)


def _program_folders() -> Iterator[Path]:
    yield CHECKOUT
    prefix = Path(sys.prefix)
    if sys.prefix != sys.base_prefix and not prefix.is_relative_to(CHECKOUT):
        yield prefix


def _copy(source: Path, target: Path) -> None:
    ignored = shutil.ignore_patterns(".git", ".testbed", ".*_cache", ".hypothesis")
    shutil.copytree(source, target, symlinks=True, ignore=ignored)


def take_results(data: Path, share: Path) -> None:
    """Copy what the run left in its share to this side's."""
    with tempfile.TemporaryDirectory() as folder:
        run(["debugfs", "-R", f"rdump /share {folder}", str(data)])
        shutil.copytree(Path(folder, "share"), share, dirs_exist_ok=True)
