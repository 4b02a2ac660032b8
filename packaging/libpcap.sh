#!/usr/bin/env bash
# Builds a libpcap to link in, for Linux interfaces alone: Debian's needs libdbus, and
# its name differs from Red Hat's. Prints the folder with libpcap.a, pcap.h and LICENSE.
#   libpcap.sh amd64|arm64
# It is kept in $CACHE, and built anew when this file changes. The source is Debian's,
# from the mirror that apt uses, by apt's own settings.
set -euo pipefail
arch=$1
version=1.10.3
sum=2a8885c403516cf7b0933ed4b14d6caa30e02052489ebd414dc75ac52e7559e6
case $arch in
amd64) host=x86_64-linux-gnu ;;
arm64) host=aarch64-linux-gnu ;;
*) echo "libpcap.sh: no cross compiler is known for $arch" >&2; exit 1 ;;
esac
out=$CACHE/libpcap-$version-$(sha256sum <"$0" | cut -c1-12)-$arch
if [ ! -e "$out/libpcap.a" ]; then
	mkdir -p "$CACHE"
	work=$(mktemp -d "$CACHE/libpcap.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' | head -n 1)
	/usr/lib/apt/apt-helper download-file "${mirror}pool/main/libp/libpcap/libpcap_$version.orig.tar.gz" \
		"$work/source.tar.gz" "SHA256:$sum" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
	tar xzf "$work/source.tar.gz" -C "$work"
	(
		cd "$work/libpcap-$version"
		CC=$host-gcc ./configure --host=$host --with-pcap=linux --without-libnl --disable-usb --disable-bluetooth \
			--disable-dbus --disable-rdma --disable-remote --disable-shared CFLAGS="-O2 -ffile-prefix-map=$PWD=."
		make AR="$host-ar" ARFLAGS=rcD libpcap.a
	) >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
	mkdir "$work/out"
	cp -r "$work/libpcap-$version"/{libpcap.a,pcap.h,pcap,LICENSE} "$work/out"
	rm -rf "$out"
	mv "$work/out" "$out"
fi
echo "$out"
