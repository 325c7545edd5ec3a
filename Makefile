# Everything a person does with a checkout; each target sets up what it needs.
.DELETE_ON_ERROR:
.PHONY: setup test lint clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
PACKAGES := python3-venv python3-bpfcc

setup: $(STAMP)

# bcc exists for the distribution's Python alone, hence its path and the system site packages.
$(STAMP): pyproject.toml
	@.ci/packages $(PACKAGES)
	/usr/bin/python3 -m venv --system-site-packages $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
