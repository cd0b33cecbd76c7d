/**
 * Libraries from npm, unmodified, in a process of their own, with the real
 * libusb on the virtual bus.
 */

import { assertEquals, assertGreater, fail } from "../../driver/std.ts";
import type { VirtualDevice } from "../../driver/sim/virtual_device.ts";
import { CdcAcmEcho } from "../../ffi/linux/testing.ts";
import { shownBus, testOn } from "../linux/shown_bus.ts";
import { DapProbe, IDCODE } from "./devices/dap_probe.ts";

testOn(
  "preload",
  "web-serial-polyfill opens, streams and signals",
  async () => {
    const modem = new CdcAcmEcho();
    const result = await runClient("serial.ts", modem);
    assertEquals(result, {
      ports: 1,
      info: { usbVendorId: 0x1209, usbProductId: 3 },
      lines: 200,
      streamed: 256 * 1024,
    });
    const { baudRate, lines, notifications, droppedBytes } = modem.observed();
    assertEquals([baudRate, lines, droppedBytes], [115_200, 0, 0]);
    // Carrier came with DTR, a break was answered, and carrier left with DTR.
    assertEquals(notifications, 3);
  },
);

testOn(
  "preload",
  "dapjs debugs and flashes by bulk and by control",
  async () => {
    const probes = [
      new DapProbe({ hasEndpoints: true, productId: 0xda1 }),
      new DapProbe({ hasEndpoints: false, productId: 0xda2 }),
    ];
    const result = await runClient("dap.ts", ...probes);
    const expected = {
      idcode: IDCODE,
      word: 0x1234_5678,
      words: 1024,
      baudRate: 115_200,
      heard: "hello probe",
    };
    assertEquals(result, [expected, expected]);
    const image = Uint8Array.from({ length: 32 * 1024 }, (_, at) => at * 13);
    const flashSum = image.reduce((sum, byte) => sum * 31 + byte | 0, 0);
    for (const probe of probes) {
      const observed = probe.observed();
      assertEquals(observed.flashedBytes, image.length);
      assertEquals(observed.flashSum, flashSum);
      assertGreater(observed.commands ?? 0, 600);
    }
  },
);

/** Runs a client beside the devices; gives what it prints. */
async function runClient(
  name: string,
  ...devices: VirtualDevice[]
): Promise<unknown> {
  await using shown = await shownBus({ transport: "preload" }, ...devices);
  const script = new URL(`./clients/${name}`, import.meta.url).href;
  await using client = await shown.transport.spawn({
    program: Deno.execPath(),
    args: ["run", "--quiet", "--no-check", "--allow-all", script],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { status, text } = await client.output();
  if (!status.success) fail(text);
  return JSON.parse(text);
}
