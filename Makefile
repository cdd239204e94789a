PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint bench clean

demo: .venv/installed
	src/video2bgm.sh videos/sample.mp4 -o inference/sample.mp4

test: .venv/tested
	$(MAKE) lint
	$(BIN)/pytest

lint: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/installed
	for benchmark in benchmarks/*.py; do \
		echo "== $$benchmark"; $(BIN)/python $$benchmark || exit 1; \
	done

# The stamps make a finished install free to repeat and an interrupted one start again.
.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/tested: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache
