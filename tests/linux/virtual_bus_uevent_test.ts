import { assertEquals } from "../../driver/std.ts";
import {
  encodeUevent,
  murmurHash2,
} from "../../ffi/linux/virtual_bus_uevent.ts";

Deno.test("MurmurHash2 gives its author's values, tails of every length included", () => {
  // The reference implementation, compiled, with seed 0.
  assertEquals(murmurHash2(""), 0);
  assertEquals(
    ["u", "us", "usb", "usb_", "usb_device"].map(murmurHash2),
    [0x5827c2fc, 0x722653b6, 0x0577c5e5, 0xe48ee4ab, 0x27f8f50c],
  );
});

Deno.test("A uevent begins with libudev's header and ends each property with a zero byte", () => {
  const message = encodeUevent({
    action: "add",
    properties: { SUBSYSTEM: "usb", DEVTYPE: "usb_device", BUSNUM: "001" },
    sequence: 7,
  });
  const view = new DataView(message.buffer);
  const text = new TextDecoder();
  assertEquals(text.decode(message.subarray(0, 8)), "libudev\0");
  assertEquals(view.getUint32(8), 0xfeedcafe);
  assertEquals(view.getUint32(12, true), 40);
  assertEquals(view.getUint32(16, true), 40);
  assertEquals(view.getUint32(20, true), message.length - 40);
  assertEquals(view.getUint32(24), murmurHash2("usb"));
  assertEquals(view.getUint32(28), murmurHash2("usb_device"));
  assertEquals(
    text.decode(message.subarray(40)),
    "ACTION=add\0SUBSYSTEM=usb\0DEVTYPE=usb_device\0BUSNUM=001\0SEQNUM=7\0",
  );
});

Deno.test("A uevent of a device without DEVTYPE leaves its hash 0", () => {
  const properties = { SUBSYSTEM: "usb" };
  const message = encodeUevent({ action: "remove", properties, sequence: 1 });
  assertEquals(new DataView(message.buffer).getUint32(28), 0);
});
