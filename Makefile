# make demo   the main job on the embedded corpus        make bench  the figures of docs/benchmarks.md
# make test   all checks, under 10 minutes on two cores  make lint   the checks that run no code
# make slow   the tests that need minutes or a corpus    make clean  remove what these targets made
#
# Options, e.g. `make demo PYTHON=python3.12 TORCH_INDEX=<address>`:
#   PYTHON       the Python (3.11 to 3.13) that .venv is made with
#   TORCH_INDEX  package index to take PyTorch from. PyTorch's installation page lists one per kind of
#                build; its CPU index spares Linux users the CUDA libraries (several GB).
#   WORKERS      processes that pytest uses
PYTHON ?= python3
TORCH_INDEX ?=
WORKERS ?= 2

BIN := .venv/bin
# What is imported is compiled when it is, once: to compile all that is installed takes half as long as to install it.
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install -q --no-compile
TORCH := $(shell grep '^torch==' constraints.txt)
TORCH_FROM := $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX) --no-deps,-c constraints.txt)

.PHONY: demo test slow bench oracle-table lint style clean

demo: .venv/installed
	$(BIN)/freerun demo

# The type checker keeps a core busy for a minute: it runs beside the tests, and says at the end what it found.
test: style
	@$(BIN)/basedpyright > .venv/types.log 2>&1 & checker=$$!; \
		$(BIN)/pytest -q -n $(WORKERS) --dist loadgroup; tests=$$?; \
		wait $$checker; types=$$?; cat .venv/types.log; exit $$((tests | types))

slow: .venv/installed-dev
	$(BIN)/pytest -m slow --durations=20

bench: .venv/installed-dev
	$(BIN)/python -m benchmarks

# Hours: every run that has no result in docs/results/oracle yet.
oracle-table: .venv/installed-dev
	$(BIN)/python -m benchmarks.tables.oracle

lint: style
	$(BIN)/basedpyright

style: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	PYTHONPATH=src $(BIN)/lint-imports --no-logo

clean:
	rm -rf .venv build dist runs/demo .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "freerun needs Python 3.11 to 3.13; name one that you have: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv

# PyTorch first and by itself: it alone decides whether CUDA comes along.
.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing $(TORCH), RDKit and 16 more libraries into .venv: about 0.6 GB to download and 1.9 GB on disk;" \
		"where pip picks PyTorch with CUDA (Linux, unless TORCH_INDEX says otherwise), about 3 GB and 7 GB. A minute or more ..."
	$(INSTALL) $(TORCH_FROM) $(TORCH)
	$(INSTALL) -c constraints.txt -e .
	@touch $@

.venv/installed-dev: .venv/installed
	@echo "Installing the tools of the checks (pytest, ruff, basedpyright ...) into .venv: about 0.1 GB, 0.4 GB on disk."
	$(INSTALL) -c constraints.txt -e '.[dev]'
	@touch $@
