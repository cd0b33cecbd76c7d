"""pyusb on its libusb1 backend. Synchronous: depth 1 only. Cases as client.c."""

import array
import json
import resource
import struct
import sys
import time

import usb.core
import usb.util

device = usb.core.find(idVendor=0x1209, idProduct=1)
usb.util.claim_interface(device, 0)
now = time.monotonic_ns


def cpu_ns():
    use = resource.getrusage(resource.RUSAGE_SELF)
    (helper,) = struct.unpack("<Q", bytes(device.ctrl_transfer(0xC0, 2, 0, 0, 8)))
    return int((use.ru_utime + use.ru_stime) * 1e9) - helper


def run(text):
    mode, a, b, endpoint, size, _depth, count, latency = map(int, text.split(","))
    device.ctrl_transfer(0x40, 1, 0, 0, struct.pack("<QQQ", mode, a, b))
    data = array.array("B", bytes(size))
    bad, expected, latencies = 0, 0, []
    cpu, wall = cpu_ns(), now()
    for _ in range(count):
        from_ns = now()
        if endpoint & 0x80:
            if endpoint == 0x80:
                device.ctrl_transfer(0xC0, 3, 0, 0, data, 0)
            else:
                device.read(endpoint, data, 0)
            sequence, _zero, stamp = struct.unpack_from("<IIQ", data)
            bad += sequence != expected
            expected += 1
            if mode:
                from_ns = stamp
        else:
            device.write(endpoint, data, 0)
        if latency:
            latencies.append(now() - from_ns)
    wall, cpu = now() - wall, cpu_ns() - cpu
    latencies.sort()
    at = lambda part: latencies[int(len(latencies) * part)] if latencies else 0
    print(json.dumps({
        "case": text, "count": count, "wallNs": wall, "cpuNs": cpu,
        "bad": bad, "p50Ns": at(0.5), "p99Ns": at(0.99),
    }), flush=True)


for case in sys.argv[1:]:
    run(case)
