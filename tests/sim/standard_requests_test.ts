/** Standard requests, answered for every virtual device. USB 2.0, 9.4. */

import { UsbError } from "../../driver/errors.ts";
import { BootMouse } from "../../driver/sim/devices/boot_mouse.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { assertEquals, assertRejects } from "../../driver/std.ts";
import type { SetupPacket } from "../../driver/usb.ts";
import { openSim, type SimBench, standard } from "./sim_bench.ts";

async function stalls(bench: SimBench, setup: SetupPacket): Promise<void> {
  const error = await assertRejects(
    () => bench.device.controlIn(setup, 64),
    UsbError,
  );
  assertEquals(error.code, "stall");
}

Deno.test("Standard requests give device, configuration and qualifier descriptors", async () => {
  await using bench = await openSim(new Loopback());
  const { device } = bench;
  const get = (type: number, index = 0): Promise<Uint8Array> =>
    device.controlIn(standard("device", 6, type << 8 | index), 512);
  assertEquals((await get(1)).length, 18);
  assertEquals((await get(2))[5], 1);
  assertEquals((await get(2, 1))[5], 2);
  await stalls(bench, standard("device", 6, 0x0202));
  const qualifier = await get(6);
  assertEquals([qualifier.length, qualifier[1], qualifier[8]], [10, 6, 2]);
  assertEquals((await get(7))[1], 7);
  await stalls(bench, standard("device", 6, 0x0f00));
});

Deno.test("Standard requests give no qualifier at full speed", async () => {
  await using bench = await openSim(new Loopback({ speed: "full" }));
  await stalls(bench, standard("device", 6, 0x0600));
  await stalls(bench, standard("device", 6, 0x0700));
});

Deno.test("Standard requests give strings in one language", async () => {
  await using bench = await openSim(new Loopback({ serialNumber: "é1" }));
  const { device } = bench;
  assertEquals(
    await device.controlIn(standard("device", 6, 0x0300), 255),
    Uint8Array.of(4, 3, 9, 4),
  );
  assertEquals(
    await device.controlIn(standard("device", 6, 0x0303, 0x0409), 255),
    Uint8Array.of(6, 3, 0xe9, 0, 0x31, 0),
  );
  await stalls(bench, standard("device", 6, 0x0303, 0x0407));
  await stalls(bench, standard("device", 6, 0x0309, 0x0409));
});

Deno.test("Standard requests cut an answer to the length asked for", async () => {
  await using bench = await openSim(new Loopback());
  const head = await bench.device.controlIn(standard("device", 6, 0x0200), 9);
  assertEquals(head.length, 9);
});

Deno.test("Standard requests tell and change halts, device status and settings", async () => {
  await using bench = await openSim(new BootMouse());
  const { device } = bench;
  const status = (
    recipient: SetupPacket["recipient"],
    index = 0,
  ): Promise<Uint8Array> =>
    device.controlIn(standard(recipient, 0, 0, index), 2);
  assertEquals(await status("device"), Uint8Array.of(0, 0));
  await device.controlOut(standard("device", 3, 1));
  assertEquals(await status("device"), Uint8Array.of(2, 0));
  await device.controlOut(standard("device", 1, 1));
  assertEquals(await status("device"), Uint8Array.of(0, 0));
  assertEquals(await status("interface"), Uint8Array.of(0, 0));
  await device.controlOut(standard("endpoint", 3, 0, 0x81));
  assertEquals(await status("endpoint", 0x81), Uint8Array.of(1, 0));
  await device.clearHalt(0x81);
  assertEquals(await status("endpoint", 0x81), Uint8Array.of(0, 0));
  await stalls(bench, standard("interface", 0, 0, 5));
  assertEquals(
    await device.controlIn(standard("device", 8), 1),
    Uint8Array.of(1),
  );
  assertEquals(
    await device.controlIn(standard("interface", 10), 1),
    Uint8Array.of(0),
  );
});

Deno.test("Standard requests refuse what a device may not be told", async () => {
  await using bench = await openSim(new Loopback());
  for (
    const setup of [
      standard("device", 5, 9),
      standard("device", 9, 7),
      standard("interface", 11, 9),
      standard("endpoint", 3, 0, 0x02),
      standard("device", 3, 1),
      standard("device", 3, 2),
    ]
  ) {
    const error = await assertRejects(
      () => bench.device.controlOut(setup),
      UsbError,
    );
    assertEquals(error.code, "stall");
  }
});
