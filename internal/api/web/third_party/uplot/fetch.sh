#!/usr/bin/env bash
# Holds the files of uPlot in this folder to the package that they come from.
#   fetch.sh          compares
#   fetch.sh update   takes the files of the version in the file version, and writes sha256
# The package is fetched by npm, with its own settings, once for all clones.
set -euo pipefail
cd "$(dirname "$0")"
version=$(<version)
files=(LICENSE uPlot.iife.min.js uPlot.min.css)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sipcmbeat/uplot-$version
package=uplot-$version.tgz
if [ ! -e "$cache/$package" ]; then
	mkdir -p "$cache"
	fresh=$(mktemp -d "$cache/.fetch-XXXXXX")
	trap 'rm -rf "$fresh"' EXIT
	(cd "$fresh" && npm pack --silent "uplot@$version" >/dev/null)
	mv "$fresh/$package" "$cache/$package"
fi
here=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work" ${fresh:+"$fresh"}' EXIT
tar xzf "$cache/$package" -C "$work"
cp "$work"/package/LICENSE "$work"/package/dist/uPlot.iife.min.js "$work"/package/dist/uPlot.min.css "$work"
cp "$cache/$package" "$work/uplot.tgz"
cd "$work"
if [ "${1:-}" = update ]; then
	sha256sum uplot.tgz "${files[@]}" >"$here/sha256"
	cp "${files[@]}" "$here"
	echo "uPlot $version: taken"
	exit
fi
sha256sum --quiet -c "$here/sha256" || { echo "uPlot $version: the package is not the one of sha256; remove $cache and try again" >&2; exit 1; }
for f in "${files[@]}"; do
	cmp "$f" "$here/$f" || { echo "uPlot $version: $f is not that of the package" >&2; exit 1; }
done
echo "uPlot $version: the files are those of the package"
