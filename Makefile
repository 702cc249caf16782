# Everything is installed into .venv, in the versions of constraints.txt. On a machine with pip's defaults,
# CPU users get PyTorch's small CPU build with:
#   make serve PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
export PIP_EXTRA_INDEX_URL

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
# Serving, own documents and training need a third of what tests and benchmarks need.
SERVING := .venv/serving

.DEFAULT_GOAL := help

.PHONY: help serve port unit check test nightly client-types test-clients notebook lint format torture fuzz audit model leaks tune bench bench-embedding bench-hero bench-swap bench-index bench-pgvector bench-replicas bench-filters bench-growth bench-budget bench-contention bench-models bench-modes bench-long bench-docsgpt bench-sources bench-maps bench-sample bench-train bench-losses bench-recipes bench-verdicts bench-looks bench-proof bench-rerankers bench-clicks bench-feedback bench-console bench-sharing vendor screenshots report site serve-replicas upgrade faults clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: port $(SERVING)  ## start the service with the sample corpus on http://127.0.0.1:8080
	INSTAR_SAMPLE=$${INSTAR_SAMPLE:-true} $(BIN)/instar serve

# Before minutes of installing, and by any Python: the service says the same when it starts.
port:
	@$(PYTHON) service/process/address.py $${INSTAR_HOST:-127.0.0.1} $${INSTAR_PORT:-8080}

serve-replicas: $(INSTALLED)  ## the same by three replicas behind a balancer, with a PostgreSQL of their own
	@# With exec, a signal that make passes on reaches it.
	exec env INSTAR_SAMPLE=$${INSTAR_SAMPLE:-true} $(BIN)/python -m deploy.replicas

# Three processes for two processors, because tests wait for services, for sleeps and for disks a third of the time. Each file stays in
# one of them, and the longest files begin first. A process that is lost ends the run, which would wait for it for ever otherwise.
PYTEST := $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart=0

unit: $(INSTALLED)  ## the tests that need no model, no process and no socket, in seconds
	$(BIN)/python -m pytest -n 2 tests/unit

check: lint unit  ## what to run before a commit: lint, unit tests, the contracts of the seams, the shape of the code
	$(PYTEST) tests/contract tests/architecture

test: unit  ## the tests that every change has to pass, in minutes
	$(PYTEST) -m "not nightly" tests --ignore tests/unit

nightly: $(INSTALLED)  ## all others: tutorials, browsers, faults, other stores and architectures, training; half an hour
	$(PYTEST) -m nightly tests --ignore tests/unit

test-clients: $(INSTALLED)  ## the packages that people have already, in an environment of their own
	$(BIN)/python -m pytest tests/clients

notebook: $(INSTALLED)  ## beside `make serve`: run docs/notebook.ipynb again, and keep what it prints
	$(BIN)/python -m tests.support.notebook docs/notebook.ipynb

lint: $(INSTALLED)  ## format check, lint, which way imports run, and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy
	$(BIN)/mypy deploy/docsgpt/instar.py deploy/docsgpt/feedback.py
	$(BIN)/mypy deploy/quepid/judgements.py
	$(BIN)/mypy deploy/replicas/__main__.py

client-types: $(INSTALLED)  ## make the types of the client anew out of the OpenAPI document
	$(BIN)/python -m tests.support.client_types

format: $(INSTALLED)  ## format and sort imports
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

torture: $(INSTALLED)  ## kill, fill, starve and corrupt a service, and check all that it answered; needs a C compiler
	$(BIN)/python -m tests.torture $(ARGS)

upgrade: $(INSTALLED)  ## replace replicas of another version by this one while clients search and write; FROM=COMMIT
	UPGRADE_FROM=$(FROM) $(BIN)/python -m pytest -s tests/replicas/test_upgrade.py

faults: $(INSTALLED)  ## every fault of one of three replicas at every step of a switch; needs HAProxy and a C compiler
	$(BIN)/python -m tests.replicas.faults $(ARGS)

fuzz: $(INSTALLED)  ## what the OpenAPI document allows and what it does not, on every route; ARGS="--minutes 60"
	$(BIN)/python -m tests.fuzz $(ARGS)

audit: $(INSTALLED)  ## ask PyPI for known vulnerabilities of everything in constraints.txt
	test -x .venv-audit/bin/pip-audit || $(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	.venv-audit/bin/pip-audit --strict --no-deps --disable-pip -r constraints.txt

model: $(INSTALLED)  ## hundreds of random orders of events against a dictionary
	$(BIN)/python -m pytest tests/models/test_state_machine.py --model-examples 300

leaks: $(INSTALLED)  ## 200 reloads, and what they leave behind
	LEAKS=long $(BIN)/python -m pytest -s tests/process/test_leaks.py

tune: $(INSTALLED)  ## beside `make serve`: tune on the sample corpus, judge, package, reload, show before and after
	$(BIN)/python -m benchmarks.tune

bench-train: $(INSTALLED)  ## rows trained in a second, against sentence-transformers' defaults
	$(BIN)/python -m benchmarks.training

bench-verdicts: $(INSTALLED)  ## how often a verdict on few questions is right and wrong; ARGS="--beir FOLDER"
	$(BIN)/python -m benchmarks.verdicts $(ARGS)

bench-looks: $(INSTALLED)  ## how often looks after each batch of questions promote a model that gains nothing; simulated
	$(BIN)/python -m benchmarks.looks

bench-recipes: $(INSTALLED)  ## minutes of training against what they gain, on the sample; ARGS="--beir FOLDER" for more data
	$(BIN)/python -m benchmarks.recipes $(ARGS)

bench-losses: $(INSTALLED)  ## what each loss comes to; ARGS="--beir FOLDER" for more data than the sample corpus
	$(BIN)/python -m benchmarks.losses $(ARGS)

bench-proof: $(INSTALLED)  ## one whole run of the trainer on other data; ARGS="--beir FOLDER"
	$(BIN)/python -m benchmarks.proof $(ARGS)

bench-rerankers: $(INSTALLED)  ## a trained reranker beside dense, hybrid and tuned dense; ARGS="--beir FOLDER"
	$(BIN)/python -m benchmarks.rerankers $(ARGS)

bench-clicks: $(INSTALLED)  ## judgements derived from clicks beside click counts, on simulated users whose truth is known
	$(BIN)/python -m benchmarks.clicks $(ARGS)

bench-embedding: $(INSTALLED)  ## embeddings over HTTP beside Infinity, libraries and a tutorial's server; needs wrk
	$(BIN)/python -m benchmarks.embedding $(ARGS)

bench-hero: $(INSTALLED)  ## the picture of the README, minutes of training included; ARGS="--run FOLDER" takes a finished run
	$(BIN)/python -m benchmarks.hero $(ARGS)

bench-swap: $(INSTALLED)  ## search latency and failures before, during and after a reload of 10,000 documents
	$(BIN)/python -m benchmarks.swap $(ARGS)

bench-index: $(INSTALLED)  ## the index beside those of FAISS, hnswlib, usearch and SVS, by size
	$(BIN)/python -m benchmarks.index $(ARGS)

bench-pgvector: $(INSTALLED)  ## vectors and index in PostgreSQL beside SQLite and FAISS
	$(BIN)/python -m benchmarks.pgvector $(ARGS)

bench-replicas: $(INSTALLED)  ## searches of 1, 2 and 3 replicas on the same cores, and how soon they show a write and switch
	$(BIN)/python -m benchmarks.replicas $(ARGS)

bench-sharing: $(INSTALLED)  ## the embedding of a reload shared out to 1, 2 and 4 processes, each on one core
	$(BIN)/python -m benchmarks.sharing $(ARGS)

bench-filters: $(INSTALLED)  ## filtered search beside unfiltered search, by selectivity
	$(BIN)/python -m benchmarks.filters $(ARGS)

bench-budget: $(INSTALLED)  ## texts a second by the tokens in a batch
	$(BIN)/python -m benchmarks.budget

bench-growth: $(INSTALLED)  ## reload, switch, restart, search and memory by the number of documents
	$(BIN)/python -m benchmarks.growth $(ARGS)

bench-contention: $(INSTALLED)  ## encoding beside a busy neighbour, by the wait policy of OpenMP
	$(BIN)/python -m benchmarks.contention

bench-models: $(INSTALLED)  ## what each architecture is computed by and how fast, beside sentence-transformers
	$(BIN)/python -m benchmarks.models $(ARGS)

bench-modes: $(INSTALLED)  ## search by vector, by keyword and by both; ARGS="--beir FOLDER" for more data
	$(BIN)/python -m benchmarks.modes $(ARGS)

bench-long: $(INSTALLED)  ## documents that are longer than the model reads; ARGS="--beir FOLDER..."
	$(BIN)/python -m benchmarks.long $(ARGS)

bench-docsgpt: $(INSTALLED)  ## what DocsGPT puts into a prompt, with and without windows; ARGS="--beir FOLDER"
	$(BIN)/python -m benchmarks.docsgpt $(ARGS)

bench-sources: $(INSTALLED)  ## 1,000 sources as collections, and as a filter in one collection
	$(BIN)/python -m benchmarks.sources $(ARGS)

bench-maps: $(INSTALLED)  ## how long the map of a generation takes, and what it keeps, by the number of documents
	$(BIN)/python -m benchmarks.maps $(ARGS)

bench-feedback: $(INSTALLED)  ## events a second that are durable, and what a search pays for the search log
	$(BIN)/python -m benchmarks.feedback $(ARGS)

bench-console: $(INSTALLED)  ## each page of the console with 100,000 documents, and what tasks at it cost; needs Chromium
	$(BIN)/python -m benchmarks.console $(ARGS)

bench-sample: $(INSTALLED)  ## how hard the sample corpus is for the base model
	$(BIN)/python -m benchmarks.sample

$(BIN)/python:
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Instar needs Python 3.11 or newer: set PYTHON=..."'
	$(PYTHON) -m venv .venv

$(SERVING): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing what serving, loading and training need into .venv: some minutes, the first time"
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[load,trainer]'
	@touch $@

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing what tests and benchmarks need into .venv, too"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(SERVING) $@

bench:  ## all benchmarks of the service, one after the other, and the report
	$(MAKE) bench-embedding bench-swap bench-index bench-filters bench-growth bench-budget bench-contention bench-models bench-modes bench-sources bench-feedback bench-console report

screenshots: $(INSTALLED)  ## every screen of the console, light and dark, into docs/console; needs Chromium
	$(BIN)/python -m tests.console.screenshots

site: $(INSTALLED)  ## the documents as a site, in build/site/html; a link that leads nowhere fails it
	rm -rf build/site
	$(BIN)/python -m docs.site build/site

vendor:  ## fetch the libraries that the console gives to browsers, and what its tests need; needs npm
	$(PYTHON) .ci/vendor.py

report: $(INSTALLED)  ## docs/measurements.md out of the results of the benchmarks
	$(BIN)/python -m benchmarks.report

clean:  ## remove what is not in the repository, except data and checkpoints
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
