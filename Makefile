# make serve   sets everything up, then serves REST on :8080 and gRPC on :8081 until Ctrl-C
#              make serve PORT=9000 GRPC_PORT=9001 takes other ports
# make test    sets everything up, then passes all tests
PYTHON ?= python3
DATA ?= ../shared/data
export PIP_DISABLE_PIP_VERSION_CHECK = 1

GATEWAY := .venv
TRITON := .venv-triton
MODELS := .venv-models
PEERS := .venv-peers
BENCH := .venv-bench
DOCS := .venv-docs
RAY := .venv-ray
# What types and tests of the client for browsers and Node need; without npm these are left out.
WEB := $(if $(shell command -v npm),clients/web/node_modules/.package-lock.json)
MADE := build/made
CUT := build/made_cut

.PHONY: setup models serve test test-gateway test-models test-docs test-accuracy test-networks test-faults test-bulk test-long test-compose images check lock format proto web web-types docs docs-reference docs-pictures train-lite export-lite evaluate-lite bench \
  bench-quick bench-overload bench-setup bench-accuracy clean

setup: $(GATEWAY)/done $(TRITON)/done

models: $(MODELS)/done

ifneq ($(PORT),)
serve: export DEEPHAR_HTTP_PORT := $(PORT)
endif
ifneq ($(GRPC_PORT),)
serve: export DEEPHAR_GRPC_PORT := $(GRPC_PORT)
endif

serve: setup
	@exec $(GATEWAY)/bin/python -m service

# One part after the other, each on two workers: more processes than that on two cores take longer, all in all.
test: test-gateway test-models

test-gateway: setup $(GATEWAY)/dev $(CUT)/done $(WEB)
	$(GATEWAY)/bin/python -m pytest tests/unit -n 2 -m "not long" --cov
	$(GATEWAY)/bin/python -m pytest tests --ignore tests/models --ignore tests/unit --ignore tests/bulk --ignore tests/docs \
	  -n 2 --dist loadfile -m "not long and not accuracy and not docker and not networks and not faults"

test-models: $(MODELS)/done
	OMP_NUM_THREADS=1 $(MODELS)/bin/python -m pytest tests/models -n 2 --dist worksteal -m "not networks and not long"

# Every command and program of the documentation, and what they print.
test-docs: setup $(GATEWAY)/dev $(CUT)/done $(WEB)
	$(GATEWAY)/bin/python -m pytest tests/docs -n 2 --dist loadfile -m "not long and not docker"

test-accuracy: setup $(GATEWAY)/dev
	$(GATEWAY)/bin/python -m pytest tests/integration/test_accuracy.py -m accuracy

# Each network takes half a minute to export.
test-networks: setup $(GATEWAY)/dev $(MADE)/done
	$(MODELS)/bin/python -m pytest tests/models -m networks
	$(GATEWAY)/bin/python -m pytest tests/integration -m "networks and not long"

# A service of its own for each.
test-faults: setup $(GATEWAY)/dev
	$(GATEWAY)/bin/python -m pytest tests/integration -n 2 -m "faults and not long"

# On a Ray cluster of two nodes, each with a service, all of this machine.
test-bulk: setup $(RAY)/done
	PYTHONPATH=. $(RAY)/bin/python -m pytest tests/bulk --confcutdir tests/bulk -p no:cacheprovider

# Minutes each: soaking, every signal, many restarts, and fuzzing with 100,000 inputs instead of 2,000.
test-long: setup $(GATEWAY)/dev $(MODELS)/done
	$(GATEWAY)/bin/python -m pytest tests --ignore tests/models --ignore tests/bulk -m long --timeout 0
	$(MODELS)/bin/python -m pytest tests/models -m long --timeout 0
	FUZZ_INPUTS=100000 $(GATEWAY)/bin/python -m pytest tests/fuzz -s --timeout 0

# Of the profiles cpu and proxy; docker-compose 1.29 does too: make images COMPOSE=docker-compose
COMPOSE ?= docker compose

images:
	DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1 IMAGE_VERSION=$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' clients/python/src/deephar/version.py) \
	  IMAGE_REVISION=$$(git rev-parse HEAD) $(COMPOSE) --profile cpu --profile proxy build

test-compose: $(GATEWAY)/dev
	$(GATEWAY)/bin/python -m pytest tests/deploy -m docker

check: $(GATEWAY)/dev $(WEB)
	$(GATEWAY)/bin/ruff check .
	$(GATEWAY)/bin/ruff format --check .
	$(GATEWAY)/bin/mypy
	$(GATEWAY)/bin/lint-imports --no-logo
	$(GATEWAY)/bin/python proto/generate.py --check
	$(GATEWAY)/bin/python docs/site/reference.py --check
	$(if $(WEB),$(GATEWAY)/bin/python clients/web/generate.py --check)

# Keeps the versions that are locked, as far as pyproject.toml lets it: make lock LOCK_OPTIONS=--upgrade takes the newest.
# uv asks PyPI or UV_DEFAULT_INDEX, not pip's indexes. The files hold for every Python from 3.11 on and every system.
LOCK_OPTIONS ?=
LOCK := $(GATEWAY)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
  --no-emit-index-url --custom-compile-command "make lock" $(LOCK_OPTIONS)

lock: $(GATEWAY)/dev
	$(LOCK) pyproject.toml --output-file requirements/gateway.txt
	$(LOCK) --group dev --constraints requirements/gateway.txt --output-file requirements/dev.txt
	$(LOCK) --group models requirements/torch.txt --no-emit-package torch --output-file requirements/models.txt
	$(LOCK) --group peers --output-file requirements/peers.txt
	$(LOCK) --group docs --output-file requirements/docs.txt
	$(LOCK) --group ray --output-file requirements/ray.txt
	$(LOCK) --group bench --output-file requirements/bench.txt
	$(LOCK) --group bench-mlserver --output-file requirements/bench-mlserver.txt
	$(LOCK) --group triton --no-deps --output-file requirements/triton.txt

format: $(GATEWAY)/dev
	$(GATEWAY)/bin/ruff check --fix .
	$(GATEWAY)/bin/ruff format .

proto: $(GATEWAY)/dev
	$(GATEWAY)/bin/python proto/generate.py

web: $(WEB)

# The site of docs/ in build/site: open it with any web server, as python3 -m http.server -d build/site
docs: $(DOCS)/done
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --quiet --strict

# After changes of REST's schemas, of the proto or of the client's events.
docs-reference: $(GATEWAY)/dev
	$(GATEWAY)/bin/python docs/site/reference.py

# After changes of what the page or the drawing looks like; wants Chromium.
docs-pictures: setup $(GATEWAY)/dev
	$(GATEWAY)/bin/python docs/pictures/make.py

# After changes of REST's schemas or of the client for browsers.
web-types: $(GATEWAY)/dev $(WEB)
	$(GATEWAY)/bin/python clients/web/generate.py

TRAINING := movenet.teacher movenet.box_teacher frame.train frame.calibrate frame.error_bank person.train score_rule \
  lift.train clip.train

# Says which data is missing before any environment is made.
data-to-%-lite:
	@$(PYTHON) -m models.lite.needed_files $* --data $(DATA)

train-lite: data-to-train-lite $(MODELS)/done
	for step in $(TRAINING); do \
	  $(MODELS)/bin/python -m models.lite.$$step --data $(DATA) --out build/lite || exit 1; \
	done
	$(MAKE) export-lite

export-lite: $(MODELS)/done
	$(MODELS)/bin/python -m models.lite.export --out build/lite --repository model_repository
	$(MODELS)/bin/python -m models.lite.plot_training --out build/lite

evaluate-lite: data-to-evaluate-lite setup $(GATEWAY)/dev $(MODELS)/done
	$(GATEWAY)/bin/python -m bench.accuracy --data $(DATA)

# Peers in an environment of their own; MoveNet, whose weights `lite` starts from, in that of the models.
bench-accuracy: setup $(GATEWAY)/dev $(MODELS)/done $(PEERS)/done
	$(MODELS)/bin/python -m bench.accuracy.peers.movenet --data $(DATA)
	$(PEERS)/bin/python -m bench.accuracy.peers.blazepose --data $(DATA)
	$(GATEWAY)/bin/python -m bench.accuracy.peers --data $(DATA)

# make bench SECTIONS=gateway,streams SECONDS=5
SECTIONS ?= gateway,batch,peers,streams,growth,penn,overload,networks,evaluation,gpu
SECONDS ?= 10
COMMA := ,

bench: bench-setup $(if $(filter penn networks evaluation,$(subst $(COMMA), ,$(SECTIONS))),$(MADE)/done) $(if $(findstring evaluation,$(SECTIONS)),$(MODELS)/done)
	$(GATEWAY)/bin/python -m bench.speed --sections $(SECTIONS) --seconds $(SECONDS) $(BENCH_OPTIONS)

# What runs in CI, so that the benchmark does not rot. Nothing in it fails for being slow.
bench-quick: bench-setup
	$(GATEWAY)/bin/python -m bench.speed --sections gateway,peers,streams --seconds 3 $(BENCH_OPTIONS)

bench-overload: bench-setup
	$(GATEWAY)/bin/python -m bench.speed --sections overload --seconds $(SECONDS) $(BENCH_OPTIONS)

bench-setup: setup $(GATEWAY)/dev $(BENCH)/done $(BENCH)-mlserver/done

clean:
	rm -rf $(GATEWAY) $(TRITON) $(MODELS) $(PEERS) $(DOCS) $(RAY) $(BENCH) $(BENCH)-mlserver clients/web/node_modules build .pytest_cache .mypy_cache .ruff_cache .hypothesis

CLIENT := clients/python/pyproject.toml clients/python/src/deephar/version.py

# Before anything is installed: the embedded Triton's stubs are for these versions alone. Any Python understands it.
RIGHT_PYTHON = @$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' || { \
  echo "deephar-serve needs Python 3.11 or 3.12, and $(PYTHON) is" \
    "$$(command -v $(PYTHON) > /dev/null && $(PYTHON) --version 2>&1 || echo not there)."; \
  echo "Nothing was installed. Name another one: make PYTHON=python3.12 $(or $(MAKECMDGOALS),setup)"; exit 1; } >&2

# Environments that do not disturb each other: the gateway never sees torch, Triton's Python stub needs NumPy 1.
$(GATEWAY)/done: requirements/gateway.txt $(CLIENT)
	$(RIGHT_PYTHON)
	$(PYTHON) -m venv $(GATEWAY)
	$(GATEWAY)/bin/pip install -q --require-hashes -r requirements/gateway.txt
	$(GATEWAY)/bin/pip install -q --no-deps -e clients/python -e .
	touch $@

$(GATEWAY)/dev: $(GATEWAY)/done requirements/dev.txt
	$(GATEWAY)/bin/pip install -q --require-hashes -r requirements/dev.txt
	touch $@

# --no-deps: of nvidia-pytriton only the binaries are used.
$(TRITON)/done: requirements/triton.txt
	$(RIGHT_PYTHON)
	$(PYTHON) -m venv $(TRITON)
	$(TRITON)/bin/pip install -q --require-hashes --no-deps -r requirements/triton.txt
	$(TRITON)/bin/python service/embedded_triton/launcher.py --prepare-only --repository model_repository --port 1
	touch $@

$(MODELS)/done: requirements/models.txt requirements/torch.txt $(CLIENT)
	$(RIGHT_PYTHON)
	$(PYTHON) -m venv $(MODELS)
	$(MODELS)/bin/pip install -q --require-hashes -r requirements/models.txt
	$(MODELS)/bin/pip install -q -r requirements/torch.txt
	$(MODELS)/bin/pip install -q --no-deps -e . -e clients/python
	touch $@

clients/web/node_modules/.package-lock.json: clients/web/package-lock.json
	cd clients/web && npm ci --silent --no-audit --no-fund
	touch $@

$(RAY)/done: requirements/ray.txt $(CLIENT)
	$(PYTHON) -m venv $(RAY)
	$(RAY)/bin/pip install -q --require-hashes -r requirements/ray.txt
	$(RAY)/bin/pip install -q --no-deps -e clients/python
	touch $@

$(PEERS)/done $(DOCS)/done $(BENCH)/done $(BENCH)-mlserver/done: .venv-%/done: requirements/%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install -q --require-hashes -r $<
	touch $@

# deephar's networks with made weights, for tests and speed: the released ones are not downloaded for that.
$(MADE)/done $(CUT)/done: $(MODELS)/done $(wildcard models/*.py models/deephar/*.py models/weights/*.py \
  models/export/*.py models/files/*.py models/protocol/*.py tests/golden/*.py tests/golden/spec/* \
  tests/models/made_*.py model_repository/lite_*/config.pbtxt model_repository/person/config.pbtxt)
	rm -rf $(@D)
	$(MODELS)/bin/python -m tests.models.made_repository $(@D) $(if $(filter $(CUT),$(@D)),ntu@2)
	touch $@
