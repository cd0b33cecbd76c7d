import { UsbError } from "../../../driver/errors.ts";
import { assertEquals, assertThrows } from "../../../driver/std.ts";
import { freePort } from "../../../ffi/linux/vhci_attach.ts";

// /sys/devices/platform/vhci_hcd.0/status of Linux 6.1 with a device on port 0.
const STATUS = `hub port sta spd dev      sockfd local_busid
hs  0000 006 003 00010002 000009 1-2
hs  0001 004 000 00000000 000000 0-0
ss  0008 004 000 00000000 000000 0-0
`;

Deno.test("freePort takes the first free port of the speed's hub", () => {
  assertEquals(freePort(STATUS, "full"), 1);
  assertEquals(freePort(STATUS, "high"), 1);
  assertEquals(freePort(STATUS, "super"), 8);
});

Deno.test("freePort takes the port that is asked for, or refuses", () => {
  assertEquals(freePort(STATUS, "high", { hubPort: 2 }), 1);
  assertEquals(freePort(STATUS, "super", { hubPort: 1 }), 8);
  for (const hubPort of [1, 3]) {
    const error = assertThrows(
      () => freePort(STATUS, "high", { hubPort }),
      UsbError,
    );
    assertEquals(error.code, "busy");
  }
});

Deno.test("freePort refuses when every port has a device", () => {
  const error = assertThrows(
    () => freePort(STATUS.replace("0001 004", "0001 006"), "high"),
    UsbError,
  );
  assertEquals(error.code, "busy");
});
