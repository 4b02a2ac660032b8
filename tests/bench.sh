#!/usr/bin/env bash
# Measures the binary on the generator's load, as a whole process.
#   bench.sh BINARY BARE [MESSAGES]
# Prints, for replay and for libbeat's file output, the CPU a message (user and
# system) and the peak memory: medians of three runs in turn. BARE (tests/bare) shows
# beside it what libbeat alone takes for the same records.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "$1")
bare=$(realpath "$2")
messages=${3:-1000000}
generator=../shared/perf/genload.py
[ -f $generator ] || { echo "the load generator is missing: $generator"; exit 1; }
tests/need.sh python3:python3 time:time
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
echo "making $messages messages"
python3 $generator "$dir/load.pcap" --msgs "$messages" --truth "$dir/truth.json" >/dev/null
sent=$(python3 -c "import json; print(json.load(open('$dir/truth.json'))['sip_messages'])")

# measure NAME COMMAND...: one run; appends "cpu-seconds kilobytes" to NAME
measure() {
	local name=$1
	shift
	/usr/bin/time -f '%U %S %M' -o "$dir/time" "$@" >/dev/null 2>"$dir/$name.err" || { cat "$dir/$name.err"; exit 1; }
	awk '{print $1 + $2, $3}' "$dir/time" >>"$dir/$name"
}
beat() {
	rm -rf "$dir/out" "$dir/data"
	measure "$1" "$binary" -c "$PWD/sipcmbeat.yml" --strict.perms=false --path.home "$dir" --path.data "$dir/data" --path.logs "$dir/logs" \
		-E sipcmbeat.pcap="$dir/load.pcap" -E sipcmbeat.event_types_blst="$2" -E sipcmbeat.evr_limits=none -E output.elasticsearch.enabled=false \
		-E output.file.enabled=true -E output.file.path="$dir/out" -E output.file.filename=events
}
# What every run through libbeat has alike.
cat >"$dir/bare.yml" <<END
timestamp.precision: nanosecond
queue.mem.flush.timeout: 0s
logging.metrics.enabled: false
output.file: {path: "$dir/out", filename: bare, rotate_every_kb: 1048576, number_of_files: 1024}
END
chmod go-w "$dir/bare.yml"
"$binary" replay "$dir/load.pcap" >"$dir/records" 2>/dev/null
for _ in 1 2 3; do
	measure replay "$binary" replay "$dir/load.pcap"
	beat file-default '[msg-probe,parse-error,other-ok,other-failed,other-timeout]'
	beat file-all none
	rm -rf "$dir/out"
	"$bare" -c "$dir/bare.yml" --path.home "$dir/bare" -E bare.records="$dir/records" >>"$dir/bare-all" || exit 1
done
for name in replay file-default file-all; do
	sort -n "$dir/$name" | awk -v name=$name -v n="$sent" 'NR == 2 {printf "%-14s %6.2f us a message, %4.0f MB peak\n", name, $1 / n * 1e6, $2 / 1024}'
done
sort -n "$dir/bare-all" | awk -v n="$sent" 'NR == 2 {printf "%-14s %6.2f us a message (libbeat alone, the %d records of file-all: %.1f us each)\n", "bare-all", $1 / n * 1e6, $2, $1 / $2 * 1e6}'
