"""Talks to the virtual multimeter as a lab's script does: PyVISA, pure Python.

Prints one line for each step; the test that runs it reads them.
"""

import sys
import time

import pyvisa
from pyvisa.constants import StatusCode

LENGTH = 100_000
# USBTMC 1.00, tables 15 and 16.
INITIATE_CLEAR = 5
CHECK_CLEAR_STATUS = 6
SUCCESS = 1


def clear(manager, meter) -> None:
    """Clears the meter. Debian 12's pyvisa-py cannot on USB: then by the class's requests."""
    try:
        meter.clear()
        return
    except pyvisa.errors.VisaIOError as error:
        if error.error_code != StatusCode.error_nonsupported_operation:
            raise
    usbtmc = manager.visalib.sessions[meter.session].interface
    device, number = usbtmc.usb_dev, usbtmc.usb_intf.bInterfaceNumber
    status = device.ctrl_transfer(0xA1, INITIATE_CLEAR, 0, number, 1)
    assert status[0] == SUCCESS, status
    for _ in range(100):
        status = device.ctrl_transfer(0xA1, CHECK_CLEAR_STATUS, 0, number, 2)
        if status[0] == SUCCESS:
            break
        time.sleep(0.05)
    device.clear_halt(usbtmc.usb_send_ep.bEndpointAddress)


def main() -> int:
    manager = pyvisa.ResourceManager("@py")
    resources = manager.list_resources("USB?*::INSTR")
    print("resources", *resources)
    meter = manager.open_resource(resources[0])
    meter.timeout = 10_000
    meter.read_termination = "\n"
    meter.write_termination = "\n"
    print("identity", meter.query("*IDN?"))
    print("reading", meter.query("MEASure:VOLTage:DC?"))
    print("readings", meter.query("SAMP:COUN 5;:READ?"))
    block = meter.query_binary_values(
        f"DATA:BLOCk? {LENGTH}", datatype="B", container=bytes)
    wrong = sum(1 for index, byte in enumerate(block) if byte != index % 251)
    print("block", len(block), wrong)
    meter.write("NONSENSE")
    print("error", meter.query("SYSTem:ERRor?"))
    # An answer that nobody reads is gone after CLEAR, and nothing complains.
    meter.write("*IDN?")
    clear(manager, meter)
    print("after clear", meter.query("SYSTem:ERRor?"))
    # Nothing was asked: the read times out and pyvisa-py aborts bulk IN.
    meter.timeout = 200
    try:
        meter.read()
        print("timeout", "none")
    except pyvisa.errors.VisaIOError as error:
        print("timeout", error.abbreviation)
    meter.timeout = 10_000
    print("after timeout", meter.query("SYSTem:ERRor?"))
    meter.close()
    manager.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
