PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo web test lint docs bench fuzz kills lock clean

demo: .venv/installed
	src/video2bgm.sh videos/sample.mp4 -o inference/sample.mp4

web: .venv/web
	$(BIN)/python src/app.py

test: .venv/tested
	$(MAKE) lint
	$(BIN)/pytest

lint: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The pages of the package, from its docstrings; tests/test_docs.py checks what they refer to.
docs: .venv/tested
	$(BIN)/pdoc --docformat google --output-directory docs/api cmt

# Damaged files for each reader, so many seconds long; docs/reliability.md tells what came of it.
SECONDS = 60
fuzz: .venv/tested
	$(BIN)/python tests/fuzz/run.py --seconds $(SECONDS)

# Each script killed at random times, so many times, then its results compared with an undisturbed run's.
TIMES = 20
kills: .venv/tested
	PYTHONPATH=src $(BIN)/python tests/fuzz/kills.py --times $(TIMES)

# The versions of all that is installed, on every supported Python: as they are, as far as
# pyproject.toml allows; `make lock NEWEST=--upgrade` takes the newest. What torch asks for to run on
# GPUs is left to torch, which names the versions itself: the build for CPUs does without.
lock: .venv/tested
	$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --all-extras --no-annotate \
	    --custom-compile-command 'make lock' $(NEWEST) pyproject.toml -o constraints.txt
	sed -i -E "/^(nvidia-|cuda-|triton)/d; s/ ; python_full_version < '3.14'$$//" constraints.txt

bench: .venv/installed
	for benchmark in benchmarks/*.py; do \
		echo "== $$benchmark"; $(BIN)/python $$benchmark || exit 1; \
	done

# All that is installed has its version in constraints.txt, so that this installs in a year what it
# does today; `make test PINS=` takes the newest. Packages are built with the setuptools of the pins.
PINS = -c constraints.txt
PIP = $(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation $(PINS)

# The stamps make a finished install free to repeat and an interrupted one start again.
.venv/installed: constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) --upgrade setuptools
	$(PIP) -e .
	touch $@

.venv/web: .venv/installed
	$(PIP) -e '.[web]'
	touch $@

# The page is tested in a browser; without one, those tests are skipped.
.venv/tested: .venv/installed
	$(PIP) -e '.[dev]'
	which chromium || which google-chrome || { test $$(id -u) = 0 && apt-get update -qq && \
	    apt-get install -qq --no-install-recommends chromium; } >/dev/null || true
	touch $@

clean:
	rm -rf .venv docs/api .mypy_cache .pytest_cache .ruff_cache
