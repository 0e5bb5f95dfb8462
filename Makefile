# emotone: everything from a fresh clone with Python 3.11 or newer, make and a C library.
#
#   make demo      recognise the bundled clips with the shipped model; draws demo.png
#   make install   .venv with all a developer or a researcher needs
#   make test      install; then lint, spelling, types, import contracts, doctests and tests
#   make check     test; then the slow tests
#   make lint      lint, spelling, types and import contracts alone
#   make coverage  the tests with their coverage, line by line
#   make docs      the documentation, into site/
#   make clean     remove all that these targets made
#
# PYTHON=python3.12      another interpreter
# TORCH_INDEX=URL        an index that holds CPU wheels of torch (a tenth of the download)
# PROCESSES=0            tests in one process; by default one for each core, four at most

PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?=
PROCESSES ?= auto

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
  $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.DEFAULT_GOAL := help
.PHONY: help demo install test check lint coverage docs clean

help:
	@sed -n 's/^#   make /make /p' Makefile

# One stamp a set of packages: a repeated make installs nothing unless the list of packages has changed.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "emotone needs Python 3.11 or newer; make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[plot]'
	@touch $@

$(VENV)/.install: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev,train,plot,formats,serve,opensmile]'
	@touch $(VENV)/.demo $@

$(VENV)/.docs: $(VENV)/.install
	$(PIP) -e '.[docs]'
	@touch $@

demo: $(VENV)/.demo
	@$(BIN)/emotone demo --plot demo.png
	@echo 'demo.png shows the first of them.'

install: $(VENV)/.install

lint: $(VENV)/.install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/lint-imports

# A file's tests stay in one process: what they share takes longer to make than they take to run.
test: lint
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --maxprocesses 4 --dist loadfile

coverage: $(VENV)/.install
	$(BIN)/python -m pytest --cov --cov-report=term

check: test
	$(BIN)/python -m pytest -m slow

docs: $(VENV)/.docs
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build dist site demo.png .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
