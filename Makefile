# Towpath. `make help` lists the targets. All of them set up what they need, honour CARGO_TARGET_DIR and may be repeated.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# In CI every clone is new: a target folder outside it makes the second run quick.
ifeq ($(CI),true)
export CARGO_TARGET_DIR ?= $(HOME)/.cache/towpath/target
endif
export CARGO_TARGET_DIR ?= $(CURDIR)/target
# Without this, a target folder outside the clone makes the WASM build resolve versions of its own.
export WASM_BUILD_WORKSPACE_HINT := $(CURDIR)
export CARGO_TERM_COLOR ?= $(if $(filter true,$(CI)),never,auto)

toolchain = eval "$$(scripts/toolchain)"
ledger_tool = scripts/ledger/node_modules/.package-lock.json
explorer_tool = scripts/explorer/node_modules/.package-lock.json
explorer_python = scripts/explorer/.venv/installed
zombienet_target = $(CARGO_TARGET_DIR)/zombienet
# Comparisons with other programs, which are optimised too, measure the agent that is run at home.
measured = $(toolchain); export TOWPATH_AGENT="$(CARGO_TARGET_DIR)/agent/mesh-agent"; cargo test --quiet --locked --workspace --bench

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

.PHONY: bootstrap
bootstrap: ## Install system packages and the WASM target
	@scripts/bootstrap

.PHONY: build
build: bootstrap ## Build the node, the runtime and all tests
	@if [ ! -e "$(CARGO_TARGET_DIR)/debug/towpath-node" ]; then \
		echo "First build: about 800 crates and the WASM runtime, 25 to 45 minutes on two cores. Cargo shows its progress." >&2; fi
	@$(toolchain); cargo build --locked --workspace --all-targets 1>&2

.PHONY: agent
agent: bootstrap ## Build the agent optimised, as it is to be used: CARGO_TARGET_DIR/agent/mesh-agent
	@$(toolchain); cargo build --locked --profile agent --package mesh-agent 1>&2

.PHONY: test
test: build $(ledger_tool) ## Check formatting, run all tests and a live network of four validators
	@$(toolchain); cargo fmt --all --check
	@cd scripts/ledger && npm test --silent
# The protocol core must not come to need a clock, sockets or anything else of std: that target has none.
	@$(toolchain); cargo build --locked --package towpath-proto --target wasm32v1-none
	@$(toolchain); cargo test --locked --workspace

.PHONY: demo
demo: build ## Run a network here: real traffic for real money, ending with the ledger (DEMO_ARGS="--once --output json")
	@"$(CARGO_TARGET_DIR)/debug/mesh-agent" dev $(DEMO_ARGS)

.PHONY: explorer
explorer: build $(explorer_tool) $(explorer_python) ## Make every call that explorers and wallets make of a live network, and list them (EXPLORER_ARGS="--output json")
	@cd scripts/explorer && npm test --silent 1>&2
	@node scripts/explorer/contract.mjs $(EXPLORER_ARGS)

.PHONY: fuzz
fuzz: bootstrap ## Run every parser, and one whole agent, under libFuzzer for an hour in all (FUZZ_ARGS="--minutes 2")
	@scripts/fuzz $(FUZZ_ARGS)

.PHONY: paid-goodput
paid-goodput: build ## Compare paid circuits with free ones in virtual time, in every promised scenario, and print the table
	@"$(CARGO_TARGET_DIR)/debug/towpath-sim" paid-goodput

.PHONY: memory
memory: build ## Weigh circuits in virtual time: a relay that a thousand of them cross, and one that is busy (MEMORY_ARGS="--output json")
	@"$(CARGO_TARGET_DIR)/debug/towpath-sim" memory $(MEMORY_ARGS)

.PHONY: failover
failover: build agent ## Time without traffic when a link falls silent, beside babeld and yggdrasil (root; FAILOVER_ARGS="--runs 5")
	@scripts/bootstrap --peers
	@$(measured) failover -- $(FAILOVER_ARGS)

.PHONY: interop
interop: build ## Plain mode beside babeld and BIRD, live, watched for loops while links are cut (root; INTEROP_ARGS="--only mac")
	@scripts/bootstrap --peers
	@$(toolchain); cargo test --quiet --locked --workspace --bench interop -- $(INTEROP_ARGS)

.PHONY: mesh50
mesh50: build agent ## How fifty routers become a network, and what it costs, beside babeld (root; MESH50_ARGS="--topology grid")
	@scripts/bootstrap --peers
	@$(measured) mesh50 -- $(MESH50_ARGS)

.PHONY: latency
latency: build agent ## What a flow that fills a slow link adds to pings beside it, with pacing and without (root; LATENCY_ARGS="--seconds 60")
	@$(measured) latency -- $(LATENCY_ARGS)

.PHONY: relay
relay: build agent ## What relaying costs: speed and processor time, beside yggdrasil, wireguard-go and the kernel (root; RELAY_ARGS="--runs 2")
	@scripts/bootstrap --peers
	@$(measured) relay -- $(RELAY_ARGS)

.PHONY: zombienet
zombienet: build ## Networks of real nodes: eras, votes, slashes, stalls, warp sync, an upgrade (ZOMBIENET_ARGS="--only upgrade")
	@$(toolchain); cd zombienet && CARGO_TARGET_DIR="$(zombienet_target)" cargo build --locked 1>&2
# What the arguments leave out need not be built.
	@case "$(ZOMBIENET_ARGS)" in *--only*upgrade*|"") scripts/next-runtime "$(zombienet_target)/upgrade" 1>&2 ;; esac
	@"$(zombienet_target)/debug/towpath-zombienet" --node "$(CARGO_TARGET_DIR)/debug/towpath-node" \
		--next "$(zombienet_target)/upgrade" $(ZOMBIENET_ARGS)

.PHONY: check-benchmarks
check-benchmarks: bootstrap ## Run every benchmark of the pallets once, as a test (builds FRAME a second time)
	@$(toolchain); CARGO_TARGET_DIR="$(CARGO_TARGET_DIR)/benchmarks" cargo test --locked --features runtime-benchmarks \
		-p pallet-node-identity -p pallet-rewards -p pallet-bandwidth-attestations -p pallet-validator-election benchmarking

.PHONY: weights
weights: bootstrap ## Measure what calls cost on this machine, and write weights (WEIGHTS_ARGS="--pallets pallet_rewards --dry")
	@$(toolchain); cargo xtask weights $(WEIGHTS_ARGS)

.PHONY: bench-claims
bench-claims: build ## Fill blocks with claims and with transfers, and compare (CLAIMS_ARGS="--accounts 1000000")
	@$(toolchain); cargo xtask claims $(CLAIMS_ARGS)

.PHONY: lint
lint: bootstrap ## Run clippy over our own crates
	@$(toolchain); cargo clippy --locked --workspace --all-targets -- -D warnings

$(ledger_tool): scripts/ledger/package.json scripts/ledger/package-lock.json | bootstrap
	@echo "Installing the ledger tool's one dependency, @polkadot/api" >&2
	@cd scripts/ledger && npm ci --silent --no-audit --no-fund && touch node_modules/.package-lock.json

$(explorer_tool): scripts/explorer/package.json scripts/explorer/package-lock.json | bootstrap
	@echo "Installing the explorer contract's clients, @polkadot/api and polkadot-api" >&2
	@cd scripts/explorer && npm ci --silent --no-audit --no-fund && touch node_modules/.package-lock.json

$(explorer_python): scripts/explorer/requirements.txt | bootstrap
	@echo "Installing the explorer contract's client in Python, substrate-interface" >&2
	@scripts/bootstrap --python
	@cd scripts/explorer && rm -rf .venv && python3 -m venv .venv 1>&2
	@cd scripts/explorer && .venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt && touch .venv/installed

.PHONY: clean
clean: ## Remove what was built here
	rm -rf target scripts/ledger/node_modules scripts/explorer/node_modules scripts/explorer/.venv
