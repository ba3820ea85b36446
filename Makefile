# make run, make test: all the set-up they need happens by itself.
PYTHON ?= python3
VENV ?= .venv
STAMP := $(VENV)/.ready
BIN := $(VENV)/bin
# The share of the long forms that stress, torture and fuzz take.
SHARE ?= 1

.PHONY: run test stress torture fuzz check format screenshots bench clean

run: $(STAMP)
	@$(BIN)/kimera-tui

# What pytest makes of the tests is kept for the next time, also where the environment is against it.
test: $(STAMP)
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n auto --no-loadscope-reorder

# Long forms of what `make test` does a few times: exits, torture, fuzz.
stress: torture fuzz
	$(BIN)/pytest -s --timeout 7200 --share $(SHARE) tests/stress/long_*.py

torture: $(STAMP)
	$(BIN)/pytest -s --timeout 1800 --share $(SHARE) tests/torture/long_*.py

fuzz: $(STAMP)
	$(BIN)/python -m tests.documents.fuzz $(SHARE)
	$(BIN)/pytest -n auto --timeout 7200 --share $(SHARE) -m hypothesis

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

screenshots: $(STAMP)
	$(BIN)/python -m tests.pictures.screenshots

bench: $(STAMP)
	$(BIN)/python -m benchmarks

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Kimera needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

clean:
	rm -rf .venv* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
