# Two commands for a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow lint types docs format benchmarks clean

demo: $(VENV)/installed
	rm -rf cotrain-demo
	$(BIN)/cotrain demo --out cotrain-demo

test: $(VENV)/installed
	$(BIN)/pytest -q -n 2 --dist loadfile --durations=10

test-slow: $(VENV)/installed
	$(BIN)/pytest -q -n 2 --dist loadfile -m slow

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed
	$(BIN)/mypy

# Runs the gallery, too. Warnings are errors: links that lead nowhere, results without a page.
docs: $(VENV)/installed-docs
	$(BIN)/python -m sphinx -b html -W --keep-going -q -d docs/_build/doctrees docs docs/_build/html
	@echo "site: docs/_build/html/index.html"

format: $(VENV)/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmarks: $(VENV)/installed
	$(BIN)/python -m benchmarks all

# constraints.txt pins what was tested; torch's pin also keeps pip from fetching a CUDA build here.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) cotrain-demo docs/_build docs/gallery docs/reference/api
