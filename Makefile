# `make help` lists what there is. Needs make and Python 3.11 or newer; uv is used when it is on PATH.

PYTHON ?= python3
CASES ?= tests/cases
UV := $(shell command -v uv 2>/dev/null)
PY := .venv/bin/python
BUILD_FROM := pyproject.toml setup.py
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: run test bench prove cases corpus lock help clean python
.DELETE_ON_ERROR:

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: .venv/ready-run ## install into .venv and show LoanHub at work in a throwaway institution
	@$(PY) -m loanhub demo

test: .venv/ready-test ## ruff, mypy and all tests but the long proofs
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy loanhub sync_agent plugins config
	$(PY) -m pytest --durations=20

prove: .venv/ready-test ## the long proofs: kill, tear and lie, then look whether anything was lost
	$(PY) -m pytest -m prove --timeout=1800 --durations=20

cases: .venv/ready-test ## published numbers, from CASES=folder (tests/cases if not named)
	@$(PY) -m tests.cases $(CASES)

corpus: .venv/ready-test ## odd and hostile files, from CORPUS=folder: what becomes of each, and against what is kept
	@$(PY) -m tests.corpus $(or $(CORPUS),$(error name a folder of files: make corpus CORPUS=folder))

bench: .venv/ready-bench .venv/ready-peers ## intake, export and backups measured, beside what else there is
	@$(PY) -m tests.bench --million
	@printf '\nexport of 1,000,000 loans\n' && $(PY) -m tests.bench.export 1000000 loans
	@printf '\nbackups\n' && $(PY) -m tests.bench.vault

lock: | python ## write the lock files anew (UPGRADE=1 takes newer versions)
	@test -n "$(UV)" || test -x .venv/bin/uv || { $(PYTHON) -m venv .venv && $(PY) -m pip install -q uv; }
	$(call compile,requirements.lock)
	$(call compile,requirements-demo.lock,--extra demo -c requirements.lock)
	$(call compile,requirements-test.lock,--extra test -c requirements.lock)
	$(call compile,requirements-bench.lock,--extra bench -c requirements.lock -c requirements-test.lock)
	$(call compile,requirements-peers.lock,--extra peers -c requirements.lock -c requirements-test.lock -c requirements-bench.lock)

clean: ## remove .venv and everything built; no institution's home is touched
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find loanhub sync_agent plugins config tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp each, so that installing happens once; the locks agree, so one .venv serves all three.
# requirements.lock is what an institution needs: the demo has a storage server besides.
.venv/ready-run: requirements-demo.lock $(BUILD_FROM) | python
	$(call install,requirements-demo.lock)
.venv/ready-test: requirements-test.lock $(BUILD_FROM) | python
	$(call install,requirements-test.lock)
.venv/ready-bench: requirements-bench.lock $(BUILD_FROM) | python
	$(call install,requirements-bench.lock)
# It exists as source only: where it cannot be built, the bench goes on without it.
.venv/ready-peers: requirements-peers.lock | .venv/ready-bench
	@echo "Building what $< names, to compare with ..."
	@$(INSTALL_SOURCE) --require-hashes -r $< >.venv/peers.log 2>&1 && touch $@ \
	  || echo "borgbackup was not built (.venv/peers.log says why); docs/performance.md names what it needs"

ifdef UV
INSTALL_SOURCE = $(UV) pip install -q --python $(PY)
define install
	@echo "Installing $(1) into .venv ..."
	@test -x $(PY) || $(UV) venv -q --allow-existing --python "$(PYTHON)" .venv
	@$(UV) pip install -q --python $(PY) --require-hashes --only-binary :all: -r $(1)
	@$(UV) pip install -q --python $(PY) --no-deps --no-build-isolation --editable .
	@touch $@
endef
else
INSTALL_SOURCE = $(PY) -m pip install -q --disable-pip-version-check
define install
	@echo "Installing $(1) into .venv ..."
	@$(PY) -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear .venv
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes --only-binary=:all: -r $(1)
	@PYTHONWARNINGS=ignore $(PY) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
endef
endif

# No address of a package index, nor of this checkout, may come to stand in a lock file.
define compile
	$(or $(UV),.venv/bin/uv) pip compile -q --generate-hashes --universal --python-version 3.11 \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  $(if $(UPGRADE),--upgrade) $(2) pyproject.toml requirements.in -o $(1)
endef

python:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "There is no '$(PYTHON)' here. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "'$(PYTHON)' is $$("$(PYTHON)" --version 2>&1); LoanHub needs Python 3.11 or newer. Name one: make PYTHON=python3.11"; exit 1; }
	@test -n "$(UV)" || "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
