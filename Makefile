# Everything a developer or an operator types. `make` alone lists it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
.DEFAULT_GOAL := help

MINUTES ?= 60
.PHONY: help run production test check fuzz torture bench fmt lock clean

help: ## list these targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

run: $(VENV)/run ## start everything in one process (SQLite, embedded log); Ctrl-C drains
	@exec $(BIN)/python -m services.embedded

production: $(VENV)/dev ## start the production layout on this machine: Kafka, PostgreSQL, one process per service
	@exec $(BIN)/python -m deploy.production

test: $(VENV)/dev ## run every test, on real Kafka, PostgreSQL and Chromium
	@$(BIN)/python -m tests.kit.prepare
	@$(BIN)/python -m pytest -rs -m "not alone" -n 3 --dist loadgroup
	@$(BIN)/python -m pytest -rs -m alone

check: $(VENV)/dev ## lint, types, import contracts, architecture tests and fast tests: under two minutes
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache > $(VENV)/lint-imports.log || (cat $(VENV)/lint-imports.log; exit 1)
	@$(BIN)/python -m pytest tests/unit tests/architecture -n 2

fuzz: $(VENV)/dev ## send hostile input to every reader and to both layouts for MINUTES (60)
	@$(BIN)/python -m tests.kit.prepare
	@$(BIN)/python -m tests.fuzz $(MINUTES)

torture: $(VENV)/dev ## kill services, break what they need and lose records under load, for MINUTES (60)
	@$(BIN)/python -m tests.kit.prepare
	@$(BIN)/python -m tests.torture $(MINUTES)

bench: $(VENV)/dev ## measure: prints a table and writes tests/bench/results/
	@$(BIN)/python -m tests.bench

fmt: $(VENV)/dev ## format and sort imports
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

lock: ## renew the hashed lock files from requirements/*.in (needs uv)
	uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/base.in -o requirements.lock
	uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/dev.in -o requirements-dev.lock
	uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/apprise.in -c requirements-dev.lock -o requirements-apprise.lock

clean: ## remove the environment and all caches (not your data folder)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .cache

# The environment is remade when its lock file changes. A development environment serves `make run` too.
$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV) || (echo "make: python3 needs its venv module; on Debian: apt-get install python3-venv" >&2; exit 1)

$(VENV)/run: requirements.lock | $(VENV)/bin/python
	@echo "Installing what Baton needs (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/dev: requirements-dev.lock | $(VENV)/bin/python
	@echo "Installing what the tests need (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $(VENV)/run $@
