#!/usr/bin/env bash
# Measures what the pages cost a replay, as a whole process.
#   pages-cost.sh BINARY [PAIRS] [MESSAGES]
# Runs in turn, each PAIRS times (9): without pages; with them and nobody asking; with
# them, /events followed live, the overview fetched every 10 s and /metrics every
# second. Prints the median of the pairs' ratios of time passed and of CPU.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "$1")
pairs=${2:-9}
messages=${3:-1000000}
generator=../shared/perf/genload.py
[ -f $generator ] || { echo "the load generator is missing: $generator"; exit 1; }
tests/need.sh python3:python3 time:time curl:curl
dir=$(mktemp -d)
asking=
trap 'kill $asking 2>/dev/null; rm -rf "$dir"' EXIT
echo "making $messages messages"
python3 $generator "$dir/load.pcap" --msgs "$messages" --truth "$dir/truth.json" >/dev/null
port=$(python3 -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])")

# run NAME PORT: one replay; appends "seconds cpu-seconds" to NAME
run() {
	rm -rf "$dir/out" "$dir/data"
	/usr/bin/time -f '%e %U %S' -o "$dir/time" "$binary" -c "$PWD/sipcmbeat.yml" --strict.perms=false \
		--path.home "$dir" --path.data "$dir/data" --path.logs "$dir/logs" -E sipcmbeat.pcap="$dir/load.pcap" \
		-E sipcmbeat.evr_limits=none -E sipcmbeat.http_port="$2" -E output.elasticsearch.enabled=false \
		-E output.file.enabled=true -E output.file.path="$dir/out" -E output.file.filename=events >/dev/null 2>"$dir/err" || { cat "$dir/err"; exit 1; }
	awk '{print $1, $2 + $3}' "$dir/time" >>"$dir/$1"
}
# ask does what an open page and Prometheus do, until it is ended.
ask() {
	local at=http://127.0.0.1:$port n=0
	(while :; do curl -sN "$at/api/v1/events/stream" >/dev/null || sleep 0.2; done) &
	local stream=$!
	trap 'kill $stream $(jobs -p) 2>/dev/null; exit' TERM
	while :; do
		curl -s "$at/metrics" >/dev/null || true
		[ $((n++ % 10)) = 0 ] && curl -s -H 'Accept: text/html' "$at/" >/dev/null
		sleep 1
	done
}
for _ in $(seq "$pairs"); do
	run off 0
	run quiet "$port"
	ask &
	asking=$!
	run asked "$port"
	kill $asking 2>/dev/null || true
	wait $asking 2>/dev/null || true
	asking=
done
# ratio WHAT NAME COLUMN: the median of NAME's figures to those without pages
ratio() {
	paste -d ' ' "$dir/off" "$dir/$2" | awk -v c="$3" '{print $(c + 2) / $c}' | sort -n | awk -v what="$1" '{a[NR] = $1} END {printf "%-34s %.3f (%.3f to %.3f)\n", what, a[int((NR + 1) / 2)], a[1], a[NR]}'
}
awk '{print $1}' "$dir/off" | sort -n | awk '{a[NR] = $1} END {printf "without pages: %.2f s\n", a[int((NR + 1) / 2)]}'
ratio "time, nobody asking" quiet 1
ratio "time, a page open and /metrics" asked 1
ratio "CPU, nobody asking" quiet 2
ratio "CPU, a page open and /metrics" asked 2
paste -d ' ' "$dir/quiet" "$dir/asked" | awk '{print $3 / $1}' | sort -n | awk '{a[NR] = $1} END {printf "%-34s %.3f (%.3f to %.3f)\n", "time, asked to nobody asking", a[int((NR + 1) / 2)], a[1], a[NR]}'
