"""python-libusb1's asynchronous transfers. Cases as client.c."""

import json
import resource
import struct
import sys
import time

import usb1

context = usb1.USBContext()
context.open()
handle = context.openByVendorIDAndProductID(0x1209, 1)
handle.claimInterface(0)
now = time.monotonic_ns
ISO_PACKETS = 8


def cpu_ns():
    use = resource.getrusage(resource.RUSAGE_SELF)
    (helper,) = struct.unpack("<Q", bytes(handle.controlRead(0xC0, 2, 0, 0, 8)))
    return int((use.ru_utime + use.ru_stime) * 1e9) - helper


class Run:
    def __init__(self, text):
        self.text = text
        (self.mode, a, b, self.endpoint, self.size, self.depth, self.count,
         self.latency) = map(int, text.split(","))
        handle.controlWrite(0x40, 1, 0, 0, struct.pack("<QQQ", self.mode, a, b))
        self.expected = 0
        self.submitted = self.completed = self.bad = self.retired = 0
        self.latencies, self.started = [], {}

    def submit(self, transfer):
        self.submitted += 1
        self.started[transfer] = now()
        transfer.submit()

    def done(self, transfer):
        if transfer.getStatus() != usb1.TRANSFER_COMPLETED:
            self.bad += 1
        from_ns = self.started[transfer]
        if self.endpoint & 0x80:
            data = transfer.getBuffer()
            sequence, _zero, stamp = struct.unpack_from("<IIQ", data)
            self.bad += sequence != self.expected
            self.expected += 1
            if self.mode:
                from_ns = stamp
        if self.latency:
            self.latencies.append(now() - from_ns)
        self.completed += 1
        if self.submitted < self.count:
            self.submit(transfer)
        else:
            self.retired += 1

    def make(self):
        number = self.endpoint & 0x7F
        if number == 0:
            transfer = handle.getTransfer()
            transfer.setControl(0xC0, 3, 0, 0, self.size, self.done)
        elif number == 3:
            transfer = handle.getTransfer(ISO_PACKETS)
            transfer.setIsochronous(self.endpoint, self.size, self.done)
        elif number == 1:
            transfer = handle.getTransfer()
            transfer.setInterrupt(self.endpoint, self.size, self.done)
        else:
            transfer = handle.getTransfer()
            transfer.setBulk(self.endpoint, self.size, self.done)
        return transfer

    def run(self):
        transfers = [self.make() for _ in range(self.depth)]
        cpu, wall = cpu_ns(), now()
        for transfer in transfers:
            self.submit(transfer)
        while self.retired < self.depth:
            context.handleEvents()
        wall, cpu = now() - wall, cpu_ns() - cpu
        latencies = sorted(self.latencies)
        at = lambda part: latencies[int(len(latencies) * part)] if latencies else 0
        print(json.dumps({
            "case": self.text, "count": self.completed, "wallNs": wall,
            "cpuNs": cpu, "bad": self.bad, "p50Ns": at(0.5), "p99Ns": at(0.99),
        }), flush=True)


for case in sys.argv[1:]:
    Run(case).run()
