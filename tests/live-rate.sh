#!/usr/bin/env bash
# Measures what a live capture carries without loss: the generator's load, sent by
# tcpreplay over a veth pair in a network namespace, faster and faster until packets
# are lost. Sender and program share the machine's cores.
#   live-rate.sh BINARY [MESSAGES] [RATE...]
# BY="chrt --rr 1" before it puts sender and program ahead of other programs.
# Prints for each way to capture the highest rate at which every message arrived, and
# where messages are lost at the next one. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "$1")
messages=${2:-200000}
shift $(($# < 2 ? $# : 2))
rates=("$@")
[ ${#rates[@]} -gt 0 ] || rates=(25000 50000 75000 100000 125000 150000 200000 250000 300000 400000)
generator=../shared/perf/genload.py
[ -f $generator ] || generator=${GENLOAD:-$generator}
[ -f "$generator" ] || { echo "the load generator is missing: $generator"; exit 1; }
[ "$(id -u)" = 0 ] || { echo "needs root, for a network namespace and for capturing"; exit 1; }
tests/need.sh python3:python3 ip:iproute2 tcpreplay:tcpreplay
dir=$(mktemp -d)
ns=sipcmbeat-rate-$$
beat=
finish() {
	[ -z "$beat" ] || kill -KILL "$beat" 2>/dev/null || true
	ip netns del $ns 2>/dev/null || true
	rm -rf "$dir"
}
trap finish EXIT
python3 "$generator" "$dir/load.pcap" --msgs "$messages" --truth "$dir/truth.json" >/dev/null
want=$(python3 -c "import json; print(json.load(open('$dir/truth.json'))['sip_messages'])")
ip netns add $ns
ip -n $ns link add name send0 type veth peer name recv0
for name in send0 recv0; do
	ip netns exec $ns sh -c "echo 1 >/proc/sys/net/ipv6/conf/$name/disable_ipv6" 2>/dev/null || true
	ip -n $ns link set $name up
done

# spent gives the hundredths of a second of CPU that the program has had.
spent() { awk '{print $14 + $15}' "/proc/$beat/stat"; }

# try RATE SETTING...: one run. Sets sent (messages a second), seen and cpu; lost is what
# the program says of it. RATE 0 is as fast as the sender can.
try() {
	local rate=$1 speed
	shift
	rm -rf "$dir/out" "$dir/data" "$dir/logs"
	: >"$dir/log"
	ip netns exec $ns ${BY:-} "$binary" -c "$PWD/sipcmbeat.yml" --strict.perms=false --path.home "$dir" --path.data "$dir/data" --path.logs "$dir/logs" -e \
		-E sipcmbeat.iface=recv0 "$@" -E output.elasticsearch.enabled=false \
		-E output.file.enabled=true -E output.file.path="$dir/out" -E output.file.filename=events >"$dir/log" 2>&1 &
	beat=$!
	for _ in $(seq 200); do
		grep -q 'capturing from' "$dir/log" && break
		sleep 0.1
	done
	sleep 0.5
	local before
	before=$(spent)
	speed=--pps=$rate
	[ "$rate" != 0 ] || speed=--topspeed
	ip netns exec $ns ${BY:-} tcpreplay --preload-pcap -i send0 "$speed" "$dir/load.pcap" >"$dir/sent" 2>&1
	sleep 1
	cpu=$(($(spent) - before))
	kill -TERM $beat
	wait $beat || true
	beat=
	sent=$(awk -v want="$want" '/^Actual:/ {packets = $2} /^Rated:/ {for (i = 1; i <= NF; i++) if ($i == "pps") pps = $(i - 1)} END {printf "%d", pps * want / packets}' "$dir/sent")
	seen=$(grep -o '[0-9]* messages\?; events' "$dir/log" | tail -1 | grep -o '^[0-9]*' || echo 0)
	lost=$(grep 'capture ended' "$dir/log" | grep -o 'lost: [^;]*' | sed 's/in memory.*//; s/","service.*//' || true)
}
echo "$want messages; $(nproc) cores for sender and program"
for how in "pcap 1" "af_packet 1" "af_packet 2"; do
	best=0 each=- beyond="the sender reaches no more"
	for rate in "${rates[@]}" 0; do
		for attempt in 1 2; do # another program may have taken the core
			try "$rate" -E sipcmbeat.capture=${how% *} -E sipcmbeat.workers=${how#* }
			[ "$seen" != "$want" ] || break
		done
		if [ "$seen" != "$want" ]; then
			beyond="at $sent/s $((want - seen)) of $want messages lost (${lost:-nothing is said of losses})"
			break
		fi
		[ "$sent" -le $best ] || { best=$sent && each=$(awk -v c=$cpu -v n="$want" 'BEGIN {printf "%.1f", c * 1e4 / n}'); }
	done
	printf '%-11s workers %s: %7d messages/s without loss, %s us of CPU each; %s\n' "${how% *}" "${how#* }" "$best" "$each" "$beyond"
done
