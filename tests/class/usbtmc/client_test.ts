import { boot, findBootMode } from "../../../driver/class/usbtmc/boot.ts";
import { encodeText } from "../../../driver/class/usbtmc/scpi_answer.ts";
import { UsbError } from "../../../driver/errors.ts";
import { Loopback } from "../../../driver/sim/devices/loopback.ts";
import { MisbehavingInstrument } from "../../../driver/sim/devices/misbehaving.ts";
import {
  BULK_IN,
  BULK_OUT,
} from "../../../driver/sim/devices/multimeter_descriptors.ts";
import { VirtualMultimeter } from "../../../driver/sim/devices/multimeter.ts";
import type { Fault } from "../../../driver/sim/faults.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertRejects,
  assertThrows,
} from "../../../driver/std.ts";
import {
  type ControlReply,
  type VirtualDescriptors,
  VirtualDevice,
} from "../../../driver/sim/virtual_device.ts";
import type { DecodedSetup, SetupPacket } from "../../../driver/usb.ts";
import { openClient, plugIn } from "./bench.ts";
import { chanceOf } from "./seeded.ts";

const IDENTITY = "Driver Space,VM65,DS0001,1.0";

Deno.test("Client refuses a device that is no instrument", async () => {
  const error = await assertRejects(() => openClient(new Loopback()), UsbError);
  assertEquals(error.code, "notFound");
  assertMatch(error.message, /FE\/03/);
});

Deno.test("Client ends an answer at a term char and reads on after it", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  await run(client.write("*IDN?"));
  const comma = ",".charCodeAt(0);
  const first = await run(client.read({ termChar: comma }));
  assertEquals(first.data, encodeText("Driver Space,"));
  assertEquals([first.endOfMessage, first.endedByTermChar], [false, true]);
  const rest = await run(client.read());
  assertEquals(rest.data, encodeText("VM65,DS0001,1.0\n"));
  assert(rest.endOfMessage);
});

Deno.test("Client reads an answer in pieces of the size it is asked for", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  await run(client.write("*IDN?"));
  let text = "";
  for (let isOver = false; !isOver;) {
    const { data, endOfMessage } = await run(client.read({ maxBytes: 5 }));
    assert(data.length <= 5);
    text += new TextDecoder().decode(data);
    isOver = endOfMessage;
  }
  assertEquals(text, IDENTITY + "\n");
});

Deno.test("Client refuses an answer longer than it was told to take, and clears it away", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  const error = await run(
    assertRejects(() => client.query("*IDN?", { maxBytes: 5 }), UsbError),
  );
  assertEquals(error.code, "overflow");
  assertEquals(await run(client.query("SYST:ERR?")), '+0,"No error"');
});

Deno.test("Client says that an answer is no block", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  const error = await run(
    assertRejects(() => client.queryBlock("*IDN?"), UsbError),
  );
  assertEquals(error.code, "protocol");
  assertEquals(await run(client.query("*IDN?")), IDENTITY);
});

Deno.test("Client sends a message in several transfers", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  // Two transfers: longer than one chunk, within the instrument's buffer of 64 KiB it is not.
  await run(client.write("*CLS" + " ".repeat(70_000)));
  assertEquals((await run(client.readErrors()))[0]?.number, -223);
  await run(client.write("*ESE 4" + " ".repeat(60_000)));
  assertEquals(await run(client.query("*ESE?")), "4");
});

Deno.test("Client refuses messages and sizes that make no sense", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client } = bench;
  assertThrows(() => client.write(new Uint8Array()), RangeError);
  assertThrows(() => client.write("5 \u2126"), RangeError);
  for (const maxBytes of [0, -1, 1.5, 2 ** 40]) {
    assertThrows(() => client.read({ maxBytes }), RangeError);
  }
});

Deno.test("Client does one message at a time, and the status byte beside it", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  const slow = client.query(":SAMP:COUN 20;:READ?");
  const error = await run(assertRejects(() => client.write("*CLS"), UsbError));
  assertEquals(error.code, "busy");
  assertEquals(await run(client.readStatusByte()), 0);
  assertEquals((await run(slow)).split(",").length, 20);
});

Deno.test("Client gets into step before the next message when one was cancelled", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, clock, run } = bench;
  const controller = new AbortController();
  const slow = client.query(":SAMP:COUN 100;:READ?", {
    signal: controller.signal,
  });
  await clock.advance(200);
  controller.abort();
  const error = await run(assertRejects(() => slow, UsbError));
  assertEquals(error.code, "cancelled");
  assertEquals(await run(client.query("*IDN?")), IDENTITY);
});

Deno.test("Client hands on service requests and reads status bytes from a standing input", async () => {
  const requests: number[] = [];
  await using bench = await openClient(new VirtualMultimeter(), {
    notifications: "fed",
    onServiceRequest: (statusByte) => void requests.push(statusByte),
  });
  const { client, device, run } = bench;
  const pipe = client.pipes.interruptIn;
  assert(pipe !== undefined);
  const ring = device.port.openInput({
    endpoint: pipe.address,
    transfersInFlight: 2,
    sink: ({ data }) => {
      client.handleNotification(data);
      return true;
    },
    onEnd: () => {},
  });
  await run(client.write("*CLS;*ESE 1;*SRE 32;*OPC"));
  assertEquals(await run(client.readStatusByte()), 0x60);
  assertEquals(
    await run(client.readStatusByte()),
    0x20,
    "the poll withdrew it",
  );
  assertEquals(requests, [0x60]);
  assertEquals(client.ignoredNotifications, 0);
  await run(ring.stop());
});

Deno.test("Client waits in vain for a status byte that nobody feeds, and says so", async () => {
  await using bench = await openClient(new VirtualMultimeter(), {
    notifications: "fed",
  });
  const { client, clock, run } = bench;
  const error = await run(
    assertRejects(() => client.readStatusByte(), UsbError),
  );
  assertEquals(error.code, "timedOut");
  client.handleNotification(Uint8Array.of(0x82, 0));
  assertEquals(client.ignoredNotifications, 1, "it came too late");
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("Client asks for a lockout again when recovery took a reset", async () => {
  const instrument = new MisbehavingInstrument();
  await using bench = await openClient(instrument);
  const { client, run } = bench;
  await run(client.lockout());
  instrument.choose("clearPending");
  await run(client.clear());
  assertEquals([client.remoteState, instrument.panel], ["lockout", "lockout"]);
  await run(client.releaseRemote());
  assertEquals([client.remoteState, instrument.panel], ["local", "local"]);
});

Deno.test("Client reads every answer right or says what is wrong, whatever the bus does", async () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const chance = chanceOf(seed);
    await using bench = await openClient(new VirtualMultimeter());
    const { client, plugged, run } = bench;
    const { faults } = plugged.device;
    const kinds: readonly Fault[] = [
      { kind: "stall" },
      { kind: "silent" },
      { kind: "zeroLength" },
      { kind: "babble" },
      { kind: "short", lengthBytes: chance.integer(0, 30) },
      { kind: "late", delayMs: chance.integer(1, 400) },
      { kind: "status", errno: "PROTO" },
    ];
    for (const endpoint of [BULK_OUT, BULK_IN]) {
      for (const fault of kinds) {
        faults.add({ endpoint, fault, times: 0, probability: 0.02 });
      }
    }
    for (const request of [1, 2, 3, 4, 5, 6, 128]) {
      faults.add({
        request,
        times: 0,
        probability: 0.05,
        fault: { kind: "stall" },
      });
    }
    let answers = 0;
    for (let count = 0; count < 60; count++) {
      // Each has its own answer, so that a stale one shows.
      const asked = client.query(`*ESE ${count};*ESE?`, { timeoutMs: 300 });
      const answer = await run(asked.catch((error) => error));
      if (answer instanceof UsbError) continue;
      assertEquals(answer, `${count}`, `seed ${seed}`);
      answers++;
    }
    assertGreater(answers, 20, `seed ${seed}`);
    assertGreater(faults.injected, 5, `seed ${seed}`);
    faults.clear();
    // What the last fault left behind is made up for by one message at most.
    await run(client.query("*IDN?", { timeoutMs: 300 }).catch(() => {}));
    assertEquals(await run(client.query("*IDN?")), IDENTITY, `seed ${seed}`);
  }
});

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
