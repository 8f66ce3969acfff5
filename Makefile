# Everything runs in .venv. The first command installs it; after that nothing needs a network.
PYTHON ?= python3
BIN := .venv/bin
LAB := $(BIN)/python -m jupyterlab --LabApp.default_url=/lab/tree
CHAPTER ?= 01_an_rnn_unrolled
export JUPYTER_CONFIG_PATH := $(CURDIR)/tools/jupyter
# Elsewhere than in my/, JupyterLab saves only when asked: to open a notebook must not change it.
lab edit: export JUPYTER_CONFIG_PATH := $(CURDIR)/tools/jupyter:$(CURDIR)/tools/jupyter/no_autosave
.PHONY: help book pdf test lab study press edit train measure clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

book: .venv/installed ## build the site into _build/html and say how to open it
	rm -rf _build && $(BIN)/jupyter-book build . -W -n --keep-going --all

pdf: book ## print the whole book into _build/book.pdf
	$(BIN)/python tools/pdf.py

test: book ## build the site and run every check
	$(BIN)/python -m pytest -n 2 -ra

lab: .venv/installed ## run the chapter in JupyterLab
	$(LAB)/notebooks/$(CHAPTER).ipynb

study: .venv/installed ## copy the exercises to my/ and open them in JupyterLab
	$(BIN)/python tools/study.py && $(LAB)/my/$(CHAPTER).ipynb

press: .venv/installed ## print the notebooks that do not match their manuscript
	$(BIN)/python tools/press.py

edit: .venv/installed ## open the chapter's manuscript as a notebook in JupyterLab
	$(LAB)/book/chapters/$(CHAPTER).md

train: .venv/installed ## train the character model of chapter 13 in every way and store the runs
	$(BIN)/python benchmarks/character_model.py

measure: book ## measure time and memory anew for the page "How this book is checked"
	for name in backward growth checkpoint page book; do \
		$(BIN)/python benchmarks/$$name.py --store || exit 1; done

clean: ## remove what is built; keep .venv and my/
	rm -rf _build .pytest_cache .ruff_cache .hypothesis

# The mark is set last, so an install that was interrupted starts again.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -c constraints.txt -e '.[book,test]'
	@touch $@
