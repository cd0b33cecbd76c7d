"""A libusb program that is not ours: what tests/linux/peers_test.ts runs on the virtual bus.

peer_client.py COMMAND: one of the functions below. Prints a line for each thing it saw.
"""

import ctypes
import errno
import os
import platform
import resource
import struct
import sys
import threading
import time

VENDOR, PRODUCT = 0x1209, 0x0001
NODE = "/dev/bus/usb/001/002"
INHERITED = 100


def say(*words):
    print(*words, flush=True)


def echo():
    """pyusb: descriptors, control out and in, bulk out and in, a stall."""
    import usb.core

    device = usb.core.find(idVendor=VENDOR, idProduct=PRODUCT)
    say("product", device.product)
    device.ctrl_transfer(0x40, 1, 16, 0, b"hello")
    say("control", bytes(device.ctrl_transfer(0xC0, 1, 16, 0, 5)).decode())
    sent = bytes(range(256)) * 300
    written = device.write(0x01, sent)
    received = bytes(device.read(0x81, len(sent)))
    say("bulk", written, received == sent)
    try:
        device.ctrl_transfer(0xC0, 99, 0, 0, 1)
    except usb.core.USBError as error:
        say("stall", errno.errorcode[error.errno])


def many():
    """pyusb: opens every loopback device and asks each for an answer, all open at once."""
    import usb.core

    devices = list(usb.core.find(find_all=True, idVendor=VENDOR))
    answers = [device.ctrl_transfer(0xC0, 1, 0, 0, 4) for device in devices]
    say("answers", len(answers))


def claim():
    """Claims interface 0, as soon as it can with "retry", and holds it until its input ends."""
    import usb.core
    import usb.util

    device = usb.core.find(idVendor=VENDOR, idProduct=PRODUCT)
    while True:
        try:
            usb.util.claim_interface(device, 0)
            break
        except usb.core.USBError as error:
            if sys.argv[2:] != ["retry"]:
                say("refused", errno.errorcode[error.errno])
                return
            time.sleep(0.02)
    say("claimed")
    sys.stdin.read()


def reopen():
    """Closes a device and claims it again at once, many times."""
    import usb.core
    import usb.util

    device = usb.core.find(idVendor=VENDOR, idProduct=PRODUCT)
    for _ in range(100):
        usb.util.claim_interface(device, 0)
        usb.util.dispose_resources(device)
    say("reopened")


def hotplug():
    """libusb's hotplug, by way of libudev: tells until the device left and came back."""
    import usb1

    seen = []

    def on_event(_context, _device, event):
        is_arrival = event == usb1.HOTPLUG_EVENT_DEVICE_ARRIVED
        seen.append("arrived" if is_arrival else "left")
        say(seen[-1])

    with usb1.USBContext() as context:
        context.hotplugRegisterCallback(
            on_event, flags=usb1.HOTPLUG_ENUMERATE, vendor_id=VENDOR
        )
        while seen[-2:] != ["left", "arrived"]:
            context.handleEventsTimeout(0.1)


def hand_over():
    """Opens the node, moves it to descriptor 100 as a launcher does, and becomes another program."""
    device = os.open(NODE, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(device, INHERITED)
    os.execv(sys.executable, [sys.executable, __file__, "wrapped"])


def wrapped():
    """libusb_wrap_sys_device on the inherited descriptor, without discovery."""
    libusb = ctypes.CDLL("libusb-1.0.so.0")
    context, handle = ctypes.c_void_p(), ctypes.c_void_p()
    no_device_discovery = 2
    libusb.libusb_set_option(None, no_device_discovery)
    say("init", libusb.libusb_init(ctypes.byref(context)))
    wrapped = libusb.libusb_wrap_sys_device(
        context, ctypes.c_ssize_t(INHERITED), ctypes.byref(handle)
    )
    say("wrap", wrapped)
    say("claim", libusb.libusb_claim_interface(handle, 0))
    data = ctypes.create_string_buffer(8)
    length = libusb.libusb_control_transfer(
        handle, 0xC0, 1, 0, 0, data, 8, 1000
    )
    say("control", length)
    say("character device", os.stat(INHERITED).st_rdev == os.makedev(189, 1))
    libusb.libusb_close(handle)
    libusb.libusb_exit(context)


def crowded():
    """A limit below the numbers the bus gives: an error, not a hang; and no way to a foreign node."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    for path in (NODE, "/dev/bus/usb/009/009"):
        try:
            os.open(path, os.O_RDWR)
            say("opened")
        except OSError as error:
            say(errno.errorcode[error.errno])


def foul():
    """Calls with bad addresses and lengths, as no library makes them."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ioctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p]
    device = os.open(NODE, os.O_RDWR)
    submit, claim, nonsense = 0x8038550A, 0x8004550F, 0x55FF
    for request, address in ((submit, 8), (claim, 0), (nonsense, 8)):
        result = libc.ioctl(device, request, address)
        say(result, errno.errorcode[ctypes.get_errno()])
    urb = (ctypes.c_ubyte * 56)()
    urb[0], urb[1] = 3, 0x81
    ctypes.memmove(ctypes.addressof(urb) + 24, b"\xff\xff\xff\x7f", 4)
    result = libc.ioctl(device, submit, ctypes.addressof(urb))
    say(result, errno.errorcode[ctypes.get_errno()])
    os.lseek(device, 0, os.SEEK_SET)
    say("read", len(os.read(device, 1 << 30)) > 18)
    reader = os.open(NODE, os.O_RDONLY)
    result = libc.ioctl(reader, claim, ctypes.addressof(urb))
    say(result, errno.errorcode[ctypes.get_errno()])


def raw():
    """A raw system call, as static programs and other languages make it."""
    openat = {"x86_64": 257, "aarch64": 56}[platform.machine()]
    libc = ctypes.CDLL(None, use_errno=True)
    at_fdcwd = -100
    device = libc.syscall(openat, at_fdcwd, NODE.encode(), os.O_RDWR)
    say("opened", device >= 0)
    get_speed = 0x551F
    say("speed", libc.ioctl(device, get_speed, 0))


def late():
    """A call that waits for its device does not hold up another thread's on the same file."""
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open(NODE, os.O_RDWR)
    answer = ctypes.create_string_buffer(1)
    control, get_speed = 0xC0185500, 0x551F
    request = struct.pack(
        "<BBHHHIxxxxQ", 0xC0, 2, 2000, 0, 1, 9000, ctypes.addressof(answer)
    )

    def ask():
        say("late", libc.ioctl(device, control, request), answer.raw[0])

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.2)
    say("speed", libc.ioctl(device, get_speed, 0))
    thread.join()


globals()[sys.argv[1]]()
