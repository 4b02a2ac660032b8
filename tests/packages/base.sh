#!/bin/bash
# Prints the name of an archive of a bare Debian with systemd, this machine's release
# from the mirror that apt uses. It is kept in $CACHE until this file changes.
set -euo pipefail
. /etc/os-release
base=$CACHE/debian-$VERSION_CODENAME-$(sha256sum <"$0" | cut -c1-12).tar
if [ ! -e "$base" ]; then
	mkdir -p "$CACHE"
	work=$(mktemp -d "$CACHE/debian.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' "Codename: $VERSION_CODENAME" | head -n 1)
	debootstrap --variant=minbase --include=systemd "$VERSION_CODENAME" "$work/root" "$mirror" >"$work/log" 2>&1 ||
		{ tail -n 20 "$work/log" >&2; exit 1; }
	rm -rf "$work"/root/var/cache/apt/archives/*.deb "$work"/root/var/lib/apt/lists/*
	tar -C "$work/root" --numeric-owner -cf "$work/base.tar" .
	mv "$work/base.tar" "$base"
fi
echo "$base"
