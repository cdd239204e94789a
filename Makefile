PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo web test lint docs bench fuzz clean

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

bench: .venv/installed
	for benchmark in benchmarks/*.py; do \
		echo "== $$benchmark"; $(BIN)/python $$benchmark || exit 1; \
	done

# The stamps make a finished install free to repeat and an interrupted one start again.
.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/web: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt -e '.[web]'
	touch $@

# The page is tested in a browser; without one, those tests are skipped.
.venv/tested: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt -e '.[dev]'
	which chromium || which google-chrome || { test $$(id -u) = 0 && apt-get update -qq && \
	    apt-get install -qq --no-install-recommends chromium; } >/dev/null || true
	touch $@

clean:
	rm -rf .venv docs/api .mypy_cache .pytest_cache .ruff_cache
