PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo web test lint docs bench fuzz kills lock clean

demo: .venv/installed
	src/video2bgm.sh videos/sample.mp4 -o inference/sample.mp4

web: .venv/installed
	$(BIN)/python src/app.py

# In the browser what is heard and seen is timed: nothing else runs beside it.
BROWSER = tests/web/test_browser.py
test: .venv/tested
	$(MAKE) lint
	$(BIN)/pytest -n 2 --dist loadfile --ignore $(BROWSER)
	$(BIN)/pytest $(BROWSER)

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

# The versions of all that is installed, on every supported Python, and for what the rules below install
# the hashes, too: as they are, as far as pyproject.toml allows; `make lock NEWEST=--upgrade` takes the
# newest. torch has no hash: its build for CPUs is not PyPI's, but has the same version. What it asks for
# to run on GPUs is left to it, as it names the versions itself: the build for CPUs does without.
RESOLVE = $(BIN)/uv pip compile --quiet --universal --python-version 3.10 --no-annotate \
    --custom-compile-command 'make lock'
lock: .venv/tested
	$(RESOLVE) --all-extras $(NEWEST) pyproject.toml -o constraints.txt
	sed -i -E "/^(nvidia-|cuda-|triton)/d; s/ ; python_full_version < '3.14'$$//" constraints.txt
	for extra in web dev; do \
		cp constraints.txt requirements-$$extra.lock; \
		echo setuptools | $(RESOLVE) --extra $$extra --generate-hashes pyproject.toml - \
		    -o requirements-$$extra.lock || exit 1; \
		sed -i -E "/^(nvidia-|cuda-|triton|torch=)/,/[^\\]$$/d; s/ ; python_full_version < '3.14' \\\\$$/ \\\\/" \
		    requirements-$$extra.lock; \
	done

bench: .venv/installed
	for benchmark in benchmarks/*.py; do \
		echo "== $$benchmark"; $(BIN)/python $$benchmark || exit 1; \
	done

# What is installed is what `make lock` has found, today and in a year, and every file but torch's has the
# hash it had then; `make test PINS=` takes the newest. Packages are built with the setuptools of the pins.
PINS = -c constraints.txt
PIP = $(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation
# $(call install,EXTRA): this project, with what it and an extra of it need.
install = $(if $(PINS),$(PIP) --no-deps --require-hashes -r requirements-$1.lock && \
    $(PIP) $(PINS) torch && $(PIP) --no-deps -e .,$(PIP) --upgrade setuptools && $(PIP) -e '.[$1]')

# The stamps make a finished install free to repeat and an interrupted one start again.
.venv/installed: constraints.txt requirements-web.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(call install,web)
	touch $@

# The page is tested in a browser; without one, those tests are skipped.
.venv/tested: .venv/installed requirements-dev.lock
	$(call install,dev)
	which chromium || which google-chrome || { test $$(id -u) = 0 && apt-get update -qq && \
	    apt-get install -qq --no-install-recommends chromium; } >/dev/null || true
	touch $@

clean:
	rm -rf .venv docs/api .mypy_cache .pytest_cache .ruff_cache
