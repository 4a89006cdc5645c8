# Every target that needs set-up or built workloads makes them first.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3

export CHECKPOINT_DISABLE := 1

# The race detector needs a C compiler; everything else does without.
RACE := $(shell command -v cc >/dev/null && [ "$$(go env CGO_ENABLED)" = 1 ] && echo -race)
# Packages whose tests need neither emulated AWS nor a synth.
UNITS := ./cmd/... ./constructs/... ./internal/... ./stacks/...

.PHONY: help
help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: .venv/installed ## Install emulated AWS and DuckDB into .venv (again only when their pins change)

# Tools that only tests use, apart: the demo does without.
.PHONY: setup-test
setup-test: setup .venv-checkov/installed tools/iam/node_modules/installed ## Install what the tests need besides: checkov and a simulator of IAM

.venv-checkov/installed: tools/checkov/requirements.txt
	@echo "installing checkov into .venv-checkov (once)"
	@rm -rf .venv-checkov
	@$(PYTHON) -m venv .venv-checkov
	@.venv-checkov/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

tools/iam/node_modules/installed: tools/iam/package-lock.json
	@npm --prefix tools/iam ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.venv/installed: internal/emulator/requirements.txt
	@echo "installing emulated AWS into .venv (once, about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit("Python %d.%d is too old, 3.10 or newer is needed" % sys.version_info[:2] if sys.version_info < (3, 10) else 0)'
	@rm -rf .venv
	@$(PYTHON) -m venv .venv || { echo "python3 cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.PHONY: build
build: tracker ## Compile the workloads and the tools into build/
	@go run ./internal/asset/build

TRACKER := constructs/ingest/tracker

.PHONY: tracker
tracker: build/tracker/integrity.json

build/tracker/integrity.json: $(TRACKER)/node_modules/installed $(TRACKER)/contract.ts $(TRACKER)/build.mjs $(TRACKER)/tsconfig.json $(shell find $(TRACKER)/src -name '*.ts')
	@npm --prefix $(TRACKER) run --silent build

$(TRACKER)/node_modules/installed: $(TRACKER)/package-lock.json
	@npm --prefix $(TRACKER) ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: image
image: $(if $(ENV),build) ## Build the collector's image, without Docker, into build/images; ENV=x also pushes it to that environment's account
	@$(if $(ENV),SHOPSTREAM_STACKS="$(ENV)" build/infrastructure)
	@go run ./internal/asset/image $(if $(ENV),-env "$(ENV)")

.PHONY: demo
demo: setup build ## Take events through the whole pipeline on this machine; EVENTS=FILE a log in the REES46 format, KEEP=1 leaves it running, SHOP=1 with a shop to walk through
	@build/shopstream demo $(if $(EVENTS),--events "$(EVENTS)") $(if $(KEEP),--keep) $(if $(SHOP),--shop)

.PHONY: screenshot
screenshot: setup build ## Take the README's picture of the demo's shop anew, with chromium
	@dir=$$(mktemp -d); trap 'build/shopstream demo stop --dir "$$dir"; rm -rf "$$dir"' EXIT; \
	build/shopstream demo --shop --sessions 20 --dir "$$dir"; \
	node test/browser/screenshot.mjs "$$(node -p 'JSON.parse(fs.readFileSync(0)).shop' <"$$dir/endpoints.json")" docs/images/demo-shop.png

.PHONY: demo-stop
demo-stop: build ## Stop a demo that was left running
	@build/shopstream demo stop

.PHONY: doctor
doctor: build ## Say what this machine lacks, and how to get it; ENV=x: what an environment lacks before a deploy
	@$(if $(ENV),SHOPSTREAM_STACKS="$(ENV)" build/infrastructure)
	@build/shopstream doctor $(if $(ENV),--env "$(ENV)")

.PHONY: synth
synth: build ## Write every stack as Terraform JSON to cdktf.out/; SHOPSTREAM_STACKS=prod writes some
	@build/infrastructure

.PHONY: check
check: lint ## Fast checks: format, vet, staticcheck, unit tests
	@go test $(RACE) $(UNITS)

.PHONY: lint
lint: ## Format, vet and staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "run gofmt -w on: $$unformatted" >&2; exit 1; }
	@go vet ./...
	@go tool -modfile=tools/go.mod staticcheck ./...

.PHONY: test
test: setup-test build lint ## Everything that CI runs
	@.venv/bin/python -m unittest discover -q -s internal/emulator/launcher/tests
	@npm --prefix $(TRACKER) test --silent
	@go test -count=1 $(RACE) $(UNITS)
	@cd test/extending && go vet ./... && go test -count=1 ./...
	@go test -count=1 -timeout 30m ./test/...

.PHONY: generate
generate: ## Write what derives from the event contract anew: schemas, tracker types, columns, quality rules, reference
	@go generate ./constructs/event

.PHONY: golden
golden: ## Rewrite the golden files and the table of settings after a change that was meant
	@go test ./test -run '^Test(StacksMatchTheirGoldenFiles|WhatHoldsDataKeepsItsAddress|EverySettingIsDocumented)$$' -update

.PHONY: bench
bench: setup build ## Measure synth, apply and destroy of the stacks and the hot path; the numbers go to build/bench
	@go test ./test ./test/local -p 1 -run '^$$' -bench . -benchtime 1x -timeout 20m
	@command -v wrk >/dev/null && command -v nginx >/dev/null || { echo "the collector's benchmark needs wrk and nginx; on Debian: apt-get install wrk nginx-light libnginx-mod-http-echo" >&2; exit 1; }
	@go test ./constructs/ingest/collector -run '^$$' -bench . -benchtime 1x
	@cd tools/preprocessbench && go test -run '^$$' -bench . -benchtime 1x
	@cd tools/jsonbench && go test -run '^$$' -bench .
	@go test ./constructs/event -run '^$$' -bench ValidatorMutants -benchtime 1x -timeout 40m
	@go test -cover ./constructs/event ./constructs/ingest/collector ./constructs/stream/preprocess/... | grep coverage
	@npm --prefix $(TRACKER) run --silent bench
	@go run ./test/results/table

FUZZTIME ?= 5m

.PHONY: fuzz
fuzz: ## Fuzz each reader of what others send, FUZZTIME=5m each; make test runs what was found
	@for target in FuzzUnmarshal FuzzUnmarshalBatch FuzzUnmarshalPack FuzzFrame FuzzSkip; do \
	  go test ./constructs/event -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) || exit 1; done

.PHONY: deploy
deploy: settings ## Deploy an environment: make deploy ENV=dev; CI=1 asks nothing
	@if command -v cdktf >/dev/null; then cdktf deploy $(ENV) --skip-provider-lock $(if $(CI),--auto-approve); else \
	  terraform -chdir=cdktf.out/stacks/$(ENV) init -input=false && terraform -chdir=cdktf.out/stacks/$(ENV) apply $(if $(CI),-auto-approve); fi

.PHONY: destroy
destroy: synthesized ## Destroy an environment with its data: make destroy ENV=dev DESTROY_DATA=dev; CI=1 asks nothing
	@build/shopstream doctor --env "$(ENV)" --destroy-data "$(DESTROY_DATA)"
	@# The plan holds secrets: it goes when it was applied, or not.
	@terraform="terraform -chdir=cdktf.out/stacks/$(ENV)"; plan=$$(mktemp); trap 'rm -f "$$plan"' EXIT; \
	$$terraform init -input=false; \
	$$terraform plan -destroy -input=false -out="$$plan"; \
	$$terraform show -json "$$plan" | build/shopstream plan-guard --destroy-all -; \
	[ -n "$(CI)" ] || { read -rp "Destroy all of this? Only yes is taken for it: " answer && [ "$$answer" = yes ]; } || { echo "nothing was destroyed" >&2; exit 1; }; \
	$$terraform apply "$$plan"

.PHONY: settings
settings: synthesized
	@build/shopstream doctor --env "$(ENV)"

.PHONY: synthesized
synthesized: build
	@[ -n "$(ENV)" ] || { echo "ENV is required, such as ENV=dev" >&2; exit 2; }
	@[ "$(ENV)" != local ] || { echo "the stack local lives in the demo; run make demo" >&2; exit 2; }
	@SHOPSTREAM_STACKS="$(ENV)" build/infrastructure

.PHONY: clean
clean: ## Remove what was built, installed and written
	@[ ! -x build/shopstream ] || build/shopstream demo stop
	@rm -rf build cdktf.out .venv .venv-checkov tools/iam/node_modules $(TRACKER)/node_modules $(TRACKER)/dist
