# Two commands do everything: `make lab` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# With another busy process on the machine OpenMP's spinning threads slow torch a hundredfold.
export OMP_WAIT_POLICY ?= PASSIVE

LAB_ARGS ?=
WORKERS ?= 2

.PHONY: help env lab test browser notebooks bench lint minivoc clean
help:
	@echo "make lab        make the environment if there is none, open JupyterLab on the first lesson"
	@echo "make test       the same environment, then all tests, the lessons included"
	@echo "make browser    only the explorers in a real browser; a part of make test where there is Chromium"
	@echo "make notebooks  run every lesson from a clean kernel, in order, and write it back"
	@echo "make bench      print the speed and memory table"
	@echo "make lint       ruff, and the checks on the notebook files"
	@echo "make minivoc    draw data/minivoc again from its seed"

env: $(READY)
$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@echo "Installing PyTorch, JupyterLab and the lessons (about 5 GB, a few minutes) ..."
	$(BIN)/python -m pip install --quiet -e ".[test]"
	touch $(READY)

lab: $(READY)
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) --ServerApp.root_dir="$(CURDIR)" \
		--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb $(LAB_ARGS)

lint: $(READY)
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/lessons notebooks --check

test: $(READY) lint
	$(BIN)/python -m pytest tests -n $(WORKERS) --ignore=tests/browser
	$(BIN)/python -m pytest --nbval-lax --nbval-cell-timeout=300 notebooks -n $(WORKERS) --dist loadscope
	$(BIN)/python -m pytest tests/browser

# Without Chromium or Playwright it says what it leaves out; screenshots go to build/browser.
browser: $(READY)
	$(BIN)/python -m pytest tests/browser

notebooks: $(READY)
	$(BIN)/lessons notebooks

bench: $(READY)
	$(BIN)/python -m benchmarks

minivoc: $(READY)
	$(BIN)/lessons draw-minivoc data/minivoc --overwrite

clean:
	rm -rf $(VENV)
