# Stormproof. `make help` lists the targets.
#
# The only needs are Go, make and git; a C compiler switches the race detector on. What
# else is needed (a Kubernetes API server, Redis, Alertmanager) the program fetches or
# builds once into the user's cache, and says so.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# The race detector needs a C compiler.
RACE := $(shell command -v gcc >/dev/null 2>&1 || command -v clang >/dev/null 2>&1 && echo -race)
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/stormproof/tools
BIN := bin/stormproof
# The gate's own build watches for data races; that costs about twice the time of a run.
RACED := $(if $(RACE),bin/raced/stormproof,$(BIN))
ARGS ?=

.PHONY: test-integration
test-integration: $(BIN) ## Cluster and Redis up, the whole catalogue once, dashboard in reports/latest
	$(BIN) run $(ARGS)

.PHONY: examples
examples: $(BIN) ## The harness on other people's services: Alertmanager itself, and a small webhook
	$(BIN) run $(ARGS) examples/minimal examples/alertmanager

.PHONY: test
test: ## All unit tests, race detector on
	@test -n "$(RACE)" || echo "note: no C compiler, so no race detector; install gcc to have it"
	go test $(RACE) -shuffle=on ./...

.PHONY: gate
gate: $(RACED) lint-tool ## The quality gate: unit x3, lint, integration x3 with the race detector, one verdict
	$(RACED) gate --criteria ci/gate.yaml --lint "$(CACHE)/golangci-lint" $(ARGS)

.PHONY: lint
lint: $(BIN) lint-tool ## golangci-lint on the code, stormproof lint on the scenarios
	$(CACHE)/golangci-lint run ./...
	$(BIN) lint

.PHONY: generate
generate: $(BIN) ## Everything that is made from something else: deep copies, CRDs, mocks, JSON Schemas, the reference
	cd ci/tools && go tool controller-gen object paths=../../gateway/api/v1alpha1
	cd ci/tools && go tool controller-gen crd paths=../../gateway/api/v1alpha1 output:crd:dir=../../gateway/api/v1alpha1/crd
	cd ci/tools && go build -o $(CACHE)/mockery github.com/vektra/mockery/v2
	$(CACHE)/mockery --log-level warn
	$(BIN) schema > harness/scenario/scenario.v1.json
	$(BIN) schema --fragment > harness/scenario/fragment.v1.json
	$(BIN) schema --report > harness/report/report.v1.json
	$(BIN) schema --markdown > docs/reference.md
	$(BIN) schema --catalogue > scenarios/README.md
	UPDATE_GOLDEN=1 go test -count=1 -run InTESTING ./harness/scenario ./harness/cmd/stormproof

.PHONY: mutants
mutants: $(BIN) ## Put each seeded bug into the gateway; its scenarios must turn red
	$(BIN) mutants $(ARGS)

# PACKAGES chooses some, WORKERS is how many mutants are tried at once, each with a copy of the tree.
PACKAGES ?=
WORKERS ?= 2

.PHONY: mutate
mutate: mutate-tool ## Change one operator after another in window, remediation and judge; their unit tests must notice (PACKAGES=./harness/judge)
	@mkdir -p bin
	go build -o bin/mutate ./ci/mutate
	bin/mutate -gremlins "$(CACHE)/gremlins" -workers $(WORKERS) $(ARGS) $(PACKAGES)

# SOAK is how many schedules, SEED where they begin, PLAN one schedule to tell instead.
SOAK ?= 10000
SEED ?= 0
PLAN ?=

.PHONY: soak
soak: ## Random schedules of the gateway's protocol, and a hunt for bugs in it (SOAK=10000 SEED=0 PLAN='')
	@mkdir -p bin
	go test -c -o bin/model.test ./gateway/model
	@bin/model.test -test.run TestSoak -test.timeout 0 -soak $(SOAK) -seed $(SEED) -plan '$(PLAN)' | grep -vE '^(PASS|FAIL|--- )'; exit $${PIPESTATUS[0]}

FUZZTIME ?= 30s

.PHONY: fuzz
fuzz: ## Every fuzz target in turn (FUZZTIME=30s each); `make test` runs their seeds
	@set -e; for package in $$(go list ./gateway/...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "== $$package $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

.PHONY: demo
demo: $(BIN) ## Gateway and real Alertmanager, a storm of 300 alerts, what came of it
	$(BIN) demo $(ARGS)

.PHONY: doctor
doctor: $(BIN) ## What is there, what is missing, and the command that fixes it
	$(BIN) doctor

.PHONY: test-dashboard
test-dashboard: ## The dashboard in headless Chromium: light, dark, phone (needs chromium on PATH)
	go test -tags browser -run Browser ./harness/report/...

.PHONY: test-servers
test-servers: ## Faults of real servers: Redis's own, RBAC, priority and fairness
	go test $(RACE) -tags servers -count=1 ./harness/fault/

.PHONY: test-rules
test-rules: ## promtool on alert rules, their tests, the dashboard's queries, and a gateway's metrics
	go test -tags promtool -count=1 -run Promtool ./harness/cmd/stormproof/

.PHONY: test-program
test-program: ## The program itself: every exit code provoked, an interrupted run, what a killed run left (2 minutes)
	go test $(RACE) -tags servers -count=1 -run 'OfTheProgram|AnInterruptedRun|AKilledRun' ./harness/cmd/stormproof/

.PHONY: test-controllers
test-controllers: ## kube-controller-manager beside envtest: namespaces go, garbage and quotas are real (compiles it once)
	go test -tags controllers -run Controllers ./harness/cluster/...

.PHONY: test-editor
test-editor: $(BIN) ## Completion, hover and diagnostics in the real YAML language server (needs node and npm on PATH)
	@mkdir -p $(CACHE)/editor && cp ci/editor/package.json ci/editor/package-lock.json $(CACHE)/editor/
	@cd $(CACHE)/editor && cmp -s package-lock.json node_modules/.installed || \
		{ npm ci --no-audit --no-fund --loglevel=error && cp package-lock.json node_modules/.installed; }
	@rm -rf $(CACHE)/editor/scenarios && $(BIN) new --dir $(CACHE)/editor/scenarios >/dev/null
	@node ci/editor/check.mjs $(CACHE)/editor/node_modules/yaml-language-server/bin/yaml-language-server $(CACHE)/editor/scenarios TESTING.md

# DAEMON=own starts a Docker daemon of one's own where none answers (Debian, root).
DAEMON ?=

.PHONY: kind
kind: $(BIN) ## A Kind cluster and a Redis container for `stormproof run`, until `bin/stormproof down`; DAEMON=own brings Docker
	ci/kind-offline/cluster.sh $(DAEMON)

.PHONY: test-kind
test-kind: $(BIN) ## The scenarios of scenarios/portable.txt on envtest, on Kind, on an existing cluster and as Pods: four columns
	set -e; env=$$(ci/kind-offline/ready.sh $(DAEMON)); eval "$$env"; go run ./ci/environments

.PHONY: test-containers
test-containers: ## Kind clusters, Pods and containers of Redis: come up, go, leave nothing (needs a container daemon, fails without)
	go test -count=1 -tags containers -run Containers ./harness/cluster/... ./harness/redis/... ./harness/system/...

.PHONY: bench-harness
bench-harness: ## What the harness costs: beside a test by hand and e2e-framework; writes docs/benchmarks.md
	set -o pipefail; cd ci/bench && go test -mod=mod -count=1 -v -run TestOverhead . $(ARGS) | grep -vE '^ *(=== |--- )'

.PHONY: clean
clean: ## Remove what was built here; reports and caches stay
	rm -rf bin

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{printf "  make %-18s %s\n", $$1, $$2}'

# Go decides what is stale, so the binaries are always asked for.
.PHONY: bin/stormproof bin/raced/stormproof
bin/stormproof bin/raced/stormproof:
	@mkdir -p $(@D)
	@test -x $@ || echo "building $@ (the first time takes a few minutes)"
	go build $(if $(findstring raced,$@),$(RACE)) -o $@ ./harness/cmd/stormproof

.PHONY: lint-tool
lint-tool:
	@mkdir -p $(CACHE)
	@test -x $(CACHE)/golangci-lint || echo "building golangci-lint (once, about a minute)"
	cd ci/tools/lint && go build -o $(CACHE)/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: mutate-tool
mutate-tool:
	@mkdir -p $(CACHE)
	cd ci/tools/mutate && go build -o $(CACHE)/gremlins github.com/go-gremlins/gremlins/cmd/gremlins
