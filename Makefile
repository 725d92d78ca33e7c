# Two commands: `make train` and `make test`. Each sets up what it needs.
PYTHON ?= python3
PY     := .venv/bin/python
STEPS  ?= 1200000
# The set of dependencies that .venv holds; a change of either file installs again.
STAMP  := .venv/setup-$(shell cat pyproject.toml constraints.txt | sha256sum | cut -c1-12)

# Two cores, many processes: one thread each, and the same hashes in every run.
TEST_ENV := OMP_NUM_THREADS=1 PYTHONHASHSEED=0 MUJOCO_GL=egl

# The dashboard's page, built again when a source of it changes.
PAGE := src/trackway/dashboard/static/index.html

.PHONY: help setup train dashboard test tests lint bench soak clean
help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(STAMP):
	@scripts/setup $(PYTHON)
	@touch $@

setup: $(STAMP)  ## the virtual environment .venv, with trackway installed

train: setup  ## train the Go1 to walk, with everything recorded (STEPS=300000 for a look)
	$(PY) train.py --run train --config configs/walk.toml --total_timesteps $(STEPS)

$(PAGE): $(shell find web -name node_modules -prune -o -type f -print) | $(STAMP)
	@scripts/build-web

dashboard: $(PAGE)  ## show the runs in models/ in a web page, live
	.venv/bin/trackway serve models --drive go1.driving:drive

lint: setup  ## ruff, mypy, import contracts, spelling
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache
	git ls-files -z -- '*.py' '*.md' '*.toml' | xargs -0 .venv/bin/codespell

# Side by side, three on two cores: many tests wait for something most of their time.
test: $(PAGE)  ## everything that must hold before a change lands
	scripts/test-servers
	@$(MAKE) --no-print-directory --jobs 2 lint tests

tests:
	scripts/test-web
	$(TEST_ENV) $(PY) -m pytest -n 3 --dist worksteal

bench: setup  ## what it costs, in ratios against peers in the same run
	for script in benchmarks/*.py; do $(PY) $$script || exit 1; done

soak: setup $(PAGE)  ## kill recording 200 times at random instants, and what else takes long
	TRACKWAY_SOAK=1 $(TEST_ENV) $(PY) -m pytest tests/integration/test_exact_resume.py \
		tests/integration/test_leave_one_out.py tests/integration/test_episodes_begin_anew.py \
		tests/e2e/test_train.py tests/e2e/test_resume.py tests/page/test_pages.py \
		tests/unit/trackway/frameworks/sb3/test_shadow.py
	TRACKWAY_SOAK=1 TRACKWAY_STREAMING_S=300 $(TEST_ENV) $(PY) -m pytest tests/integration/test_wheel.py \
		tests/integration/test_streaming_memory.py
	TRACKWAY_RESUMES=50 $(TEST_ENV) $(PY) -m pytest tests/crash/test_killed_and_resumed.py
	TRACKWAY_CRASH_SAMPLES=4000 $(TEST_ENV) $(PY) -m pytest tests/crash/test_checkpoint_states.py
	TRACKWAY_MUTATIONS=2000 $(TEST_ENV) $(PY) -m pytest tests/properties/test_corrupt_runs.py
	TRACKWAY_KILLS=200 $(TEST_ENV) $(PY) -m pytest tests/crash/test_kills.py tests/crash/test_killed_compaction.py
	TRACKWAY_MUTATIONS=100000 $(TEST_ENV) $(PY) -m pytest tests/unit/trackway/storage/archive/test_damage.py \
		tests/unit/trackway/storage/test_packs.py tests/unit/trackway/format/test_damaged_segments.py
	TRACKWAY_FAULTS=1000 $(TEST_ENV) $(PY) -m pytest tests/crash/test_sync_faults.py --timeout 3600

clean:  ## remove .venv and caches; never a run
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
