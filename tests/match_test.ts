import { parseDeviceSelector } from "../driver/match.ts";
import { assertEquals, assertThrows } from "../driver/std.ts";

Deno.test("A device is named by its ids, with a serial number or a port", () => {
  const ids = { vendorId: 0x0957, productId: 0x1755 };
  const read: readonly [text: string, selector: object][] = [
    ["0957:1755", ids],
    ["0957:1755:MY1", { ...ids, serialNumber: "MY1" }],
    ["0957:1755@1-4", { ...ids, portPath: "1-4" }],
    ["0957:1755@12-4.2.1", { ...ids, portPath: "12-4.2.1" }],
    // A serial number is any text, what looks like a port included.
    ["0957:1755:A:B@1-4", { ...ids, serialNumber: "A:B@1-4" }],
  ];
  for (const [text, selector] of read) {
    assertEquals<unknown>(parseDeviceSelector(text), selector);
  }
});

Deno.test("What is no device is refused with an example", () => {
  for (
    const text of [
      "0957:1755@",
      "0957:1755@1",
      "0957:1755@1-4.",
      "0957:1755@1-4:X",
      "0957:1755@/dev/bus/usb",
      "@1-4",
    ]
  ) assertThrows(() => parseDeviceSelector(text), SyntaxError, "0957:1755");
});
