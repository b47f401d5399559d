# Everything a developer or a newcomer runs. `make` alone says what there is.
.DEFAULT_GOAL := help

PYTHON ?= python3
EXTRAS ?= entra,google,postgresql
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= auto

.PHONY: help demo test crash check format bench clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "eadm-sync needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "Python's venv module is missing. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

# A small install without the cloud targets: make EXTRAS= demo
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.$(if $(EXTRAS),[$(EXTRAS)])'
	@touch $@

$(VENV)/.tools: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group test --group check
	@touch $@

demo: $(VENV)/.installed ## Run the main job on the example municipality and say what to try next
	@EADM_SYNC=$(BIN)/eadm-sync sh examples/demo.sh

test: $(VENV)/.tools ## Run all tests
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

.PHONY: simulation
simulation: $(VENV)/.tools ## Tell stories of years in towns (minutes to hours; SEEDS=n FIRST_SEED=n YEARS=n PEOPLE=n EVERY=days PROCESSES=n)
	$(BIN)/python -m tests.simulation

.PHONY: simulation-ci
simulation-ci: $(VENV)/.tools ## Tell ten years of a town of 200 in two stories (a minute or two)
	FIRST_SEED=8 SEEDS=2 YEARS=5 PEOPLE=200 EVERY=14 PROCESSES=2 POSTGRESQL=0 SHRINK=60 $(BIN)/python -m tests.simulation

.PHONY: guards
guards: $(VENV)/.tools ## Take one guard after another away, in a copy, and see that a test misses it (minutes)
	$(BIN)/python -m tests.mutation

.PHONY: fuzz
fuzz: $(VENV)/.tools ## Bend rulesets and expressions at random, 5 000 inputs a test (minutes; FUZZ_EXAMPLES=n)
	FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-5000} $(BIN)/python -m pytest -q -n $(WORKERS) --timeout=0 tests/fuzz

crash: $(VENV)/.tools ## Kill workers and the database while 10 000 items are delivered, and runs 40 times (minutes)
	CRASH_ITEMS=10000 CRASH_KILLS=40 $(BIN)/python -m pytest -q --timeout=0 tests/exportqueue/test_crash.py tests/acceptance/test_crashes.py

.PHONY: crash-domain
crash-domain: $(VENV)/.tools ## Kill a domain controller ten times while 5 000 changes are delivered to it (minutes)
	DOMAIN_CRASH_CHANGES=5000 $(BIN)/python -m pytest -q --timeout=0 tests/acceptance/active_directory/test_crash.py

.PHONY: crash-graph
crash-graph: $(VENV)/.tools ## Kill a local Graph ten times while 5 000 changes are delivered to it (minutes)
	GRAPH_CRASH_CHANGES=5000 $(BIN)/python -m pytest -q --timeout=0 tests/acceptance/entra/test_trouble.py -k dies

.PHONY: crash-google
crash-google: $(VENV)/.tools ## Kill a local Google ten times while 5 000 changes are delivered to it (minutes)
	GOOGLE_CRASH_CHANGES=5000 $(BIN)/python -m pytest -q --timeout=0 tests/acceptance/google/test_trouble.py -k dies

check: $(VENV)/.tools ## Run every gate but the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.tools ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.tools $(VENV)/.peers ## Measure against floors in the same run (minutes)
	$(BIN)/python -m benchmarks

.PHONY: bench-full
bench-full: $(VENV)/.tools $(VENV)/.peers ## Likewise 100 000 people, a million once, and PostgreSQL (over an hour; 40 GB in TMPDIR)
	$(BIN)/python -m benchmarks --full

.PHONY: bench-check
bench-check: $(VENV)/.tools $(VENV)/.peers ## Measure, and compare with the ratios that are committed
	-$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.check

.PHONY: bench-table
bench-table: $(VENV)/.installed ## Write the last figures into README.md
	$(BIN)/python -m benchmarks.readme

# Other queues, to be measured beside ours.
$(VENV)/.peers: pyproject.toml $(VENV)/.tools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group bench
	@touch $@

clean: ## Remove what was installed and what demos left
	rm -rf $(VENV) var build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.PHONY: docs
docs: $(VENV)/.installed ## Write the generated parts of docs/ anew
	@$(BIN)/python -m docs.generator

.PHONY: wire-logs
wire-logs: $(VENV)/.tools ## Record docs/wire-logs/ anew: what is sent to each target for one employee
	@$(BIN)/python -m tests.wire_logs

.PHONY: graph
graph: $(VENV)/.tools ## Play Microsoft Graph on this machine, to rehearse with (OPTIONS="--users 2000 --delay 0.05"; OPTIONS=--help)
	@$(BIN)/python -m tests.services.graph $(OPTIONS)

.PHONY: google
google: $(VENV)/.tools ## Play Google Workspace on this machine, to rehearse with (OPTIONS="--users 2000 --quotas"; OPTIONS=--help)
	@$(BIN)/python -m tests.services.google $(OPTIONS)
