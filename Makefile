# The one door to everything that is done with this repository. It needs Rust, Go, git, and Python for
# the tests; `make help`.

CARGO ?= cargo
SHELL = /bin/sh
.DEFAULT_GOAL := help
# More than there are cores: most tests wait, for a pass or for the API server.
export RUST_TEST_THREADS ?= 8
.PHONY: help demo test search lint generate soak fuzz bench instructions image e2e

help: ## show this
	@echo "modelarts-pool-controller mirrors the resource pools of Huawei Cloud ModelArts into Kubernetes."
	@echo
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "The first demo or test builds a real API server from source: once, some 6 minutes on two cores."

# Not an optimised build: that takes minutes longer than it saves in a demo.
demo: ## watch pools being mirrored on a real API server; Ctrl-C ends it, DEMO_SECONDS=30 too
	@echo "demo: 0/4 building the controller"
	@$(CARGO) build --locked --bins --example demo
	@$(CARGO) run --locked --quiet --example demo

test: ## run all tests, also those on a real API server
	$(CARGO) test --locked
	$(CARGO) test --locked --package capacity-quota --package modelarts-pool-watcher

# Built anew with optimisation, dependencies too: once, some minutes.
search: ## play random histories against the machine (HISTORIES=100000 SEED=0 SKIP=0, or HISTORY=path)
	@HISTORIES=$(HISTORIES) SEED=$(SEED) SKIP=$(SKIP) HISTORY=$(HISTORY) $(CARGO) test --locked --quiet --profile search --lib \
		-- controller::machine::tests::search::as_asked --exact --ignored --nocapture

lint: ## check format, lints, doc links, licences of dependencies, and scripts
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked --lib --no-default-features --features k8s-openapi/latest -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps
	@if command -v cargo-deny >/dev/null 2>&1; \
	then echo "$(CARGO) deny check bans licenses sources"; $(CARGO) deny --locked check bans licenses sources; \
	else echo "skipped: cargo deny (cargo install cargo-deny --locked)"; fi
	@for script in tests/cluster/*.sh tests/image/*.sh tests/helm/*.sh tests/prometheus/*.sh tests/sdk/*.sh benches/*.sh benches/peers/*/*.sh; do echo "sh -n $$script"; sh -n "$$script" || exit 1; done
	@for script in .ci/run tests/node/*.sh; do echo "bash -n $$script"; bash -n "$$script" || exit 1; done

generate: ## write anew what is generated: crds/, CRDs and README of the chart, docs/{api,errors,flags,metrics}.md, deep copies of clients/go, objects of examples/argocd
	GENERATE=1 $(CARGO) test --locked --lib --test it -- generated its_crds_are_ours

soak: ## run for long under churn, faults and restarts, and see that what is held stays flat (SOAK_SECONDS=3600)
	SOAK_SECONDS=$${SOAK_SECONDS:-3600} $(CARGO) test --locked --test it -- --nocapture endurance

# The crate forbids unsafe code, so that a sanitizer would watch its dependencies alone, at half the speed.
FUZZ = $(CARGO) +nightly fuzz run --sanitizer none

fuzz: ## look for an answer of the cloud that breaks a promise, with cargo-fuzz and a nightly compiler (FUZZ_SECONDS=60)
	@mkdir -p target/fuzz/listing target/fuzz/mirror
	$(FUZZ) listing target/fuzz/listing fuzz/corpus/listing -- -max_total_time=$${FUZZ_SECONDS:-60}
	$(FUZZ) mirror target/fuzz/mirror fuzz/corpus/mirror -- -max_total_time=$${FUZZ_SECONDS:-60}

# The whole takes an hour and more on two cores; results are kept as they come.
BENCH ?= --growth 50000 --more

bench: ## measure what the mirror costs, beside its peers and the limit (BENCH="--sizes 10,100 --repetitions 1", or --help)
	@controller=$$(CARGO=$(CARGO) tests/image/binary.sh) && BENCH_COMMAND='make bench$(if $(filter file,$(origin BENCH)),, BENCH="$(BENCH)")' \
		$(CARGO) bench --locked --quiet --bench scale --profile instructions -- --controller "$$controller" $(BENCH)

instructions: ## compare the instructions that the core takes for one pool with the baseline, under valgrind (BASELINE=1 writes it)
	@CARGO=$(CARGO) benches/instructions.sh

# The archive is loaded with `podman load`, `skopeo copy oci-archive:...` or `ctr images import`.
image: ## build the image into target/image/modelarts-pool-controller.oci.tar, an SBOM beside it; prints its name last
	@CARGO=$(CARGO) tests/image/build.sh

# Builds a node's programs from source: once, some minutes.
e2e: ## try image and chart on a whole node, as root on Linux; or on the cluster of E2E_KUBECONFIG, with E2E_IMAGE
	@tests/node/e2e.sh
