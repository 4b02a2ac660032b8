#!/usr/bin/env bash
# Installs what the browser suite needs, by npm, once for all clones, and prints the
# folder where it stands. package-lock.json has the checksum of every package; no
# script of theirs is run, and no browser is fetched: Debian's is used.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
into=${XDG_CACHE_HOME:-$HOME/.cache}/sipcmbeat/browser-$(sha256sum "$here/package-lock.json" | cut -c-12)
if [ ! -d "$into" ]; then
	mkdir -p "${into%/*}"
	fresh=$(mktemp -d "${into%/*}/.fetch-XXXXXX")
	trap 'rm -rf "$fresh"' EXIT
	cp "$here"/package.json "$here"/package-lock.json "$fresh"
	(cd "$fresh" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
	chmod 755 "$fresh"
	mv -T "$fresh" "$into" 2>/dev/null || [ -d "$into" ] # another run may have been first
fi
echo "$into"
