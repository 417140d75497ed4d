# Works on a machine that has only make and Python 3.11, 3.12 or 3.13: everything else goes into .venv.
# Another interpreter: make PYTHON=python3.13 test

PYTHON ?= python3
VENV := .venv
FRAMEWORKS := .venv-frameworks
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
PYTEST_ARGS ?= -n auto
# A pytest marker expression for `make test-all`; the empty one selects every test.
MARKS ?=
# How many random edits `make edits` makes of random projects.
EDITS ?= 20000

DEMO := examples/digits
DEMO_PNG := confusion_matrix.png

.NOTPARALLEL:
.PHONY: help demo test test-all test-frameworks edits check bench clean

help:
	@echo "make demo      run $(DEMO) twice; the second run finds all of it cached"
	@echo "make test      the default test suite"
	@echo "make test-all  every test, with those marked slow and service"
	@echo "make test-frameworks  tests with PyTorch, TensorFlow, JAX, XGBoost and LightGBM, in 3 GB of their own"
	@echo "make edits     EDITS=$(EDITS) random edits of random projects, each run checked; for the night"
	@echo "make check     lint, formatting, types and import contracts"
	@echo "make bench     the benchmarks"
	@echo "make clean     remove caches and the demo's results (not $(VENV) and $(FRAMEWORKS))"

demo: $(VENV)/.demo
	@echo "== first run"
	@$(BIN)/expops run $(DEMO)
	@echo
	@echo "== second run: nothing has changed"
	@$(BIN)/expops run $(DEMO)
	@echo
	@png=$$(find $(DEMO)/.expops -name $(DEMO_PNG) -exec ls -t {} + 2>/dev/null | head -n 1); \
	if [ -n "$$png" ]; then echo "confusion matrix: $$png"; \
	else echo "$(DEMO_PNG) is not under $(DEMO)/.expops" >&2; exit 1; fi

test: $(VENV)/.test
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

test-all: $(VENV)/.test
	@$(BIN)/python -m pytest $(PYTEST_ARGS) -m "$(MARKS)"

test-frameworks:
	@$(MAKE) --no-print-directory VENV=$(FRAMEWORKS) $(FRAMEWORKS)/.frameworks
	@$(FRAMEWORKS)/bin/python -m pytest $(PYTEST_ARGS) tests/frameworks

edits: $(VENV)/.test
	@EXPOPS_EDITS=$(EDITS) $(BIN)/python -m pytest -s -m "" tests/engine/test_edits.py -k many

check: $(VENV)/.test $(VENV)/.lint
	@$(BIN)/ruff check --output-format concise
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.test
	@$(BIN)/python -m benchmarks

clean:
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist $(DEMO)/.expops
	find src tests examples -name __pycache__ -type d -prune -exec rm -rf {} +

# pip knows --group since 25.1; an interpreter may bring an older one.
$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || { \
	echo "make: there is no $(PYTHON) here; install Python 3.11 or newer, or name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "make: $(PYTHON) is $$($(PYTHON) --version 2>&1), but expops needs 3.11 or newer; name another one: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "make: $(PYTHON) has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install 'pip>=25.1'
	@touch $@

# One stamp a dependency group: what is installed stays until pyproject.toml changes.
$(VENV)/.demo $(VENV)/.test $(VENV)/.lint $(VENV)/.frameworks: $(VENV)/.%: $(VENV)/.created pyproject.toml
	@echo "installing expops and its $* dependencies into $(VENV)"
	@$(PIP) install --editable . --group $*
	@$(BIN)/python -m compileall -q src/expops
	@touch $@
