# What a contributor runs. Each target brings .venv up to date first, which takes no time when nothing changed.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
BIN := .venv/bin
# Extra arguments for the target's command, as in: make test ARGS="tests/text -k zwnj"
ARGS ?=
# The uv that setup.sh found or installed, for scripts that run tools of their own
export UV := .uv/uv

# Tests and benchmarks start hundreds of processes, each of which would compile all it imports anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Create or update .venv from uv.lock
	@tooling/setup.sh

.PHONY: demo
demo: setup ## Serve an empty store, ingest the sample articles, print the verdicts
	@$(BIN)/python tooling/demo.py $(ARGS)

.PHONY: test
test: setup ## Run the tests, files side by side on up to four cores
	@$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

.PHONY: crash
crash: setup ## Kill, starve and race the server and the engine, in the long form (an hour or more)
	@$(BIN)/pytest --long tests/crash tests/race tests/property $(ARGS)

.PHONY: fuzz
fuzz: setup ## Fuzz the wire decoder, the validators and a server; FUZZ_EXAMPLES=20000 of each by default (minutes)
	@$(BIN)/pytest --long --timeout 0 tests/property/test_fuzz.py $(ARGS)

.PHONY: audit
audit: ## Ask whether a vulnerability is known of any dependency; "Error 75" where the sources cannot be reached
	@tooling/setup.sh audit
	@$(BIN)/python tooling/audit.py

.PHONY: dashboard
dashboard: setup ## Draw docs/dashboard.png: every panel, from a real server under load, by a real Prometheus
	@PYTHONPATH=. $(BIN)/python tooling/draw_dashboard.py $(ARGS)

.PHONY: soak
soak: ## Stream a million articles through a 30-day window and record whether anything grows (hours)
	@tooling/setup.sh bench
	@$(BIN)/python -m benchmarks.soak --documents 1000000 $(ARGS)

# The kernels are compiled beside the checks, by one process: the tests' own would each begin with the same minute.
.PHONY: check
check: ## Run every check, then the tests
	@$(MAKE) --jobs 2 --output-sync=target kernels lint types contracts proto generated
	@$(MAKE) test

.PHONY: kernels
kernels: setup ## Compile the kernels into the user's cache, as the first start does
	@$(BIN)/python -c 'from baznashr_server.app import warm_up; warm_up()'

.PHONY: fmt
fmt: setup ## Format Python and proto files, fix what ruff can fix
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix
	@$(BIN)/buf format proto --write

.PHONY: lint
lint: setup ## Check style, format, and that every test says what it proves
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/interrogate --quiet tests

.PHONY: types
types: setup ## Check types, the client's also for its oldest Python
	@$(BIN)/mypy
	@$(BIN)/mypy --python-version 3.10 client/src

.PHONY: contracts
contracts: setup ## Check which module may import which
	@$(BIN)/lint-imports

# A release makes the baseline anew: buf build proto --exclude-source-info --output proto/baseline.binpb
.PHONY: proto
proto: setup ## Check the proto files: style, format, nothing broken since proto/baseline.binpb
	@$(BIN)/buf lint proto
	@$(BIN)/buf format proto --diff --exit-code
	@$(BIN)/buf breaking proto --against proto/baseline.binpb

.PHONY: gen
gen: setup ## Generate code, tables and pages from their sources
	@tooling/gen.sh
	@$(BIN)/python tooling/build_canonical_table.py
	@$(BIN)/python tooling/build_reference.py
	@$(BIN)/python tooling/write_metrics_page.py
	@$(BIN)/python tooling/write_settings_page.py

.PHONY: generated
generated: setup ## Check that generated files and uv.lock are up to date
	@$(UV) lock --check --quiet --python $(BIN)/python
	@tooling/check_generated.sh
	@$(BIN)/python tooling/build_canonical_table.py --check
	@$(BIN)/python tooling/build_reference.py --check
	@$(BIN)/python tooling/write_metrics_page.py --check
	@$(BIN)/python tooling/write_settings_page.py --check

.PHONY: bench
bench: ## Measure speed and memory against the peers (an hour); ARGS=--short shows in minutes that all of it runs
	@tooling/setup.sh bench
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: quality
quality: ## Measure verdicts against the labelled pairs and the peers
	@tooling/setup.sh bench
	@$(BIN)/python -m benchmarks.quality $(ARGS)

.PHONY: integrations
integrations: ## Run the client's examples against Scrapy, pandas, Polars, Kafka's own client and gunicorn
	@tooling/setup.sh integrations
	@$(BIN)/pytest tests/integrations $(ARGS)

.PHONY: clean
clean: ## Remove the environment and everything derived
	@rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
