# Needs Python 3.11, 3.12 or 3.13 and make, nothing else. `uv` is fetched into .tools where there is none.
.PHONY: bench test test-slow lint gpu-check setup setup-all browser lock newest fuzz
.DEFAULT_GOAL := bench

VENV ?= .venv
# The Python of the environment, e.g. PYTHON=python3.12; where it is not given, what is there stays.
PYTHON ?=
UV := $(or $(shell command -v uv),.tools/bin/uv)
BENCH := $(VENV)/bin/bench
# What tests import is compiled once, whatever the surroundings say: hundreds of processes read it.
PYTEST := PYTHONDONTWRITEBYTECODE= $(VENV)/bin/pytest

bench: setup
	$(BENCH) run

test: setup-all browser
	$(PYTEST)

# What takes long: real runs that are interrupted and killed, whole audits, clusters, two processes that train
# together, torch's compiler at work. Three at a time, for they wait for processes. `pytest -m slow PATH` runs
# some of them.
test-slow: setup-all
	$(PYTEST) -m slow -n 3

# Thousands of damaged files and options of every kind (tests/fuzz); FUZZ_COUNTS=FILE keeps the counts.
fuzz: setup-all
	FUZZ_CASES=$(or $(FUZZ_CASES),3000) $(PYTEST) -n 0 --timeout 7200 tests/fuzz

lint: setup-all
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

gpu-check: setup-all
	$(VENV)/bin/python -m benchmarks.gpu_check

# Chromium for the tests of the page, where root and apt-get are at hand; elsewhere those tests are skipped.
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	  apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
	  echo "no Chromium and no way to install one: the tests of the page will be skipped"

# What `bench` needs, and what the tests and checks need beside it, exactly as locked.
setup: | $(UV)
	@requirements/install.sh run $(UV) $(VENV) $(PYTHON)

setup-all: | $(UV)
	@requirements/install.sh all $(UV) $(VENV) $(PYTHON)

# Pins again what pyproject.toml asks for and keeps what still fits; UPGRADE=1 takes the newest of everything.
COMPILE = $(UV) pip compile --quiet --no-header --no-annotate --generate-hashes --only-binary :all: \
  --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)
# The extras that the tests use.
LOCKED = ray mteb slurm tensorboard wandb
lock: | $(UV)
	$(COMPILE) pyproject.toml $(LOCKED:%=--extra %) --group dev --output-file requirements/all.txt
	$(COMPILE) pyproject.toml --group build --constraints requirements/all.txt --output-file requirements/run.txt
	$(COMPILE) --group setup --output-file requirements/uv.txt

# Whether the newest of everything works, lock and upper bounds aside; WITH='torch==2.11.0 ...' narrows it.
NEWEST = .cache/newest
newest: | $(UV)
	@python=$$(requirements/find-python.sh $(UV) '$(or $(PYTHON),>=3.11,<3.14)') && \
	  "$$python" requirements/newest.py $(UV) "$$python" $(NEWEST) $(WITH)

.tools/bin/uv: requirements/uv.txt
	$(or $(shell command -v python3),$(PYTHON)) -m pip install --quiet --upgrade --target .tools --require-hashes -r $<
	@touch $@
