# Two commands make everything here: `make figures` and `make test`.
# Paths are relative throughout, so that the folder may have any name.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m
CORES ?= all

.PHONY: figures test coverage test-long lint bench schema gallery gallery-check clean

figures: $(VENV)/.complete
	$(RUN) snakemake --cores $(CORES)

# Tests on a cluster mostly wait: they come early, beside others.
PYTEST := OMP_NUM_THREADS=1 $(RUN) pytest -n 3 --dist loadfile --no-loadscope-reorder

test: $(VENV)/.complete
	$(PYTEST) -m "not long" --cov --cov-report=

# The lines of src/ that the last `make test` did not reach; it fails below 95 %.
coverage: $(VENV)/.complete
	$(RUN) coverage report

test-long: $(VENV)/.complete
	$(PYTEST) -m "long"

lint: $(VENV)/.complete
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(VENV)/bin/lint-imports --no-logo
	$(RUN) pyright
	$(RUN) snakefmt --check Snakefile workflow
	$(RUN) snakemake --lint

bench: $(VENV)/.complete
	$(RUN) benchmarks

schema: $(VENV)/.complete
	$(RUN) linear_grokking schema > config/schema.json

# The small pictures of README.md and docs/, from the figures; and whether they match them.
gallery: figures
	$(RUN) linear_grokking gallery

gallery-check: $(VENV)/.complete
	$(RUN) linear_grokking gallery --check

# The environment counts as complete only once everything is installed.
$(VENV)/.complete: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed"'
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet --disable-pip-version-check --requirement requirements.txt
	$(RUN) pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf $(VENV)
