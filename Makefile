# Everything a developer runs. `make run` and `make test` do all the set-up on a fresh machine.
#   PYTHON  the interpreter the environment is made from, 3.11 to 3.13
#   VENV    where the environment stands; name another one to keep several side by side
#   PIPS    the versions of pip that `make check-install` tries
#   TEST_PROCESSES  how many tests `make test` runs at once; 0 for none beside pytest's own process
#   ARGS    more arguments for the command: make test ARGS="tests/engine -k expiry"

PYTHON ?= python3
VENV ?= .venv
PIPS ?= 22.3 23.2 newest
ARGS ?=
BIN := $(VENV)/bin
# A lock is complete, so nothing is resolved again: old versions of pip would, for the extras that packages ask for.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
# Two at once fill two cores, as the servers and the databases under test run beside them.
TEST_PROCESSES ?= 2
FROM_LOCK := --require-hashes --only-binary :all: -r
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --quiet --upgrade \
	--custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help install check-install browser programs generators run test soak bench lint format docs lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

install: $(VENV)/.installed ## make the environment with the locked dependencies

$(VENV)/.dependencies: requirements/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Frontrow needs Python 3.11 or newer; name one: make install PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv," \
			"or name another interpreter: make install PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages, which takes a minute or two the first time"
	$(PIP_INSTALL) $(FROM_LOCK) requirements/dev.lock
	@touch $@

$(VENV)/.peers: $(VENV)/.dependencies requirements/bench.lock
	$(PIP_INSTALL) $(FROM_LOCK) requirements/bench.lock
	@touch $@

$(VENV)/.installed: $(VENV)/.dependencies setup.cfg
	$(PIP_INSTALL) --no-build-isolation --editable .
	@touch $@

check-install: ## install the locks anew, with the pips that PIPS names
	.ci/check_install $(PYTHON) $(PIPS)

run: install ## serve a demo cinema on http://127.0.0.1:8000
	$(BIN)/frontrow serve --demo $(ARGS)

browser: install ## the browser that tests of web pages run in
	$(BIN)/python -m tests.web.browser_install

programs: install ## nginx, PgBouncer and Debian's PostgreSQL, which tests run the server with
	$(BIN)/python -m tests.debian

generators: install ## what makes clients from the OpenAPI document in tests
	$(BIN)/python -m tests.generators.install

test: install browser programs generators ## all tests, the long ones in their short versions
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist worksteal $(ARGS)

soak: install browser programs ## the long tests
	$(BIN)/python -m pytest -m soak --timeout=0 $(ARGS)

bench: install $(VENV)/.peers ## measure, beside other servers: make bench ARGS="hold --plot hold.svg"
	$(BIN)/frontrow bench $(ARGS)

lint: install ## style, types, import contracts, Dockerfile
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

format: install ## rewrite the code in the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: install ## write docs/settings.md from the table of settings
	$(BIN)/python -m frontrow.settings.page > docs/settings.md

lock: install ## choose the newest allowed dependencies again
	$(LOCK) setup.cfg --output-file requirements/run.lock
	$(LOCK) setup.cfg --constraints requirements/run.lock --extra test --extra dev --output-file requirements/dev.lock
	$(LOCK) setup.cfg --constraints requirements/dev.lock --extra bench --output-file requirements/bench.lock
	$(LOCK) --group build --constraints requirements/dev.lock --output-file requirements/build.lock

clean: ## remove everything that was made here, the demo's data too
	rm -rf $(VENV) .frontrow build dist *.egg-info .coverage htmlcov
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
