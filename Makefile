# Every target does the set-up it needs. `make help` lists them.

VENV := .venv
BIN := $(VENV)/bin
DEMO := .demo

# The first that runs and is a Python this package supports. Being on the path is not enough:
# version managers put stand-ins there for Pythons that are not installed.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3 python; do \
	if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; \
	then echo $$python; break; fi; done)

# uv installs in seconds what pip installs in minutes. Where none is on the path, pip first installs
# that of the lock; `make setup UV=` uses pip for everything.
ifeq ($(origin UV),undefined)
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo $(BIN)/uv)
endif

PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check
PYTEST = $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder \
	--durations 25 $(PYTEST_ARGS)

# Images of containers often have Python keep no byte code; dagster and dbt would then be compiled
# again by every process, some ten seconds each.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test test-slow test-all lint format generate docs screenshots bench build lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## install everything into .venv

# Runs again when a dependency may have changed. The lock is complete, so nothing is resolved: older
# pips would refuse `gql[requests]`, which the lock spells without its extra. The package itself is
# built by the lock's hatchling. Where uv fails, pip has its turn: it may know a mirror that uv does
# not, or the uv on the path is too old.
$(VENV)/.installed: pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { \
		echo "No Python 3.11, 3.12 or 3.13 found. Install one, or say 'make setup PYTHON=/path/to/python'."; \
		exit 1; }
ifneq ($(UV),)
	@{ $(MAKE_VENV) && $(WRITABLE_CACHE) && $(INSTALL_BY_UV); } || { \
		echo "uv could not install everything; pip does, which takes some minutes."; $(INSTALL_BY_PIP); }
else
	@$(INSTALL_BY_PIP)
endif
	@touch $@

INSTALL_BY_PIP = $(PYTHON) -m venv $(VENV) \
	&& $(PIP) install --no-deps --require-hashes -r requirements.lock \
	&& $(PIP) install --no-deps --no-build-isolation -e .
INSTALL_BY_UV = $(UV) pip install --quiet --python $(BIN)/python --no-deps --require-hashes \
		-r requirements.lock \
	&& $(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
# uv ends where it cannot write its cache.
WRITABLE_CACHE = { mkdir -p "$$($(UV) cache dir)" && test -w "$$($(UV) cache dir)" \
	|| export UV_NO_CACHE=1; } 2>/dev/null
# A Python without `ensurepip`, as some distributions ship it, still does with a uv on the path.
ifeq ($(UV),$(BIN)/uv)
MAKE_VENV = $(PYTHON) -m venv $(VENV) \
	&& sed -n '/^uv==/,/[^\]$$/p' requirements.lock \
	| $(PIP) install --no-deps --require-hashes -r /dev/stdin
else
MAKE_VENV = $(UV) venv --quiet --allow-existing \
	--python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
endif

demo: setup ## run the main job on a bundled sample, into .demo
	$(BIN)/sequen-dagster demo --home $(DEMO)

$(DEMO)/warehouse.duckdb: | $(VENV)/.installed
	$(BIN)/sequen-dagster demo --home $(DEMO)

# The instance gets a folder of its own, and the settings of dagster.yaml: no telemetry, no dialogs.
dev: setup $(DEMO)/warehouse.duckdb ## open the Dagster UI on the demo home
	@mkdir -p $(DEMO)/dagster
	@cp deploy/dagster.yaml $(DEMO)/dagster/dagster.yaml
	DAGSTER_HOME="$(CURDIR)/$(DEMO)/dagster" SEQUEN_HOME="$(CURDIR)/$(DEMO)" \
		SEQUEN_EXPORTS="$(CURDIR)/$(DEMO)/exports" \
		SEQUEN_BREAKDOWNS=device_info.platform $(BIN)/dagster dev

test: setup ## run the fast tests
	$(PYTEST) -m "not slow"

test-slow: setup ## run the slow tests
	$(PYTEST) -m slow

test-all: setup ## run all tests
	$(PYTEST)

lint: setup ## check style, types, SQL and words
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 0 dbt_project/models dbt_project/tests
	$(BIN)/python tests/support/words.py

format: setup ## apply what a machine can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix --processes 0 dbt_project/models dbt_project/tests

generate: setup docs ## regenerate what the table of fields decides, in the dbt project and the docs
	PYTHONPATH=tests $(BIN)/python -m support.generated_dbt

docs: setup ## regenerate what the code and the tests decide of the docs
	PYTHONPATH=tests $(BIN)/python -m support.reliability
	PYTHONPATH=tests $(BIN)/python -m support.generated_pages

screenshots: setup ## take the pictures in docs/images again (needs Chromium)
	PYTHONPATH=tests $(BIN)/python -m support.screenshots

bench: setup ## measure speed and memory beside DuckDB's bare read (BENCH_ARGS="...")
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

build: setup ## build the wheel into dist/
	rm -rf dist
	$(BIN)/python -m hatchling build --target wheel

lock: ## resolve requirements.lock again from pyproject.toml (needs uv)
	UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile pyproject.toml --universal \
		--python-version 3.11 --extra webserver --extra s3 --group test --group lint --group build --group setup \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
		--quiet --output-file requirements.lock $(LOCK_ARGS)

clean: ## remove what make made
	rm -rf $(VENV) $(DEMO) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -rf dbt_project/target dbt_project/logs
