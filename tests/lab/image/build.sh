#!/bin/bash
# build.sh CACHE DENO: makes the QEMU guest's parts in CACHE, from Debian
# packages and one Deno binary; nothing of the host's own user space goes in.
#   vmlinux      Debian's stock kernel, unpacked (its PVH entry skips the BIOS
#                and the XZ unpacking, which take long under emulation)
#   initrd.cpio  busybox and the few modules needed to mount the root image
#   root.erofs   read-only root: libc, bash, busybox, udev, libusb, lsusb,
#                usbip, Deno, USB modules
# Does nothing while CACHE/key matches these scripts and the binary; remove the
# key to take newer package versions.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=$(mkdir -p "$1" && cd "$1" && pwd)
deno=$2

# What the guest's root is made of: extracted, never configured.
root_packages="base-files libc6 libgcc-s1 bash libtinfo6 busybox-static kmod
  libkmod2 liblzma5 libzstd1 libssl3 udev libudev1 libcap2 libblkid1 libacl1
  libselinux1 libpcre2-8-0 libusb-1.0-0 usbutils usbip usb.ids hwdata strace
  libunwind8"

fetch_packages() {
  local kernel
  kernel=$(apt-cache depends linux-image-amd64 |
    awk '/Depends: linux-image/ {print $2; exit}')
  [ -n "$kernel" ] || { echo "lab: apt knows no linux-image-amd64" >&2; exit 1; }
  packages="$kernel $root_packages"
  rm -rf debs && mkdir debs
  # shellcheck disable=SC2086 # a list of names
  (cd debs && apt-get download -qq $packages 2>../download.log) ||
    { cat download.log >&2; exit 1; }
}

unpack_packages() {
  rm -rf root kernel
  mkdir -p kernel root/usr/{bin,sbin,lib,lib64,local/bin}
  local d deb
  for d in bin sbin lib lib64; do ln -s "usr/$d" "root/$d"; done
  for deb in debs/*.deb; do
    case ${deb#debs/} in
      linux-image-*) dpkg-deb --fsys-tarfile "$deb" | tar -x -C kernel ;;
      *) dpkg-deb --fsys-tarfile "$deb" |
        tar -x --keep-directory-symlink -C root \
          --exclude './usr/share/doc*' --exclude './usr/share/man*' \
          --exclude './usr/share/locale*' --exclude './usr/lib/udev/hwdb.d*' \
          --exclude './lib/udev/hwdb.d*' --exclude './usr/lib/systemd/system*' ;;
    esac
  done
  install -m 755 "$deno" root/usr/local/bin/deno
}

# The bzImage carries its kernel as one XZ stream, with other things behind it.
unpack_kernel() {
  local image at
  image=$(ls kernel/boot/vmlinuz-*)
  at=$(LC_ALL=C grep -abo -P "\xfd7zXZ\x00" "$image" | LC_ALL=C sed -n "1s/:.*//p")
  # xz ends before its input does, which a pipe would call a failure.
  xz -dc --single-stream < <(tail -c "+$((at + 1))" "$image") >vmlinux
  [ "$(head -c 4 vmlinux | tail -c 3)" = ELF ]
}

# Only the module trees a USB lab can need, with what they depend on.
copy_modules() {
  depmod -b "$cache/kernel" "$version"
  local from=kernel/lib/modules/$version to=root/usr/lib/modules/$version
  mkdir -p "$to"
  (cd "$from" && find kernel/drivers/{usb,hid} kernel/sound/usb \
    kernel/drivers/input/{evdev.ko,misc/uinput.ko,tablet,joystick} \
    kernel/drivers/net/usb kernel/drivers/char/virtio_console.ko \
    kernel/drivers/scsi/s[dgr]*.ko kernel/net/9p/9pnet_virtio.ko \
    kernel/fs/{9p,fuse,configfs,ext4,fat,nls} -name '*.ko' 2>/dev/null || true) |
    while read -r module; do
      echo "$module"
      grep "^$module:" "$from/modules.dep" | cut -d: -f2
    done | tr ' ' '\n' | grep . | sort -u |
    while read -r module; do
      install -D -m 644 "$from/$module" "$to/$module"
    done
  cp "$from"/modules.{builtin,builtin.modinfo,order} "$to/"
  depmod -b "$cache/root" "$version"
}

write_accounts() {
  echo 'root:x:0:0:root:/root:/bin/bash' >root/etc/passwd
  echo 'user:x:1000:1000:user:/tmp:/bin/bash' >>root/etc/passwd
  echo 'root:x:0:' >root/etc/group
  # Groups that Debian's udev rules name.
  local id=1 group
  for group in tty disk dialout audio video input kmem lp cdrom tape sgx \
    render kvm plugdev; do
    echo "$group:x:$((id++)):" >>root/etc/group
  done
  echo 'user:x:1000:' >>root/etc/group
  echo '127.0.0.1 localhost' >root/etc/hosts
  : >root/etc/fstab
}

build_root() {
  local applet
  for applet in $(root/bin/busybox --list); do
    [ -e "root/bin/$applet" ] || [ -e "root/sbin/$applet" ] ||
      ln -s busybox "root/bin/$applet"
  done
  mkdir -p root/{dev,proc,sys,run,tmp,root,mnt,etc/udev}
  write_accounts
  # Two of udev's rules matter here: node permissions and loading of drivers.
  find root/usr/lib/udev/rules.d -name '*.rules' \
    ! -name 50-udev-default.rules ! -name 80-drivers.rules -delete
  install -m 755 "$here/init" root/sbin/lab-init
  install -m 755 "$here/init_uml" root/sbin/lab-init-uml
  # In the UML guest all is built in: its PATH begins with a modprobe that has
  # nothing to do.
  mkdir root/usr/lib/lab-uml
  printf '#!/bin/sh\n' >root/usr/lib/lab-uml/modprobe
  chmod +x root/usr/lib/lab-uml/modprobe
  mkfs.erofs root.erofs.new root >/dev/null 2>&1
  mv root.erofs.new root.erofs
}

# busybox, and the modules up to the root image's file system.
build_initrd() {
  rm -rf initrd
  mkdir -p initrd/{bin,dev,proc,sys,ro,rw,new,m}
  cp root/bin/busybox initrd/bin/
  install -m 755 "$here/initramfs" initrd/init
  local module
  for module in virtio_pci virtio_blk erofs overlay; do
    modprobe -d "$cache/kernel" -S "$version" --show-depends "$module"
  done | awk '/^insmod/ && !seen[$2]++ {print $2}' | while read -r module; do
    strip --strip-debug -o "initrd/m/$(basename "$module")" "$module"
    basename "$module" >>initrd/m/order
  done
  (cd initrd && find . | cpio -o -H newc --quiet) >initrd.cpio
  rm -rf initrd
}

key=$( (cat "$here"/build.sh "$here"/init* && "$deno" --version) |
  sha256sum | cut -c1-16)
[ "$(cat "$cache/key" 2>/dev/null)" = "$key" ] && exit 0
echo "lab: building the guest's image in $cache" >&2
cd "$cache"
rm -f key
fetch_packages
unpack_packages
unpack_kernel
version=$(ls kernel/lib/modules)
copy_modules
build_root
build_initrd
rm -rf snap-* debs
echo "$key" >key
