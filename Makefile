# Every target sets up .venv first; the stamp makes the second run instant.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.ready-dev
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
CONFIG ?= config.yaml
EXPORTER_PORT ?= 10180
PROMETHEUS_PORT ?= 9090
ALERTMANAGER_PORT ?= 9093

.DEFAULT_GOAL := help
.PHONY: help demo run test unit lint docs fuzz soak bench lock sbom release clean stack rules manifests dashboards

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# `make demo` needs only what requirements.lock pins; development adds its tools.
# The build tools are included because a checkout renders its documents as the wheel does.
$(READY): requirements.lock requirements-build.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'make: $(PYTHON) is missing or older than 3.11. Install Python 3.11 or later, or: make $(MAKECMDGOALS) PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo 'make: $(PYTHON) has no venv. On Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes -r requirements.lock -r requirements-build.lock
	@touch $@

$(DEV_READY): $(READY) requirements-dev.lock
	$(PIP) --require-hashes -r requirements-dev.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY) ## run against the built-in simulated Palette, http://127.0.0.1:10180/ (EXPORTER_PORT)
	$(BIN)/python -m exporter --demo --web.listen-address=127.0.0.1:$(EXPORTER_PORT)

run: $(READY) ## run with CONFIG (config.yaml)
	$(BIN)/python -m exporter --config.file=$(CONFIG)

stack: $(READY) ## demo, Prometheus and Alertmanager on this machine, without containers
	$(BIN)/python deploy/stack/run.py --exporter-port=$(EXPORTER_PORT) \
	  --prometheus-port=$(PROMETHEUS_PORT) --alertmanager-port=$(ALERTMANAGER_PORT)

rules: $(DEV_READY) ## generate the alert and recording rules
	$(BIN)/python deploy/prometheus/generate_rules.py

manifests: $(DEV_READY) rules ## render the kustomize manifests from the Helm chart
	$(BIN)/python deploy/helm/render.py

dashboards: $(DEV_READY) ## generate the Grafana dashboards
	$(BIN)/python deploy/grafana/build.py

# More workers than cores: most tests wait for processes that they started.
test: $(DEV_READY) lint ## lint, types and all tests
	$(BIN)/python -m pytest --numprocesses=5 --dist=loadfile --no-loadscope-reorder

# With `PYTHON=python3.13 VENV=.venv-3.13` for another version than that of .venv.
unit: $(DEV_READY) ## types, and the tests that need no programs, with PYTHON in VENV
	$(BIN)/mypy --python-version="$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" exporter
	$(BIN)/python -m pytest --numprocesses=4 --dist=loadfile tests/fuzz tests/metrics tests/palette \
	  tests/refresh tests/settings tests/soak tests/verdict \
	  tests/test_cooperative.py tests/test_duration.py tests/test_imports.py tests/test_single_flight.py \
	  tests/test_store.py

lint: $(DEV_READY) ## ruff, mypy --strict, and check that generated documents are up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python docs/generate.py --check

docs: $(DEV_READY) ## generate the generated documents
	$(BIN)/python docs/generate.py

fuzz: $(DEV_READY) ## 200,000 spoiled payloads through the decoder, 20,000 through the whole path
	$(BIN)/python -m tests.fuzz

soak: $(DEV_READY) ## ten minutes (SOAK_SECONDS) of changes and faults; fails on growth, leaks and errors
	$(BIN)/python -m tests.soak

bench: $(DEV_READY) ## figures: requests within the API's limits, scrapes next to nginx
	$(BIN)/python -m benchmarks.api
	$(BIN)/python -m benchmarks.scrape
	$(BIN)/python -m benchmarks.page
	$(BIN)/python -m benchmarks.sizing

lock: ## resolve requirements*.lock from pyproject.toml (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --group build -c requirements-dev.lock -o requirements-build.lock

# The software that the image holds: the lock, installed on its own.
sbom: $(DEV_READY) ## write build/sbom.cdx.json, the bill of materials with licences (CycloneDX)
	rm -rf build/sbom && $(PYTHON) -m venv build/sbom
	build/sbom/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python deploy/release/sbom.py build/sbom/bin/python build/sbom.cdx.json

release: $(DEV_READY) sbom ## check that version, changelog, chart and image agree, then build the wheel
	$(BIN)/python deploy/release/check.py
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir build/dist .

clean: ## remove the environment and caches
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis
