# The front door. `make help` lists what there is.

SHELL := /bin/bash
GO ?= go
BINARY := sipcmbeat
# Where downloads that are not Go modules are kept: outside the tree, for all clones.
CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/sipcmbeat
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION := $(shell sed -n 's/^const Version = "\(.*\)"/\1/p' cmd/version.go 2>/dev/null)
COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
# The time in everything that is packaged: the last commit's.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || date +%s)
# For which architectures packages are made. Another one than the machine's costs five
# minutes the first time.
ARCHES ?= amd64 arm64
SCHEMATHESIS := $(CACHE)/schemathesis-4.32.5
BENCHSTAT := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
BENCHMARK = $(GO) test -run '^$$' -bench '^Benchmark[^H]' -benchtime 200ms ./internal/sip ./internal/hep ./internal/packet ./internal/capture ./internal/track ./internal/event ./internal/stream ./internal/recent ./internal/dump
FUZZTIME ?= 20s
# For go test: -v names each test, and each that is skipped.
TESTFLAGS ?=
# Packages that need neither libbeat nor a minute.
QUICK := ./internal/... ./tests/oracle ./tests
export CGO_ENABLED := 1
# For every build alike, so that libbeat is compiled once and no path of the machine gets in.
export GOFLAGS := $(strip $(GOFLAGS) -trimpath)

.DEFAULT_GOAL := $(BINARY)

##@ Using it

$(BINARY): build

.PHONY: build
build: go-version libpcap ## build ./sipcmbeat (a first build takes five minutes: libbeat)
	$(GO) build -ldflags "-s -w -X github.com/sipcmbeat/sipcmbeat/cmd.Commit=$(COMMIT)" -o $(BINARY) .
	@chmod go-w sipcmbeat.yml

.PHONY: run
run: build ## install what is missing, build, and show the events of a shipped capture
	./$(BINARY) replay --format table tests/captures/demo.pcap

##@ Testing it

.PHONY: test
test: check unit-tests poison race system-tests privacy-tests shared-tests live-tests ## everything but the long ones of integration
	@echo "make test: all passed"

.PHONY: check
check: go-version libpcap ## gofmt, vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "not formatted (run make fmt): $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

.PHONY: unit-tests
unit-tests: test-tools ## units, ladders, goldens, the tshark oracle, the rules of the code
	$(GO) test $(TESTFLAGS) $(QUICK) ./config ./beater ./cmd ./tools/...

.PHONY: poison
poison: libpcap ## goldens with every borrowed frame overwritten after its turn
	$(GO) test $(TESTFLAGS) -tags poison ./internal/engine ./tests -run 'Carriers|Golden|Ladders'

.PHONY: race
race: libpcap ## the race detector over what has goroutines (which changes what is allocated)
	$(GO) test $(TESTFLAGS) -race -skip 'Allocation|^TestCarriers$$' ./internal/engine ./internal/capture/... ./internal/relay ./internal/recent ./internal/limit ./internal/kpi ./internal/dump ./internal/api

.PHONY: system-tests
system-tests: build test-tools ## the real binary: commands, outputs, bad input
	SIPCMBEAT_BINARY=$(CURDIR)/$(BINARY) $(GO) test $(TESTFLAGS) -count=1 -timeout 15m ./tests/system ./tests/script

.PHONY: privacy-tests
privacy-tests: build test-tools ## every output searched for every private value; what was encrypted opened; another key while it runs
	SIPCMBEAT_BINARY=$(CURDIR)/$(BINARY) $(GO) test $(TESTFLAGS) -count=1 -timeout 15m -skip '^TestShared' ./tests/privacy

.PHONY: shared-tests
shared-tests: build test-tools ## captures and load beside the checkout, against their truth
	SIPCMBEAT_BINARY=$(CURDIR)/$(BINARY) $(GO) test -count=1 -timeout 15m -v -run . ./tests/shared
	$(GO) test $(TESTFLAGS) -count=1 -parallel 2 ./tests/perturb
	SIPCMBEAT_BINARY=$(CURDIR)/$(BINARY) $(GO) test $(TESTFLAGS) -count=1 -timeout 15m -run '^TestShared' ./tests/privacy

.PHONY: live-tests
live-tests: build integration-tools ## SIPp calls and registrations over loopback, watched live
	SIPCMBEAT_BINARY=$(CURDIR)/$(BINARY) $(GO) test -count=1 -timeout 4m -v -run '^TestLoopback$$' ./tests/integration

.PHONY: index-tests
index-tests: build store-tools ## set-up, template, the laboratory's records and the documented requests in a real Elasticsearch
	SIPCMBEAT_BINARY=$(CURDIR)/$(BINARY) $(GO) test $(TESTFLAGS) -count=1 -timeout 20m ./tests/index

.PHONY: browser-tests
browser-tests: build browser-tools ## every page in Chromium: no script, phone, keyboard, accessibility, hostile values; screenshots in build/screenshots
	SIPCMBEAT_BINARY=$(CURDIR)/$(BINARY) SIPCMBEAT_BROWSER_MODULES=$$(tests/browser/fetch.sh) $(GO) test $(TESTFLAGS) -count=1 -timeout 10m ./tests/browser
	@echo "make browser-tests: all passed"

.PHONY: integration
integration: build integration-tools delivery index-tests dashboards http-tests browser-tests ## real SIPp, Kamailio, tunnels, Chromium, servers that events go to, the packages (as root)
	SIPCMBEAT_BINARY=$(CURDIR)/$(BINARY) $(GO) test -count=1 -timeout 4m -parallel 4 -v ./tests/integration
	$(MAKE) package-tests
	@echo "make integration: all passed"

.PHONY: delivery
delivery: build store-tools ## every event at Elasticsearch, OpenSearch, Logstash, Kafka, Redis, after every trouble
	SIPCMBEAT_BINARY=$(CURDIR)/$(BINARY) $(GO) test -count=1 -timeout 8m -v ./tests/delivery

.PHONY: dashboards
dashboards: build store-tools dashboard-tools ## every panel and query that is shipped, asked of a real Elasticsearch
	SIPCMBEAT_BINARY=$(CURDIR)/$(BINARY) $(GO) test -count=1 -timeout 10m -v ./tests/dashboards

.PHONY: http-tests
http-tests: build http-tools ## the HTTP interface: requests made of its OpenAPI document, and a real Prometheus
	SIPCMBEAT_BINARY=$(CURDIR)/$(BINARY) SCHEMATHESIS=$(SCHEMATHESIS)/bin/schemathesis $(GO) test -count=1 -timeout 5m -v ./tests/http

.PHONY: integration-tests
integration-tests: integration ## the same as integration

.PHONY: testsuite
testsuite: test ## the same as test

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (20s) each
	@set -e; for package in $$($(GO) list ./internal/... ./tests/privacy); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    echo "$$package $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package | tail -n 2; \
	  done; \
	done

.PHONY: bench
bench: build ## the figures of docs/performance.md, the Go ones beside their saved baseline
	@mkdir -p build
	$(BENCHMARK) | tee build/bench.txt
	$(GO) run $(BENCHSTAT) tests/bench-baseline.txt build/bench.txt
	$(GO) build -o build/bare ./tests/bare
	tests/bench.sh ./$(BINARY) build/bare

.PHONY: bench-memory
bench-memory: ## bytes a call and a binding over a million of each, a message among them, the collector's longest pause
	$(GO) test -run '^$$' -bench '^BenchmarkHeap' -benchtime 1x -timeout 30m ./internal/track

.PHONY: live-rate
live-rate: build ## messages a second that a live capture carries without loss (root)
	tests/live-rate.sh ./$(BINARY)

.PHONY: bench-baseline
bench-baseline: ## save the Go benchmarks of this machine as the baseline
	$(BENCHMARK) -count 6 >build/bench-baseline.txt
	mv build/bench-baseline.txt tests/bench-baseline.txt

.PHONY: golden
golden: ## write the goldens anew; each change needs its reason in the commit
	$(GO) test ./tests -run Golden -update

.PHONY: coverage-report
coverage-report: test-tools ## coverage of the tests, into build/coverage/
	@mkdir -p build/coverage
	$(GO) test -coverpkg ./internal/...,./config/...,./beater/... -coverprofile build/coverage/profile.txt $(QUICK) ./config ./beater ./cmd
	$(GO) tool cover -html build/coverage/profile.txt -o build/coverage/index.html
	$(GO) tool cover -func build/coverage/profile.txt | tail -n 1

##@ Delivering it

.PHONY: package
package: go-version package-tools ## deb, rpm and tar.gz in build/dist, for ARCHES (amd64 arm64)
	@rm -rf build/dist
	@for arch in $(ARCHES); do \
	  CACHE=$(CACHE) VERSION=$(VERSION) COMMIT=$(COMMIT) GO=$(GO) packaging/build.sh $$arch build/dist || exit 1; \
	done

.PHONY: release
release: package ## package, with SBOMs (SPDX) and SHA256SUMS
	@cd build/dist && sha256sum $$(ls | grep -v SHA256SUMS) >SHA256SUMS && cat SHA256SUMS

.PHONY: package-tests
package-tests: go-version package-tools package-test-tools store-tools ## the packages in a Debian of their own, with systemd (root)
	$(MAKE) release ARCHES=$$($(GO) env GOHOSTARCH)
	CACHE=$(CACHE) VERSION=$(VERSION) COMMIT=$(COMMIT) GO=$(GO) SIPCMBEAT_DIST=$(CURDIR)/build/dist $(GO) test -count=1 -timeout 10m -v ./tests/packages

##@ Changing it

.PHONY: charts-library
charts-library: browser-tools ## fetch uPlot again and compare its files (UPDATE=1 takes those of third_party/uplot/version)
	internal/api/web/third_party/uplot/fetch.sh $(if $(UPDATE),update)

.PHONY: update
update: ## make the generated files anew: documents, fields, configurations
	$(GO) run ./tools/update
	$(GO) test ./internal/track -run StatesDocument -update
	$(GO) test ./cmd -run Manual -update

.PHONY: fmt
fmt: ## format the code
	gofmt -w $$(git ls-files '*.go')

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BINARY) build data logs

##@ What is needed

.PHONY: go-version
go-version:
	@command -v $(GO) >/dev/null || { echo "Go is missing; install Go 1.25 or later (https://go.dev/dl)"; exit 1; }
	@v=$$($(GO) env GOVERSION | sed 's/^go//; s/[^0-9.].*//'); major=$${v%%.*}; rest=$${v#*.}; minor=$${rest%%.*}; \
	  test "$$major" -gt 1 -o "$$minor" -ge 25 || { echo "Go $$v is too old; install Go 1.25 or later (https://go.dev/dl)"; exit 1; }

.PHONY: libpcap
libpcap: ; @tests/need.sh gcc:gcc make:make pcap.h:libpcap-dev

.PHONY: test-tools
test-tools: libpcap ; @tests/need.sh tshark:tshark python3:python3 curl:curl 'python3/dist-packages/cryptography/hazmat/bindings/*.so:python3-cryptography'

.PHONY: integration-tools
integration-tools: libpcap
	@tests/need.sh sipp:sip-tester ip:iproute2 ethtool:ethtool tcpreplay:tcpreplay kamailio:kamailio \
	  '*/kamailio/modules/websocket.so:kamailio-websocket-modules' \
	  '*/kamailio/modules/tls.so:kamailio-tls-modules' ovs-vswitchd:openvswitch-switch

.PHONY: browser-tools
browser-tools: test-tools ; @tests/need.sh chromium:chromium node:nodejs npm:npm

.PHONY: dashboard-tools
dashboard-tools: ; @tests/need.sh promtool:prometheus prometheus-node-exporter:prometheus-node-exporter curl:curl jq:jq

.PHONY: http-tools
http-tools: $(SCHEMATHESIS)/.done ; @tests/need.sh prometheus:prometheus promtool:prometheus

# In a folder of its own, each wheel pinned by its checksum.
$(SCHEMATHESIS)/.done: tests/http/requirements.txt
	@python3 -c 'import ensurepip' 2>/dev/null || tests/need.sh python3:python3 no-venv:python3-venv
	rm -rf $(SCHEMATHESIS)
	python3 -m venv $(SCHEMATHESIS)
	$(SCHEMATHESIS)/bin/pip --quiet --disable-pip-version-check install --require-hashes --no-deps --only-binary :all: -r $<
	touch $@

.PHONY: store-tools
store-tools: ; @tests/need.sh 'jvm/java-17-openjdk-*/lib/server/libjvm.so:openjdk-17-jre-headless' mvn:maven unzip:unzip \
	  redis-server:redis-server

.PHONY: package-tools
package-tools: libpcap
	@tests/need.sh flex:flex bison:bison $(if $(findstring arm64,$(ARCHES)),aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu ../aarch64-linux-gnu/lib/libc.so:libc6-dev-arm64-cross)

.PHONY: package-test-tools
package-test-tools:
	@tests/need.sh debootstrap:debootstrap rpm:rpm tcpreplay:tcpreplay ip:iproute2 unshare:util-linux \
	  mandoc:mandoc man:man-db fish:fish zsh:zsh

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z][a-z-]*:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
