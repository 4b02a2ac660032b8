#!/usr/bin/env bash
# Installs what is missing, by Debian's package manager.
#   need.sh COMMAND:PACKAGE ... HEADER.h:PACKAGE ... PATTERN.so:PACKAGE ...
# A pattern is a file's below /usr/lib. Services that come along are not started.
set -u
missing=()
for pair in "$@"; do
	what=${pair%%:*} package=${pair#*:}
	case $what in
	*.so) compgen -G "/usr/lib/$what" >/dev/null || missing+=("$package") ;;
	*.h) echo "#include <$what>" | gcc -E - >/dev/null 2>&1 || missing+=("$package") ;;
	*) command -v "$what" >/dev/null || missing+=("$package") ;;
	esac
done
[ ${#missing[@]} -eq 0 ] && exit 0
install="apt-get install -y --no-install-recommends ${missing[*]}"
if ! command -v apt-get >/dev/null; then
	echo "missing: ${missing[*]} (Debian's names); install them with your package manager" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "missing: ${missing[*]}; run: sudo $install" >&2
	exit 1
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d # what Debian asks before it starts a service
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy
fi
log=$(mktemp)
if ! { apt-get update && $install; } >"$log" 2>&1; then
	tail -n 5 "$log" >&2
	echo "cannot install ${missing[*]}: apt-get failed, see $log" >&2
	exit 1
fi
rm -f "$log"
