# What people type. The build itself is CMake's: CMakeLists.txt, CMakePresets.json.

build: ## install what is missing and build the program: build/release/weir
	@scripts/setup
	@scripts/build release weir

test: ## install what is missing, build with sanitizers, run every test
	@scripts/setup --test
	@scripts/build dev
	@scripts/run-tests dev

conformance: ## the points of the V2 protocol against a server: URL=http://… [GRPC=HOST:PORT] [MODEL=NAME]
	@tests/conformance/run $(if $(URL),--url $(URL),$(error conformance: URL=http://… names the server)) \
	  $(if $(GRPC),--grpc $(GRPC)) $(foreach model,$(MODEL),--model $(model))

demo: build ## the main job on real data, in under two minutes (KEEP=1: the server stays up)
	@build/release/weir demo $(if $(KEEP),--keep)

bench: ## build the benchmarks and run them (the one of whole servers wants scripts/setup --dev)
	@scripts/setup
	@scripts/build release weir weir_benchmarks
	@scripts/run-benchmarks

format: ## put every source file into the project's form (clang-format-14: scripts/setup --dev)
	@git ls-files -z --cached --others --exclude-standard '*.cc' '*.h' | xargs -0 clang-format-14 -i

tidy: ## clang-tidy on the sources that differ from BASE (default: origin/main, else the last commit)
	@scripts/setup
	@scripts/build dev configure-only
	@scripts/tidy $(BASE)

clean: ## remove everything that was built (not .deps, which scripts/setup fetched)
	@rm -rf build

help: ## this list
	@awk -F':[^#]*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: build test conformance demo bench format tidy clean help
