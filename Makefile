# Everything a person does with a checkout; each target sets up what it needs.
.DELETE_ON_ERROR:
.PHONY: setup demo demo-svm demo-recording testbed testbed-vmx test test-kernels test-vmx test-fleet \
	bench fetch-vmx lint docs picture wheel install uninstall deb test-package test-lowest clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
PACKAGES := python3-venv python3-bpfcc
TEST_PACKAGES := bpftrace datamash jq prometheus
TESTBED_PACKAGES := qemu-system-x86 busybox-static kmod file trace-cmd linux-perf
BENCH_PACKAGES := trace-cmd bpftrace bpfcc-tools
# The kernels that `testbed` fetches, by Debian's names, and those of `test-kernels`.
KERNELS := bookworm
OTHER_KERNELS := bullseye trixie sid
# What a second testbed needs, and its kernels.
TESTBED_VMX_PACKAGES := bochs bochs-term bochsbios vgabios isolinux syslinux-common \
	syslinux-utils xorriso debootstrap e2fsprogs cpio busybox-static kmod trace-cmd
VMX_KERNELS := bullseye bookworm trixie sid
VMX_TESTS = $(VMX_KERNELS:%=test-vmx-%)

setup: $(STAMP)

# bcc exists for the distribution's Python alone, hence its path and the system site packages.
$(STAMP): pyproject.toml
	@.ci/packages $(PACKAGES)
	/usr/bin/python3 -m venv --system-site-packages $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/python -m compileall -q bpfexit  # an editable install leaves that to the first start
	@touch $@

# The case this tool is for: a guest that reads the ACPI PM timer and the APIC page all the time.
DEMO_S := 8
DEMO_MIX := pio-read-user=300,apic-read=150,pio-read-kernel=60,msr-write=40,mmio-read-user=20,cpuid=10,hlt=5,pio-write-user=3
DEMO_RECORDING := bpfexit/data/svm-demo.jsonl.gz
# Runs a command beside that guest, and shows that guest alone.
BESIDE_GUEST := .ci/beside-guest $(BIN)/bpfexit $(DEMO_MIX)
DEMO := echo "demo: top, for $(DEMO_S) s" >&2; $(BIN)/bpfexit top -p "$$guest" -d $(DEMO_S) && \
	echo "demo: diagnose, for 3 s" >&2 && $(BIN)/bpfexit diagnose -p "$$guest" -d 3

demo: setup
	@if [ -w /dev/kvm ] && $(BIN)/bpfexit doctor >/dev/null; then $(BESIDE_GUEST) '$(DEMO)'; else \
		$(BIN)/bpfexit doctor; \
		echo "This host cannot run the demo; here is a recording of it, made on an emulated SVM host:"; \
		$(BIN)/bpfexit top --batch --replay $(DEMO_RECORDING); \
		$(BIN)/bpfexit diagnose --input $(DEMO_RECORDING); \
	fi

# The same in the testbed, whose KVM has exit reasons and latencies, on any machine with QEMU.
demo-svm: testbed
	@terminal=; [ -t 1 ] && terminal=--tty; \
	$(BIN)/python -m tests.testbed run $$terminal -- sh -c 'exec "$$@" 2>&1' demo \
		$(BESIDE_GUEST) '$(DEMO)'

demo-recording: testbed
	mkdir -p $(dir $(DEMO_RECORDING))
	$(BIN)/python -m tests.testbed run -- \
		$(BESIDE_GUEST) '$(BIN)/bpfexit top -p "$$guest" -j 1 $(DEMO_S)' | gzip -9n > $(DEMO_RECORDING)

# The screen of a real run in the testbed.
picture: testbed
	@mkdir -p build
	$(BIN)/python -m tests.testbed run -- \
		$(BESIDE_GUEST) '$(BIN)/bpfexit top -p "$$guest" -j 1 4' >build/picture.jsonl
	$(BIN)/python docs/picture.py build/picture.jsonl docs/top.svg

testbed: setup
	@.ci/packages $(TESTBED_PACKAGES)
	$(BIN)/python -m tests.testbed fetch $(KERNELS)

# The second testbed: Bochs, whose emulated Intel VMX is a real kvm_intel's.
testbed-vmx: setup
	@.ci/packages $(TESTBED_VMX_PACKAGES)
	$(BIN)/python -m tests.testbed fetch --host vmx $(VMX_KERNELS)

# A machine that cannot have the testbed still runs the other tests: these skip, and say why.
test: setup
	-@.ci/packages $(TEST_PACKAGES)
	-@$(MAKE) --no-print-directory testbed
	$(BIN)/pytest tests/unit tests/integration tests/testbed -m "not kernels and not vmx and not fleet"

test-kernels: setup
	-@$(MAKE) --no-print-directory testbed KERNELS="$(OTHER_KERNELS)"
	$(BIN)/pytest tests/testbed -m "kernels and not fleet" \
		-k "$(shell echo $(OTHER_KERNELS:%=svm-%) | sed 's/ / or /g')"

# A real Prometheus, and ten minutes of guests that come and go.
test-fleet: setup
	-@.ci/packages $(TEST_PACKAGES)
	-@$(MAKE) --no-print-directory testbed
	$(BIN)/pytest tests/integration tests/testbed -m "fleet and not kernels"

# Apart from `test`: a boot takes a quarter of an hour, of one core. With `make -j2 -O`, two are at
# work.
.PHONY: $(VMX_TESTS)
test-vmx: $(VMX_TESTS)

$(VMX_TESTS): test-vmx-%: fetch-vmx
	$(BIN)/pytest tests/testbed -m vmx -k vmx-$*

fetch-vmx: setup
	-@$(MAKE) --no-print-directory testbed-vmx VMX_KERNELS="$(VMX_KERNELS)"

# All tables, or those named: make bench TABLES="reading start".
bench: testbed
	@.ci/packages $(BENCH_PACKAGES)
	$(BIN)/python -m tests.bench $(TABLES)

# The unit tests with the oldest libraries that pyproject.toml allows, those of Debian 12.
LOWEST := build/lowest
OLDEST := click==8.1.3 numpy==1.24.2 prometheus-client==0.16.0 qemu.qmp==0.0.4 rich==13.3.1
LOWEST_TESTS := tests/unit

test-lowest:
	/usr/bin/python3 -m venv --system-site-packages --clear $(LOWEST)
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check $(OLDEST) \
		hdrhistogram hypothesis jsonschema pyte pytest
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check --no-deps --editable .
	$(LOWEST)/bin/pytest $(LOWEST_TESTS) -p no:cacheprovider

# Installed, tried and purged in fresh roots of Debian 12 and 13.
test-package: setup
	-@.ci/packages debootstrap systemd-container
	-@$(MAKE) --no-print-directory deb
	$(BIN)/pytest tests/package -m debian

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

# The pages that the code defines.
docs: setup
	$(BIN)/python docs/generate.py

# Into dist/, as all that is built for others.
wheel: setup
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

# For the distribution's Python, with the distribution's libraries; of those that Debian lacks,
# the modules that bpfexit imports are carried.
LIBRARIES := python3-bpfcc python3-click python3-numpy python3-prometheus-client python3-rich
PREFIX := /usr/local
TREE = $(DESTDIR)$(PREFIX)
INSTALLED = bin/bpfexit share/bpfexit share/man/man1/bpfexit*.1 \
	share/bash-completion/completions/bpfexit share/zsh/vendor-completions/_bpfexit \
	share/fish/vendor_completions.d/bpfexit.fish lib/systemd/system/bpfexit-export.service

install: setup
	@[ -n "$(DESTDIR)" ] || .ci/packages $(LIBRARIES)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--no-compile --upgrade --target $(TREE)/share/bpfexit . '$(shell $(BIN)/pip list --format=freeze | grep ^qemu.qmp=)'
	cd $(TREE)/share/bpfexit && rm -rf bin *.dist-info qemu/qmp/legacy.py qemu/qmp/qmp_*l.py qemu/qmp/qmp_tui.py
	cp -R debian/prefix/. $(TREE)
	$(BIN)/python docs/man.py $(TREE)/share/man/man1
	mkdir -p $(TREE)/lib/systemd/system
	sed 's|=\([+-]*\)/usr/bin/|=\1$(PREFIX)/bin/|' bpfexit/exporting/data/bpfexit-export.service \
		>$(TREE)/lib/systemd/system/bpfexit-export.service

uninstall:
	cd $(TREE) && rm -rf $(INSTALLED)

DEB_PACKAGES := debhelper dh-python dpkg-dev lintian
DEB := build/deb/bpfexit
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' bpfexit/version.py)

# Nothing is compiled, so Debian's build-essential, which is not checked for, is not needed.
deb: setup
	@.ci/packages $(DEB_PACKAGES)
	rm -rf build/deb
	@$(MAKE) --no-print-directory install DESTDIR=$(CURDIR)/$(DEB)/tree PREFIX=/usr
	cp -R debian docs README.md CHANGELOG.md $(DEB)
	printf 'bpfexit (%s) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- %s  %s\n' \
		'$(VERSION)' "$$(sed -n 's/^Maintainer: //p' debian/control)" "$$(date -R)" \
		>$(DEB)/debian/changelog
	cd $(DEB) && dpkg-buildpackage --build=binary --no-check-builddeps --no-sign >../build.log 2>&1 || { cat ../build.log; false; }
	lintian --fail-on error,warning build/deb/bpfexit_$(VERSION)_all.deb
	mkdir -p dist && cp build/deb/bpfexit_$(VERSION)_all.deb dist

clean:
	rm -rf $(VENV) .testbed build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
