# Two commands make everything here: `make figures` and `make test`.
# Paths are relative throughout, so that the folder may have any name.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m
CORES ?= all

# The environment decides alone what runs and where packages go: not what a shell, a module of
# a cluster or a configuration of pip adds.  Where packages come from is left to them.
unexport PYTHONPATH PYTHONHOME PYTHONUSERBASE PYTHONPLATLIBDIR PYTHONSAFEPATH
unexport PYTHONSTARTUP PYTHONINSPECT PYTHONOPTIMIZE PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_REQUIRE_VIRTUALENV
unexport PIP_DRY_RUN PIP_NO_DEPS PIP_IGNORE_INSTALLED
export PYTHONNOUSERSITE := 1

.PHONY: figures test coverage test-long lint docs bench schema gallery gallery-check paper-size clean

figures: $(VENV)/.complete
	$(RUN) snakemake --cores $(CORES)

# Tests on a cluster mostly wait, beside others; tests/conftest.py has the order.
PYTEST := OMP_NUM_THREADS=1 $(RUN) pytest -n 3 --dist loadfile --no-loadscope-reorder

test: $(VENV)/.complete
	$(PYTEST) -m "not long"

# The same tests, and the lines of src/ that they do not reach; it fails below 95 %.  Counting
# lines takes the tests twice as long.
coverage: $(VENV)/.complete
	$(PYTEST) -m "not long" --cov --cov-report=term

test-long: $(VENV)/.complete
	$(PYTEST) -m "long"

lint: $(VENV)/.complete
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(VENV)/bin/lint-imports
	$(RUN) pyright
	$(RUN) snakefmt --check Snakefile workflow
	$(RUN) snakemake --lint

# The site: open docs/_build/html/index.html.  Its notebook is run on the way.
docs: $(VENV)/.complete
	$(RUN) sphinx --fail-on-warning --keep-going --show-traceback --quiet docs docs/_build/html

bench: $(VENV)/.complete
	$(RUN) benchmarks

schema: $(VENV)/.complete
	$(RUN) linear_grokking schema > config/schema.json

# The small pictures of README.md and docs/, from the figures; and whether they match them.
gallery: $(VENV)/.complete
	$(RUN) snakemake --cores $(CORES) all X1
	$(RUN) linear_grokking gallery

# The papers' own sizes, as far as they get in the time that is given: interrupted, go on with it
# again.  FIGURES=B6 makes one; what comes along is what is done, with the blocks that took long.
PAPER_SIZE := build/paper_size
FIGURES ?= all X1

paper-size: $(VENV)/.complete
	mkdir -p $(PAPER_SIZE)
	[ ! -d docs/paper_size/results ] || cp -R -n docs/paper_size/results $(PAPER_SIZE)
	-$(RUN) snakemake --cores $(CORES) --keep-going --directory $(PAPER_SIZE) \
		--configfile config/config.yaml config/paper.yaml -- $(FIGURES)
	-$(RUN) linear_grokking gallery --size paper --root $(PAPER_SIZE)

gallery-check: $(VENV)/.complete
	$(RUN) linear_grokking gallery --check

# The environment counts as complete only once everything is installed, and only in its own
# folder: one that was copied or moved runs the code of another, and is made from nothing.
CLEAR :=
ifneq ($(shell test "$$(cat $(VENV)/.complete 2> /dev/null)" -ef . && echo here),here)
.PHONY: $(VENV)/.complete
CLEAR := --clear
endif
PIP := $(RUN) pip install --quiet --disable-pip-version-check --no-user

$(VENV)/.complete: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(CLEAR) $(VENV)
	$(PIP) --requirement requirements.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	pwd -P > $@

clean:
	rm -rf $(VENV)
