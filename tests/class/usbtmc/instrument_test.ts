import { boot, findBootMode } from "../../../driver/class/usbtmc/boot.ts";
import { encodeText } from "../../../driver/class/usbtmc/scpi_answer.ts";
import { UsbError } from "../../../driver/errors.ts";
import { BULK_OUT } from "../../../driver/sim/devices/multimeter_descriptors.ts";
import { VirtualMultimeter } from "../../../driver/sim/devices/multimeter.ts";
import { assert, assertEquals, assertRejects } from "../../../driver/std.ts";
import {
  type ControlReply,
  type VirtualDescriptors,
  VirtualDevice,
} from "../../../driver/sim/virtual_device.ts";
import type { DecodedSetup, SetupPacket } from "../../../driver/usb.ts";
import { openClient, plugIn } from "./bench.ts";
import { chanceOf } from "./seeded.ts";

const IDENTITY = "Driver Space,VM65,DS0001,1.0";

Deno.test("Instrument answers requests to another interface or endpoint with a stall", async () => {
  await using bench = await plugIn(
    new VirtualMultimeter({ interfaceNumber: 2 }),
  );
  const { device, run } = bench;
  await run(device.claimInterface(2));
  const request = (setup: Partial<SetupPacket>): Promise<Uint8Array> =>
    run(
      device.controlIn({
        requestType: "class",
        recipient: "interface",
        request: 7,
        value: 0,
        index: 2,
        ...setup,
      }, 24),
    );
  assertEquals((await request({})).length, 24);
  for (
    const setup of [
      { index: 0 },
      { recipient: "endpoint", index: 0x81, request: 3 },
      { recipient: "endpoint", index: BULK_OUT, request: 3 },
      { request: 99 },
    ] as const
  ) {
    const error = await assertRejects(() => request(setup), UsbError);
    assertEquals(error.code, "stall");
  }
});

Deno.test("Instrument halts at a bad header, and puts a message together from several transfers", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, device, run } = bench;
  const chance = chanceOf(1);
  const out = (...bytes: readonly number[]): Promise<number> =>
    run(device.transferOut(BULK_OUT, Uint8Array.from(bytes)));
  const bad: readonly (readonly number[])[] = [
    [],
    [1, 1, 0xfe],
    [1, 0, 0xff, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0x2a],
    [1, 1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0x2a],
    [9, 1, 0xfe, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0x2a],
    [1, 1, 0xfe, 0, 0, 0, 0, 0, 1, 0, 0, 0],
    [126, 1, 0xfe, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0x2a],
    [...chance.bytes(40)].fill(0xff, 0, 1),
  ];
  for (const bytes of bad) {
    const error = await assertRejects(() => out(...bytes), UsbError);
    assertEquals(error.code, "stall");
    await run(device.clearHalt(BULK_OUT));
  }
  await out(1, 1, 0xfe, 0, 6, 0, 0, 0, 1, 0, 0, 0, ...encodeText("*E"));
  await out(...encodeText("SE 8"));
  assertEquals(await run(client.query("*ESE?")), "8");
});

Deno.test("Instrument aborts a message that is half there, and only that one", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, device, run } = bench;
  const abort = (tag: number): Promise<Uint8Array> =>
    run(
      device.controlIn({
        requestType: "class",
        recipient: "endpoint",
        request: 1,
        value: tag,
        index: BULK_OUT,
      }, 2),
    );
  assertEquals([...await abort(7)], [0x80, 0]);
  const half = [1, 7, 0xf8, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0x2a];
  await run(device.transferOut(BULK_OUT, Uint8Array.from(half)));
  assertEquals([...await abort(8)], [0x81, 7]);
  assertEquals([...await abort(7)], [0x01, 7]);
  await run(device.clearHalt(BULK_OUT));
  assertEquals(await run(client.query("*IDN?")), IDENTITY);
});

Deno.test("Instrument survives any bytes of any length on bulk OUT", async () => {
  for (const seed of [1, 2, 3]) {
    const chance = chanceOf(seed);
    await using bench = await openClient(new VirtualMultimeter());
    const { client, device, run } = bench;
    for (let count = 0; count < 300; count++) {
      const bytes = chance.bytes(chance.integer(0, 200));
      // Most begin like a message out, so that the parser gets its share.
      if (chance.next() < 0.8 && bytes.length >= 12) {
        const size = bytes.length - 12;
        bytes.set([1, 5, 0xfa, 0, size, 0, 0, 0, 1, 0, 0, 0]);
        for (let at = 12; at < bytes.length; at++) {
          bytes[at] = 0x20 + (bytes[at] ?? 0) % 0x5f;
        }
      }
      await run(
        device.transferOut(BULK_OUT, bytes, { timeoutMs: 100 }).catch(() =>
          device.clearHalt(BULK_OUT).then(() => 0)
        ),
      );
    }
    await run(client.clear());
    assertEquals(await run(client.query("*IDN?")), IDENTITY, `seed ${seed}`);
  }
});

/** An instrument that wakes up in boot mode and notes what it is told. */
class Booting extends VirtualDevice {
  override readonly descriptors: VirtualDescriptors =
    new VirtualMultimeter().descriptors;
  readonly told: string[] = [];

  override control(setup: DecodedSetup, data: Uint8Array): ControlReply {
    const { direction, request, index, lengthBytes } = setup;
    this.told.push([direction, request, index, lengthBytes, ...data].join(" "));
    return direction === "in" ? new Uint8Array(lengthBytes) : undefined;
  }
}

Deno.test("Boot sequence is sent to instruments that wake up in boot mode", async () => {
  const entry = findBootMode({ vendorId: 0x0957, productId: 0x4218 });
  const booted = findBootMode({ vendorId: 0x0957, productId: 0x4118 });
  assertEquals([entry?.becomes, booted], [0x4118, undefined]);
  assert(entry !== undefined);
  const instrument = new Booting();
  await using bench = await plugIn(instrument);
  await bench.run(boot(bench.device, entry));
  assertEquals(instrument.told, [
    `in 12 ${0x047e} 1`,
    `in 12 ${0x047d} 6`,
    `in 12 ${0x0487} 5`,
    `in 12 ${0x0472} 12`,
    `in 12 ${0x047a} 1`,
    `out 12 ${0x0475} 8 0 0 1 1 0 0 8 1`,
  ]);
});

Deno.test("Boot sequence that the instrument does not take fails by what it said", async () => {
  const entry = findBootMode({ vendorId: 0x0957, productId: 0x2818 });
  assert(entry !== undefined);
  await using bench = await plugIn(new VirtualMultimeter());
  const error = await bench.run(
    assertRejects(() => boot(bench.device, entry), UsbError),
  );
  assertEquals(error.code, "stall");
});
