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

.PHONY: help demo test check bench stress redis clean
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

redis:
	@command -v redis-server >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		echo "installing redis-server" && { apt-get install -qq -y redis-server || \
		{ apt-get update -qq && apt-get install -qq -y redis-server; }; } >/dev/null 2>&1; } || \
		echo "no redis-server here: its tests are skipped (with CI=1 they fail); install the package redis-server"
