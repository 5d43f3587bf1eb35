# One command for each thing that a developer or CI does; `make help` lists them.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
# scripts/find-python chooses when this is empty.
PYTHON ?=
export PYTHON
PY := .venv/bin/python
# Set, each of the processes that the tests start would compile the whole project anew.
unexport PYTHONDONTWRITEBYTECODE
PYTEST := $(PY) -m pytest
# Where no server is meant but SQLite, whatever the shell holds: the demo's, or a developer's own.
ON_SQLITE := env -u DATABASE_URL $(PY) -m tests.twice
# Each file in one process, in the order given. Whole systems are tested two at a time: their tests hold them to seconds.
BY_FILE := --dist loadfile --no-loadscope-reorder
CORE := .venv/core.stamp
ALL := .venv/all.stamp

# A production-like installation, for the checks that only such a one can pass; the key is new each time.
DEPLOYED = env MOZPOOL_SECRET_KEY=$$($(PY) -c 'import secrets; print(secrets.token_hex(40))') \
	MOZPOOL_DEBUG=false MOZPOOL_HTTPS=true MOZPOOL_BASE_URL=https://mozpool.example.com \
	MOZPOOL_TRUSTED_PROXIES=10.0.0.0/8 DATABASE_URL=sqlite:///$(CURDIR)/var/lint.sqlite3
DEVELOPMENT = env MOZPOOL_DEBUG=true

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

$(CORE): requirements-core.txt constraints.txt
	scripts/venv requirements-core.txt
	@touch $@

$(ALL): requirements-core.txt requirements.txt requirements-dev.txt constraints.txt
	scripts/test-packages
	scripts/venv requirements-dev.txt
	@touch $@ $(CORE)

.PHONY: venv
venv: $(ALL) ## make .venv with everything for development

.PHONY: demo
demo: $(CORE) ## a whole lab on this machine: web, worker, pulse, simulated devices, two requests
	$(PY) -m simlab.demo

.PHONY: reallab
reallab: $(ALL) ## real machines under QEMU on this machine, which boot, are installed and answer
	scripts/test-packages real
	$(PY) -m reallab

.PHONY: dev
dev: $(ALL) ## web, worker and pulse for development, with automatic reload of the web
	$(PY) -m scripts.dev

.PHONY: lint
lint: $(ALL) ## every check that runs no test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(DEVELOPMENT) $(PY) -m mypy
	cd client && ../$(PY) -m mypy
	$(DEVELOPMENT) .venv/bin/lint-imports
	$(DEPLOYED) $(PY) manage.py makemigrations --check --dry-run
	$(DEPLOYED) $(PY) manage.py check --deploy --fail-level WARNING
	.venv/bin/shellcheck .ci/run scripts/find-python scripts/need-packages scripts/test-packages scripts/venv
	.venv/bin/shellcheck bmm/live/scripts/init.sh --shell sh
	.venv/bin/shellcheck bmm/live/scripts/dhcp-script.sh reallab/system/agent.sh
	.venv/bin/shellcheck reallab/system/init.sh --shell sh
	@mkdir -p var
	for part in mobile-init install maintenance self-test; do \
		$(DEVELOPMENT) $(PY) manage.py live_kit script $$part > var/$$part.sh && \
		.venv/bin/shellcheck --exclude SC2013,SC2034,SC2329 var/$$part.sh || exit 1; done

# The private servers live as long as the command beside them; see tests/servers/. What fails beside others has one more
# try, alone, and is named: tests/twice.py.
.PHONY: test
test: $(ALL) ## every test: unit, architecture, simulation, integration on both databases, end to end, in a browser, a real machine
	scripts/test-packages
	$(ON_SQLITE) -q -n 4 --timeout 120 client/tests
	$(ON_SQLITE) -q $(BY_FILE) -n 4 -m "not on_mariadb" tests/simulation tests/integration tests/unit tests/architecture
	$(PY) -m tests.servers run --mariadb -- $(PY) -m tests.twice -q $(BY_FILE) -n 4 -m "not on_sqlite" tests/integration
	$(ON_SQLITE) -q $(BY_FILE) -n 2 tests/real/test_one_machine.py tests/browser tests/fuzz tests/servers tests/upgrade tests/documents
	$(PY) -m tests.servers run --mariadb -- $(PY) -m tests.twice -q $(BY_FILE) -n 2 tests/e2e

.PHONY: test-real
test-real: $(ALL) ## real machines: two kinds, four at once, also on a bridge, UEFI, and one with a worn-out disk
	scripts/test-packages real
	$(PYTEST) -q tests/real

.PHONY: fuzz
fuzz: $(ALL) ## call both APIs by their schemas, 10,000 times and more; SEED=N makes the same calls again
	$(PY) -m tests.fuzz $(if $(SEED),--seed $(SEED))

.PHONY: fuzz-wire
fuzz-wire: $(ALL) ## TFTP, syslog and power switches' answers, made up anew for MINUTES (default: 10)
	scripts/test-packages
	$(PY) -m tests.fuzz.wire --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

.PHONY: client
client: $(ALL) ## build the client's sdist and wheel into client/dist
	rm -rf client/dist
	$(PY) -m build --no-isolation client

.PHONY: bench
bench: $(ALL) ## measure what docs/benchmarks.md states
	scripts/test-packages
	$(PY) -m tests.bench

.PHONY: screenshots
screenshots: $(ALL) ## take the pictures of docs/img: every page, over 800 simulated devices
	scripts/test-packages
	$(PY) -m tests.browser.screenshots

.PHONY: docs
docs: $(ALL) ## write the generated documents again: docs/settings.md, docs/states.md, docs/openapi.yaml
	@mkdir -p docs var
	$(DEVELOPMENT) $(PY) manage.py describe_settings > var/settings.md
	mv var/settings.md docs/settings.md
	$(DEVELOPMENT) $(PY) manage.py describe_states > var/states.md
	mv var/states.md docs/states.md
	$(DEVELOPMENT) $(PY) manage.py spectacular --validate --fail-on-warn --file var/openapi.yaml
	mv var/openapi.yaml docs/openapi.yaml

.PHONY: format
format: $(ALL) ## format the code, and fix what ruff can fix
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

.PHONY: clean
clean: ## remove what make has made: .venv, var, caches
	rm -rf .venv var staticfiles client/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
