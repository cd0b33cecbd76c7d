#!/bin/sh
# with_fake.sh FAKE_USBFS_SO PROGRAM [ARGUMENT...]
# Runs a program in a mount namespace of its own that shows one fake USB device.
set -eu
if [ -z "${FAKE_USBFS_NAMESPACE:-}" ]; then
  FAKE_USBFS_NAMESPACE=1 exec unshare --map-root-user --mount --propagation private "$0" "$@"
fi
library=$1
shift
# A private /dev with what programs need: an ordinary file stands where the node
# is looked for.
scratch=$(mktemp -d)
mount -t tmpfs none "$scratch"
for entry in null zero full random urandom tty; do
  [ -e "/dev/$entry" ] || continue
  : >"$scratch/$entry" && mount --bind "/dev/$entry" "$scratch/$entry"
done
mkdir "$scratch/shm"
ln -s /proc/self/fd "$scratch/fd"
mkdir -p "$scratch/bus/usb/001"
: >"$scratch/bus/usb/001/002"
mount --rbind "$scratch" /dev
umount -l "$scratch"
rmdir "$scratch"
# A private /sys/bus with one device and one interface.
mount -t tmpfs none /sys/bus
device=/sys/bus/usb/devices/1-1
interface=$device/1-1:1.0
mkdir -p "$interface"
put() { printf '%s\n' "$3" >"$1/$2"; }
put $device busnum 1
put $device devnum 2
put $device devpath 1
put $device speed 5000
put $device version ' 3.00'
put $device bConfigurationValue 1
put $device idVendor 1209
put $device idProduct 0001
put $device bcdDevice 0100
put $device bDeviceClass ff
put $device bDeviceSubClass 00
put $device bDeviceProtocol 00
put $device manufacturer Fake
put $device product Fake
put $device serial Fake
put $device removable removable
put $interface bInterfaceNumber 00
put $interface bInterfaceClass ff
put $interface bInterfaceSubClass 00
put $interface bInterfaceProtocol 00
# The bytes of `descriptors` in fake_usbfs.c, in octal.
printf '%b' '\022\001\000\003\377\000\000\011\011\022\001\000\000\001\001\002\003\001\011\002\074\000\001\001\000\200\062\011\004\000\000\006\377\000\000\000\007\005\201\003\100\000\001\007\005\202\002\000\002\000\007\005\002\002\000\002\000\007\005\001\003\100\000\001\007\005\203\001\000\002\001\007\005\003\001\000\002\001' >$device/descriptors
LD_PRELOAD=$library exec "$@"
