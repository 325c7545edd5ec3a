# Everything a person does with a checkout; each target sets up what it needs.
.DELETE_ON_ERROR:
.PHONY: setup testbed test test-kernels bench lint clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
PACKAGES := python3-venv python3-bpfcc
TESTBED_PACKAGES := qemu-system-x86 busybox-static kmod file
# The kernels that `testbed` fetches, by Debian's names, and those of `test-kernels`.
KERNELS := bookworm
OTHER_KERNELS := bullseye trixie sid

setup: $(STAMP)

# bcc exists for the distribution's Python alone, hence its path and the system site packages.
$(STAMP): pyproject.toml
	@.ci/packages $(PACKAGES)
	/usr/bin/python3 -m venv --system-site-packages $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

testbed: setup
	@.ci/packages $(TESTBED_PACKAGES)
	$(BIN)/python -m tests.testbed fetch $(KERNELS)

# A machine that cannot have the testbed still runs the other tests: these skip, and say why.
test: setup
	-@$(MAKE) --no-print-directory testbed
	$(BIN)/pytest tests/unit tests/integration tests/testbed -m "not kernels"

test-kernels: setup
	-@$(MAKE) --no-print-directory testbed KERNELS="$(OTHER_KERNELS)"
	$(BIN)/pytest tests/testbed -m kernels

bench: testbed
	$(BIN)/python -m tests.bench

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) .testbed build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
