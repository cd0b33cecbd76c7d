#!/bin/bash
# build_uml.sh CACHE: builds the User Mode Linux kernel CACHE/linux-uml from
# Debian's kernel source and uml.config: 8 to 14 minutes, once. As root, since
# it installs a compiler's parts.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=$(cd "$1" && pwd)
key=$(sha256sum <"$here/uml.config" | cut -c1-16)
[ "$(cat "$cache/linux-uml.key" 2>/dev/null)" = "$key" ] && exit 0
echo "lab: building the User Mode Linux kernel (8 to 14 minutes, once)" >&2
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  make gcc libc6-dev flex bison bc xz-utils >"$cache/apt.log" 2>&1
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
cd "$build"
apt-get download -qq linux-source-6.1 2>/dev/null
mkdir src out
# The large trees that UML never compiles stay out.
dpkg-deb --fsys-tarfile linux-source-6.1_*.deb |
  tar -xO ./usr/src/linux-source-6.1.tar.xz | xz -dc -T2 |
  tar -x -C src --strip-components=1 --exclude '*/Documentation/*/*' \
    --exclude '*/tools/testing' --exclude '*/drivers/gpu/*.[ch]' \
    --exclude '*/drivers/net/ethernet/*.[ch]' --exclude '*/drivers/media/*.[ch]'
make -s -C src O="$build/out" ARCH=um tinyconfig >/dev/null
cat "$here/uml.config" >>out/.config
make -s -C src O="$build/out" ARCH=um olddefconfig 2>&1 | grep -v override || true
make -s -C src O="$build/out" ARCH=um -j"$(nproc)" linux >"$cache/uml.log" 2>&1 ||
  { tail -30 "$cache/uml.log" >&2; exit 1; }
strip -o "$cache/linux-uml" out/linux
echo "$key" >"$cache/linux-uml.key"
