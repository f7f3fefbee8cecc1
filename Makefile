# Every target sets up what it needs, asks nothing, and works in a fresh clone. `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# One part after another: two cores are busy with one.
.NOTPARALLEL:
.PHONY: help setup run build test test-plain test-servers test-cluster test-chart check fuzz generate docs bench servers servers-down cluster cluster-down images clean-servers

# One debug build serves all targets: the same packages and features everywhere, so that nothing is compiled twice.
# For `run`, one small test stands for all of them: naming it makes cargo choose the features that the tests choose too.
BUILD := cargo build --workspace
TEST  := tests/side-by-side
BENCH := cargo test --locked --workspace --release --test bench -- --ignored --nocapture --test-threads 1
PIPELINE ?= examples/quickstart.yaml

# What libFuzzer needs of a stable compiler to see which bytes lead further; safe Rust has no use for a sanitizer.
FUZZ_FLAGS := --cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module $(addprefix -Cllvm-args=-sanitizer-coverage-, \
  level=4 inline-8bit-counters pc-table trace-compares)
FUZZ_SECONDS ?= 5

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# need TOOLS: installs Debian packages that are called like the programs in them, where these are missing and we are root.
define need
	@missing=(); for tool in $(1); do command -v $$tool >/dev/null || missing+=($$tool); done; \
	[ $${#missing[@]} = 0 ] || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "this needs: $${missing[*]}; install them" >&2; exit 1; }; \
	  apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}" </dev/null >/dev/null; }
endef

setup: ## install what the build needs (gcc, g++, make, perl), where it is missing and we are root
	$(call need,gcc g++ make perl)
	@command -v cargo >/dev/null || { echo "the build needs Rust: https://rustup.rs" >&2; exit 1; }

run: setup ## a whole pipeline in one process, with a simulated exchange; PIPELINE=FILE chooses another file
	$(BUILD) --bins --test architecture
	@exec "$${CARGO_TARGET_DIR:-target}/debug/pricepipe" run $(PIPELINE) --simulate

build: setup # binaries and tests, and what runs these
	$(call need,python3)
	$(BUILD) --all-targets

test: test-plain test-servers test-cluster test-chart ## all tests, with the servers and the cluster that they need

test-plain: build ## the tests that need no server
	$(TEST)

# Tests marked `#[ignore = "needs …"]` want real servers or a cluster.
test-servers: build ## those with Kafka and a MongoDB-compatible server, started and stopped here; KEEP=1 leaves them running
	tests/testbed/servers run $(TEST) --ignored --skip bench_ --skip cluster:: --skip chart::

test-cluster: build ## those in a real Kubernetes, started and stopped here; KEEP=1 leaves it running
	tests/testbed/kubernetes run $(TEST) --only cluster --ignored

test-chart: build ## the Helm chart: rendered, refused, admitted, and installed in a Kubernetes of its own, with real brokers in it
	tests/testbed/promtool test rules tests/alerts/alerts.test.yaml
	tests/testbed/grafana-schema charts/pricepipe/files/dashboards/*.json
	STAND_INS="kafka prometheus mongo" tests/testbed/kubernetes run $(TEST) --only chart --ignored

check: setup ## what a change must pass besides its tests: formatting, lints, generated files, licences and bans
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	@changes() { git status --porcelain --untracked-files=all; git diff HEAD; }; \
	before=$$(changes); $(MAKE) --no-print-directory generate; \
	[ "$$before" = "$$(changes)" ] || { git status --short; echo "generated files are out of date: commit what 'make generate' has just written" >&2; exit 1; }
	@if command -v cargo-deny >/dev/null; then cargo deny --locked --workspace check bans licenses sources; else echo "cargo-deny is not installed: its checks are skipped"; fi

	@$(MAKE) --no-print-directory fuzz

# With a target named, build scripts get no such flags. What led further is kept, and the next run goes on from there.
fuzz: setup ## try to make a reader panic with bytes that nobody would send; FUZZ_SECONDS for each reader, 5 unless set
	@host=$$(rustc -vV | sed -n 's/^host: //p'); target="$${CARGO_TARGET_DIR:-$$PWD/target}/fuzz"; \
	RUSTFLAGS="$(FUZZ_FLAGS)" cargo build --quiet --release --manifest-path fuzz/Cargo.toml --target "$$host" --target-dir "$$target"; \
	for reader in stream history message; do \
	  mkdir -p "$$target/corpus/$$reader"; echo "fuzz: $$reader"; \
	  "$$target/$$host/release/$$reader" -max_total_time=$(FUZZ_SECONDS) -max_len=4096 \
	    -artifact_prefix="$$target/$$reader-" "$$target/corpus/$$reader" "fuzz/seeds/$$reader" >"$$target/$$reader.log" 2>&1 \
	    || { tail -n 40 "$$target/$$reader.log"; exit 1; }; \
	done

# Some of them are what the program says, and a test does not build the programs of other packages. One test program after
# another: several write into the same file.
generate: setup ## write the generated files anew
	$(BUILD) --quiet --all-targets
	UPDATE=1 cargo test --workspace --quiet -- up_to_date

docs: generate ## write the documentation anew, where it repeats what the code says (the same as generate)

bench: setup ## measure speed and memory against real servers, release build; fails when a bar is missed
	cargo build --locked --workspace --release --bins --test bench
	tests/testbed/servers run $(BENCH) --skip bench_5
	BARE=1 tests/testbed/kubernetes run $(BENCH) bench_5

servers: ## start Kafka and the MongoDB-compatible server, to work with by hand
	@tests/testbed/servers up

servers-down: ## stop them and forget their data
	@tests/testbed/servers down

cluster: ## start Kubernetes, Kafka and the MongoDB-compatible server, with our images, to work with by hand
	@tests/testbed/kubernetes up
	@tests/testbed/kubernetes load

cluster-down: ## stop it and forget everything in it
	@tests/testbed/kubernetes down

images: ## build the container images: by Docker where it runs (PLATFORMS=linux/amd64,linux/arm64 for both), else archives for the testbed
	@if docker info >/dev/null 2>&1; then tests/testbed/images docker; else tests/testbed/images build; fi

clean-servers: ## stop servers and clusters, and delete everything that was downloaded and built for them
	@tests/testbed/kubernetes clean
	@tests/testbed/servers clean
