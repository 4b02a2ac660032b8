#!/usr/bin/env bash
# Fetches a server from Maven Central, once for all clones, and prints the folder
# where it stands.
#   fetch.sh STORE
# STORE/pom.xml says what it is made of, STORE/sha256 the checksum of every file; what
# has another one, or none, is not used. Maven's own settings say how it is reached.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
store=$1
sums=$here/$store/sha256
into=${XDG_CACHE_HOME:-$HOME/.cache}/sipcmbeat/$store-$(sha256sum "$sums" | cut -c-12)
if [ ! -d "$into" ]; then
	mkdir -p "${into%/*}"
	fresh=$(mktemp -d "${into%/*}/.fetch-XXXXXX")
	trap 'rm -rf "$fresh"' EXIT
	mvn -q -B -Dstyle.color=never -f "$here/$store/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies \
		-DoutputDirectory="$fresh" >&2
	(cd "$fresh" && sha256sum --quiet -c "$sums" >&2 && diff <(ls) <(awk '{print $2}' "$sums" | sort) >&2) ||
		{ echo "fetch $store: the files are not those of $sums" >&2; exit 1; }
	for zip in "$fresh"/*.zip; do
		[ -e "$zip" ] && unzip -q "$zip" -d "$fresh" && rm "$zip"
	done
	chmod 755 "$fresh"
	mv -T "$fresh" "$into" 2>/dev/null || [ -d "$into" ] # another run may have been first
fi
echo "$into"
