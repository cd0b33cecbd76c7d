#!/bin/bash
# gadget.sh [MODULE OPTIONS]: runs in the guest. Makes a composite gadget on
# dummy_hcd by configfs:
#   interface 0, 1  Gadget Zero's functions: SourceSink, with its isochronous
#                   endpoints in alternate setting 1 (dummy_hcd has none), and
#                   Loopback
#   interface 2     HID: what is written to /dev/hidg0 comes out as a report
# dummy_hcd chooses the endpoint addresses: read them from the descriptors.
set -e
if [ "$LAB" != uml ]; then
  modprobe dummy_hcd "$@"
  modprobe libcomposite
  modprobe usb_f_ss_lb
fi
[ -d /sys/kernel/config/usb_gadget ] || mount -t configfs none /sys/kernel/config
gadget=/sys/kernel/config/usb_gadget/lab
mkdir $gadget
cd $gadget
echo 0x1d6b >idVendor
echo 0x0104 >idProduct
echo 0x0200 >bcdUSB
mkdir strings/0x409
echo Lab >strings/0x409/manufacturer
echo "Kernel gadget" >strings/0x409/product
echo 0001 >strings/0x409/serialnumber
mkdir configs/c.1 functions/SourceSink.0 functions/Loopback.0 functions/hid.0
echo 0 >functions/SourceSink.0/pattern
echo 8 >functions/hid.0/report_length
echo 0 >functions/hid.0/protocol
echo 0 >functions/hid.0/subclass
# Usage page vendor, one input report of 8 bytes.
printf '\x06\x00\xff\x09\x01\xa1\x01\x09\x02\x15\x00\x25\xff\x75\x08\x95\x08\x81\x02\xc0' \
  >functions/hid.0/report_desc
for function in SourceSink.0 Loopback.0 hid.0; do
  ln -s functions/$function configs/c.1/
done
ls /sys/class/udc | head -1 >UDC
for _ in $(seq 100); do
  lsusb -d 1d6b:0104 >/dev/null && break
  sleep 0.05
done
udevadm settle
