#!/usr/bin/env bash
# Measures what masking costs a run through libbeat into a file, as a whole process.
#   privacy-cost.sh BINARY [PAIRS] [MESSAGES]
# Runs in turn, each PAIRS times (9): everything clear; every group encrypted; every group
# on hmac. Prints the median of the pairs' ratios of time passed and of CPU.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "$1")
pairs=${2:-9}
messages=${3:-1000000}
generator=../shared/perf/genload.py
[ -f $generator ] || { echo "the load generator is missing: $generator"; exit 1; }
tests/need.sh python3:python3 time:time
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
echo "making $messages messages"
python3 $generator "$dir/load.pcap" --msgs "$messages" --truth "$dir/truth.json" >/dev/null

# run MODE: one run; appends "seconds cpu-seconds" to MODE
run() {
	local mode=$1 settings=()
	for group in addresses uris numbers call_ids user_agents geo errors tags; do
		settings+=(-E "sipcmbeat.privacy.$group=$mode")
	done
	rm -rf "$dir/out" "$dir/data"
	/usr/bin/time -f '%e %U %S' -o "$dir/time" "$binary" -c "$PWD/sipcmbeat.yml" --strict.perms=false \
		--path.home "$dir" --path.data "$dir/data" --path.logs "$dir/logs" -E sipcmbeat.pcap="$dir/load.pcap" \
		-E sipcmbeat.evr_limits=none -E sipcmbeat.http_port=0 -E output.elasticsearch.enabled=false \
		-E output.file.enabled=true -E output.file.path="$dir/out" -E output.file.filename=events \
		-E sipcmbeat.privacy.key=AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA= "${settings[@]}" \
		>/dev/null 2>"$dir/err" || { cat "$dir/err"; exit 1; }
	awk '{print $1, $2 + $3}' "$dir/time" >>"$dir/$mode"
	cat "$dir"/out/events*.ndjson | wc -l >"$dir/events-$mode"
}
for _ in $(seq "$pairs"); do
	run clear
	run encrypt
	run hmac
done
cmp -s "$dir/events-clear" "$dir/events-encrypt" || { echo "the runs have different events"; exit 1; }
# ratio WHAT MODE COLUMN: the median of the figures of MODE to those in clear
ratio() {
	paste -d ' ' "$dir/clear" "$dir/$2" | awk -v c="$3" '{print $(c + 2) / $c}' | sort -n | awk -v what="$1" '{a[NR] = $1} END {printf "%-20s %.3f (%.3f to %.3f)\n", what, a[int((NR + 1) / 2)], a[1], a[NR]}'
}
awk '{print $1}' "$dir/clear" | sort -n | awk -v n="$(cat "$dir/events-clear")" '{a[NR] = $1} END {t = a[int((NR + 1) / 2)]; printf "clear: %d events in %.2f s\n", n, t}'
ratio "time, encrypt" encrypt 1
ratio "time, hmac" hmac 1
ratio "CPU, encrypt" encrypt 2
ratio "CPU, hmac" hmac 2
