# The project's commands. Nothing here needs root; once installed, nothing needs a network.
#   make demo     play five agents, print a table, leave results/demo with pictures
#   make test     linter, formatter, types, tests
#   make prove    the long proofs
#   make bench    the speed, as ratios to CartPole
#   make certify  the references of all families, written again
#   make rank     the catalogue's figures, measured again
#   make clean    remove what the commands made

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

# The first interpreter on the path that is new enough; `make PYTHON=... test` takes another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)

VENV := .venv
BIN := $(VENV)/bin
# What is installed is a function of these two files: the stamps carry their checksum.
KEY := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
CORE := $(VENV)/.core-$(KEY)
FULL := $(VENV)/.test-$(KEY)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
JOBS ?= 2

.PHONY: help install demo test lint format types unit prove bench certify rank clean

help:
	@sed -n 's/^#   //p' Makefile

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "stratagym needs Python 3.11 or newer; none was found (set PYTHON=...)" >&2; exit 2; }
	"$(PYTHON)" -m venv $(VENV)

# The build tool is pinned and installed first, so that the build asks no network for another one.
$(CORE): | $(BIN)/python
	@echo "installing the core into $(VENV)"
	@$(PIP) hatchling editables
	@$(PIP) --no-build-isolation -e .
	@touch $@

$(FULL): | $(CORE)
	@echo "installing what the tests need into $(VENV)"
	@$(PIP) --no-build-isolation -e '.[test]'
	@touch $@

install: $(CORE)

demo: $(CORE)
	@rm -rf results/demo
	$(BIN)/stratagym evaluate $(DEMO) $(addprefix --agent ,random greedy critical_path beam optimal) \
		--episodes 10 --seed 0 --jobs $(JOBS) --out results/demo
	@echo "see results/demo/report.md and the charts in results/demo/pictures"

DEMO := stratagym/Cooking-v0 stratagym/Household-v0 stratagym/Laboratory-v0 stratagym/Crafting-v0 \
	stratagym/JobShop-v0:instance=ft06 stratagym/JobShop-v0:instance=la01

test: lint types unit

lint: $(FULL)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(FULL)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(FULL)
	$(BIN)/mypy

unit: $(FULL)
	$(BIN)/python -m pytest -n $(JOBS) -q

prove: $(FULL)
	$(BIN)/python -m pytest -n $(JOBS) -q -m slow

bench: $(CORE)
	$(BIN)/stratagym bench

certify: $(CORE)
	$(BIN)/stratagym certify --jobs $(JOBS)

rank: $(CORE)
	$(BIN)/stratagym rank --jobs $(JOBS)

clean:
	rm -rf $(VENV) .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache results build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
