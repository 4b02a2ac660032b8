#!/usr/bin/env bash
# Builds the packages of one architecture: tar.gz, deb, rpm.
#   build.sh amd64|arm64 OUT
# The same input gives the same bytes: times are SOURCE_DATE_EPOCH (the last commit's),
# and nothing of the machine gets in but what Go and GCC are. make sets the variables.
set -euo pipefail
cd "$(dirname "$0")/.."
arch=$1 out=$2
: "${CACHE:?}" "${VERSION:?}" "${COMMIT:?}" "${SOURCE_DATE_EPOCH:?}"
export SOURCE_DATE_EPOCH
umask 022
case $arch in
amd64) host=x86_64-linux-gnu rpm=x86_64 ;;
arm64) host=aarch64-linux-gnu rpm=aarch64 ;;
esac
libpcap=$(packaging/libpcap.sh "$arch")
work=build/package/$arch
rm -rf "$work"
mkdir -p "$work" "$out"
# libpcap.a stands alone in the folder that the linker looks into first. For the
# machine's own architecture that is all that differs from make build: what is in Go's
# cache serves. Another one needs the folder for the compiler too.
export GOOS=linux GOARCH=$arch CGO_ENABLED=1
if [ "$arch" != "$(go env GOHOSTARCH)" ]; then
	export CC=$host-gcc CGO_CFLAGS="-O2 -g -I$libpcap" CGO_LDFLAGS=-L$libpcap
fi
${GO:-go} build -buildvcs=false -ldflags "-s -w -X github.com/sipcmbeat/sipcmbeat/cmd.Commit=$COMMIT -extldflags=-L$libpcap" -o "$work/sipcmbeat" .
needed=$(readelf -d "$work/sipcmbeat" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort | tr '\n' ' ')
glibc=$(readelf -VW "$work/sipcmbeat" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
case $needed in
"libc.so.6 " | "ld-linux-aarch64.so.1 libc.so.6 ") ;;
*) echo "build.sh: the program needs $needed, which the packages do not ask for" >&2; exit 1 ;;
esac
[ "$(printf '%s\nGLIBC_2.34\n' "$glibc" | sort -V | tail -n 1)" = GLIBC_2.34 ] ||
	{ echo "build.sh: the program needs $glibc; the packages ask for 2.34" >&2; exit 1; }
unset GOOS GOARCH CC CGO_CFLAGS CGO_LDFLAGS

name=sipcmbeat-$VERSION-linux-$arch
go run ./tools/sbom -binary "$work/sipcmbeat" -version "$VERSION" -static "libpcap,1.10.3,BSD-3-Clause,$libpcap/LICENSE" \
	-spdx "$out/$name.spdx.json" -licences "$work/third-party"

# The documents, and what else is the same everywhere.
mkdir -p "$work"/{doc/docs,share,completion,deb,rpm}
cp README.md CHANGELOG.md LICENSE NOTICE sipcmbeat.reference.yml "$work/doc"
cp docs/*.md "$work/doc/docs"
gzip -9nc "$work/third-party" >"$work/doc/third-party-licences.gz"
{
	cat NOTICE
	echo
	echo "The licence is in the file LICENSE beside this one; on Debian also in"
	echo "/usr/share/common-licenses/Apache-2.0. Those of everything that is linked in:"
	echo "third-party-licences.gz"
} >"$work/copyright"
[ ! -d _meta/kibana ] || cp -r _meta/kibana "$work/share/kibana"
cp fields.yml "$work/share"
cp packaging/{sipcmbeat.service,sipcmbeat.sh,sysusers.conf} "$work"
cp packaging/deb/* "$work/deb"
cp packaging/rpm/* "$work/rpm"
gzip -9nc packaging/sipcmbeat.1 >"$work/sipcmbeat.1.gz"
chmod -R u=rwX,go=rX "$work/doc" "$work/share"
program=$work/sipcmbeat
[ "$arch" = "$(go env GOHOSTARCH)" ] || { program=build/package/host; go build -o $program .; }
for shell in bash zsh fish; do
	"$program" completion $shell >"$work/completion/$shell"
done

# The archive runs from where it is unpacked; the documents are its top folder.
rm -rf "build/package/$name"
cp -r "$work/doc" "build/package/$name"
cp -r "$work/completion" "$work/sipcmbeat" "$work/sipcmbeat.1.gz" sipcmbeat.yml packaging/sipcmbeat.service "$work"/share/* "build/package/$name"
chmod -R u=rwX,go=rX "build/package/$name"
tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=gnu \
	-C build/package -c "$name" | gzip -9n >"$out/$name.tar.gz"

# In the packages files of the service lie in its folder, and the log is the journal.
sed -e 's|"/tmp/sipcmbeat"|"/var/lib/sipcmbeat/events"|' -e 's|/var/spool/sipcmbeat|/var/lib/sipcmbeat/calls|' \
	-e 's|^# The log goes to files in path.logs; with -e to standard error.$|# The log goes to the journal (journalctl -u sipcmbeat); to files with to_files.\n#logging.to_files: true|' \
	-e 's|^# sipcmbeat.reference.yml and docs/config.md.$|# /usr/share/doc/sipcmbeat/sipcmbeat.reference.yml.|' sipcmbeat.yml >"$work/sipcmbeat.yml"
[ "$(grep -cE '/var/lib/sipcmbeat/(events|calls)|to_files: true|doc/sipcmbeat/sipcmbeat.reference' "$work/sipcmbeat.yml")" = 4 ] ||
	{ echo "build.sh: sipcmbeat.yml has changed; the packages' one is made of it here" >&2; exit 1; }
find "$work" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
nfpm=build/package/nfpm
go build -C tools/nfpm -o "$PWD/$nfpm" github.com/goreleaser/nfpm/v2/cmd/nfpm
for kind in deb rpm; do
	case $kind in
	deb) file=sipcmbeat_${VERSION}_$arch.deb ;;
	rpm) file=sipcmbeat-$VERSION-1.$rpm.rpm ;;
	esac
	(cd "$work" && ARCH=$arch ../nfpm package --config ../../../packaging/nfpm.yaml --packager $kind --target "../../../$out/$file")
done
