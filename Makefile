# The two main commands are `make figures` and `make test`.
# All paths are relative, so that the folder may have any name.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m
CORES ?= all

# Only the environment decides what runs and where packages are installed: settings of the shell,
# of a cluster's modules or of pip must not interfere.  Where packages come from is left to them.
unexport PYTHONPATH PYTHONHOME PYTHONUSERBASE PYTHONPLATLIBDIR PYTHONSAFEPATH
unexport PYTHONSTARTUP PYTHONINSPECT PYTHONOPTIMIZE PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_REQUIRE_VIRTUALENV
unexport PIP_DRY_RUN PIP_NO_DEPS PIP_IGNORE_INSTALLED
export PYTHONNOUSERSITE := 1

.PHONY: figures test coverage test-long lint docs bench schema gallery gallery-check paper-size clean

figures: $(VENV)/.complete
	$(RUN) snakemake --cores $(CORES)

# The cluster's tests mostly wait, so others run beside them; tests/conftest.py sets the order.
PYTEST := OMP_NUM_THREADS=1 $(RUN) pytest -n 5 --dist loadfile --no-loadscope-reorder

test: $(VENV)/.complete
	$(PYTEST) -m "not long"

# The same tests, with a list of the lines of src/ that they do not reach; fails below 95 %.
# Counting lines doubles the time of the tests.
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

# The site: open docs/_build/html/index.html.  Building it runs the notebook.
docs: $(VENV)/.complete
	$(RUN) sphinx --fail-on-warning --keep-going --show-traceback --quiet docs docs/_build/html

bench: $(VENV)/.complete
	$(RUN) benchmarks

schema: $(VENV)/.complete
	$(RUN) linear_grokking schema > config/schema.json

# The small pictures in README.md and docs/, made from the figures; gallery-check tells whether
# the two match.
gallery: $(VENV)/.complete
	$(RUN) snakemake --cores $(CORES) all X1
	$(RUN) linear_grokking gallery

# The papers' own sizes.  This takes long: it may be interrupted at any time, and continues when
# called again.  FIGURES=B6 makes one figure.  Finished figures are added to the repository, and
# blocks that took long and are shipped with it are used.
PAPER_SIZE := build/paper_size
FIGURES ?= all X1

paper-size: $(VENV)/.complete
	mkdir -p $(PAPER_SIZE)
	-[ ! -d docs/paper_size/results ] || cp -R -n docs/paper_size/results $(PAPER_SIZE)
	-$(RUN) snakemake --cores $(CORES) --keep-going --directory $(PAPER_SIZE) \
		--configfile config/config.yaml config/paper.yaml -- $(FIGURES)
	-$(RUN) linear_grokking gallery --size paper --root $(PAPER_SIZE)

gallery-check: $(VENV)/.complete
	$(RUN) linear_grokking gallery --check

# The environment counts as complete only once everything is installed, and only in its own
# folder: one that was copied or moved would run the code of another folder, and is made anew.
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
