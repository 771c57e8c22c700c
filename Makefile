# Every command builds what it needs on demand: a virtual environment in .venv, one stamp per set of
# packages. Only Python 3.11 or newer has to be there; `make test TORCH=` leaves torch out.
PYTHON ?= python3
TORCH ?= ,torch
JOBS ?= 2
# `make bench` reads these; BENCH holds further options: --assert, --write, --seconds N.
export MODELS THREADS PRECISION
BENCH ?=
PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check

.PHONY: env demo test test-all lint bench conformance clean
.DELETE_ON_ERROR:

env: .venv/test.stamp  ## everything the tests need

.venv/core.stamp: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Whet needs Python 3.11 or newer")'
	test -x $(PY) || $(PYTHON) -m venv .venv
	$(PIP) -e .
	touch $@

.venv/test.stamp: .venv/core.stamp
	$(PIP) -e '.[test,dev$(TORCH)]'
	touch $@

.venv/bench.stamp: .venv/core.stamp
	$(PIP) -e '.[test,bench,torch]'
	touch $@

demo: .venv/core.stamp  ## compile and prove the digit classifier
	$(PY) -m whet demo

test: .venv/test.stamp  ## house rules, unit tests, laws, samples of the suites
	@sh scripts/system_programs.sh
	$(PY) -m pytest -n $(JOBS) --dist worksteal -q

test-all: .venv/test.stamp  ## every test, the slow ones too
	@sh scripts/system_programs.sh
	$(PY) -m pytest -n $(JOBS) --dist worksteal -q --all

lint: .venv/test.stamp  ## ruff, mypy, import layers, budgets
	$(PY) -m pytest -q tests/house

bench: .venv/bench.stamp  ## side by side with peers; MODELS=, THREADS=, PRECISION= narrow it
	$(PY) -m bench $(BENCH)

conformance: .venv/test.stamp  ## the whole ONNX suite; writes docs/conformance.md
	$(PY) -m tests.conformance

clean:
	rm -rf .venv build dist
