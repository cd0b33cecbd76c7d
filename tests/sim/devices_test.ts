/** The shipped devices: loopback, boot mouse, CDC-ACM echo. */

import { Collector } from "../contract/contract_kit.ts";
import { UsbError } from "../../driver/errors.ts";
import {
  BootMouse,
  MOUSE_REPORT_DESCRIPTOR,
} from "../../driver/sim/devices/boot_mouse.ts";
import { CdcAcmEcho } from "../../driver/sim/devices/cdc_acm_echo.ts";
import {
  Loopback,
  LOOPBACK_REQUEST,
  pattern,
} from "../../driver/sim/devices/loopback.ts";
import { assert, assertEquals, assertRejects } from "../../driver/std.ts";
import { endpointAddress } from "../../driver/usb.ts";
import { vendor } from "../contract/contract_kit.ts";
import { classRequest, openSim, standard } from "./sim_bench.ts";

Deno.test("Loopback counts what source, sink and echo moved, and wrong words of the sink", async () => {
  await using bench = await openSim(new Loopback());
  const { device } = bench;
  await device.transferOut(0x03, pattern(0, 1000));
  await device.transferOut(0x03, new Uint8Array(8));
  await device.transferOut(0x01, new Uint8Array(10));
  assertEquals(await device.transferIn(0x83, 600), pattern(0, 600));
  const counters = await device.controlIn(
    vendor(LOOPBACK_REQUEST.counters),
    32,
  );
  const words = [...new Uint32Array(counters.buffer)];
  assertEquals(words, [10, 600, 1008, 2, 0, 0, 0, 0]);
  await device.controlOut(vendor(LOOPBACK_REQUEST.restart));
  assertEquals(await device.transferIn(0x83, 64), pattern(0, 64));
});

Deno.test("Loopback takes fault rules as JSON from any client", async () => {
  await using bench = await openSim(new Loopback());
  const { device } = bench;
  const rule = new TextEncoder().encode(
    '{"endpoint":131,"fault":{"kind":"stall"}}',
  );
  await device.controlOut(vendor(LOOPBACK_REQUEST.fault), rule);
  const stalled = await assertRejects(
    () => device.transferIn(0x83, 64),
    UsbError,
  );
  assertEquals(stalled.code, "stall");
  for (
    const text of [
      "{",
      "null",
      '{"fault":{"kind":"bogus"}}',
      '{"fault":{"kind":"status","errno":"toString"}}',
    ]
  ) {
    const error = await assertRejects(
      () =>
        device.controlOut(
          vendor(LOOPBACK_REQUEST.fault),
          new TextEncoder().encode(text),
        ),
      UsbError,
    );
    assertEquals(error.code, "stall", text);
  }
});

Deno.test("Loopback sends what it is told, and stalls for an endpoint it has not", async () => {
  await using bench = await openSim(new Loopback());
  const { device } = bench;
  const send = (endpoint: number): Promise<number> =>
    device.controlOut(
      vendor(LOOPBACK_REQUEST.send, 0, endpoint),
      Uint8Array.of(1, 2, 3),
    );
  await send(0x82);
  assertEquals(await device.transferIn(0x82, 8), Uint8Array.of(1, 2, 3));
  await assertRejects(() => send(0x8a), UsbError);
});

Deno.test("Loopback holds an echo back until the host fetched what is queued", async () => {
  await using bench = await openSim(new Loopback(), {
    usbfsMemoryBytes: 0,
  });
  const { device, clock } = bench;
  const block = new Uint8Array(2 * 1024 * 1024 + 1);
  let written = 0;
  const writes = Array.from({ length: 3 }, async () => {
    await device.transferOut(0x01, block);
    written++;
  });
  await clock.advance(1);
  assertEquals(written, 1, "the end of the second waits, the third behind it");
  for (let read = 0; read < 3; read++) {
    assertEquals(
      (await device.transferIn(0x81, block.length + 511)).length,
      block.length,
    );
  }
  await Promise.all(writes);
});

Deno.test("Loopback comes in every speed with the packets of it", async () => {
  for (
    const [speed, packet] of [["full", 64], ["high", 512], [
      "super",
      1024,
    ]] as const
  ) {
    await using bench = await openSim(new Loopback({ speed }));
    const { info } = bench.device;
    const endpoints = info.configurations[0]?.interfaces[0]?.alternates[0]
      ?.endpoints ?? [];
    assertEquals(endpoints[0]?.maxPacketSize, packet);
    assertEquals(
      endpoints[0]?.superSpeedCompanion !== undefined,
      speed === "super",
    );
    await bench.device.transferOut(1, new Uint8Array(packet + 1));
    assertEquals(
      (await bench.device.transferIn(0x81, 4096)).length,
      packet + 1,
    );
  }
});

Deno.test("Boot mouse makes the moves of its script", async () => {
  const script = [
    { buttons: 1, dx: 5, dy: -3 },
    { buttons: 0, dx: -127, dy: 127, afterMs: 50 },
  ];
  await using bench = await openSim(new BootMouse({ script }));
  const collector = new Collector();
  const input = bench.device.port.openInput({
    endpoint: endpointAddress(0x81),
    transfersInFlight: 2,
    ...collector,
  });
  await bench.clock.advance(10);
  assertEquals(collector.reports, [Uint8Array.of(1, 5, 253)]);
  await bench.clock.advance(50);
  assertEquals(collector.reports[1], Uint8Array.of(0, 129, 127));
  await bench.clock.advance(500);
  assertEquals(collector.reports.length, 2);
  await input.stop();
});

Deno.test("Boot mouse wanders the same way under the same seed", async () => {
  const wander = async (seed: number): Promise<Uint8Array> => {
    await using bench = await openSim(new BootMouse({ moves: 20 }), { seed });
    const collector = new Collector();
    bench.device.port.openInput({
      endpoint: endpointAddress(0x81),
      transfersInFlight: 2,
      ...collector,
    });
    await bench.clock.advance(1000);
    assertEquals(collector.reports.length, 20);
    return collector.joined();
  };
  const first = await wander(3);
  assertEquals(await wander(3), first);
  assert((await wander(4)).some((byte, at) => byte !== first[at]));
});

Deno.test("Boot mouse answers HID's requests", async () => {
  await using bench = await openSim(new BootMouse({ script: [] }));
  const { device } = bench;
  assertEquals(
    await device.controlIn(standard("interface", 6, 0x2200), 255),
    MOUSE_REPORT_DESCRIPTOR,
  );
  const hid = await device.controlIn(standard("interface", 6, 0x2100), 255);
  assertEquals(hid[7], MOUSE_REPORT_DESCRIPTOR.length);
  await device.controlOut(classRequest(0x0a, 0x0500));
  assertEquals(await device.controlIn(classRequest(0x02), 1), Uint8Array.of(5));
  assertEquals(await device.controlIn(classRequest(0x03), 1), Uint8Array.of(1));
  await device.controlOut(classRequest(0x0b, 0));
  assertEquals(await device.controlIn(classRequest(0x03), 1), Uint8Array.of(0));
  await device.reset();
  assertEquals(await device.controlIn(classRequest(0x03), 1), Uint8Array.of(1));
  await assertRejects(() => device.controlOut(classRequest(0x0b, 2)), UsbError);
});

const SET_LINE_CODING = 0x20;
const GET_LINE_CODING = 0x21;
const SET_LINES = 0x22;

Deno.test("CDC-ACM echoes with DTR, drops without it, and tells carrier", async () => {
  const modem = new CdcAcmEcho();
  await using bench = await openSim(modem, { claim: [0, 1] });
  const { device } = bench;
  await device.transferOut(0x01, new Uint8Array(5));
  assertEquals(modem.observed().droppedBytes, 5);
  await device.controlOut(classRequest(SET_LINES, 3));
  assertEquals(
    await device.transferIn(0x82, 16),
    Uint8Array.of(0xa1, 0x20, 0, 0, 0, 0, 2, 0, 3, 0),
  );
  for (const lengthBytes of [1, 512, 1500]) {
    await device.transferOut(0x01, new Uint8Array(lengthBytes));
    assertEquals((await device.transferIn(0x81, 4096)).length, lengthBytes);
  }
  await device.controlOut(classRequest(SET_LINES, 2));
  assertEquals((await device.transferIn(0x82, 16))[8], 0);
});

Deno.test("CDC-ACM keeps its line coding until a reset, and refuses nonsense", async () => {
  await using bench = await openSim(new CdcAcmEcho(), { claim: [0, 1] });
  const { device } = bench;
  const coding = Uint8Array.of(0x00, 0xc2, 0x01, 0x00, 0, 2, 7);
  await device.controlOut(classRequest(SET_LINE_CODING), coding);
  assertEquals(
    await device.controlIn(classRequest(GET_LINE_CODING), 7),
    coding,
  );
  for (
    const wrong of [coding.subarray(1), coding.with(6, 9), coding.with(4, 3)]
  ) {
    await assertRejects(
      () => device.controlOut(classRequest(SET_LINE_CODING), wrong),
      UsbError,
    );
  }
  await device.reset();
  assertEquals(
    await device.controlIn(classRequest(GET_LINE_CODING), 7),
    Uint8Array.of(0x80, 0x25, 0, 0, 0, 0, 8),
  );
});

Deno.test("CDC-ACM joins its interfaces by an association and a union", async () => {
  await using bench = await openSim(new CdcAcmEcho(), { claim: [] });
  const configuration = bench.device.info.configurations[0];
  assertEquals(configuration?.associations.map((a) => a.interfaceCount), [2]);
  const extra = configuration?.interfaces[0]?.alternates[0]?.extra ?? [];
  assertEquals(extra.map(({ bytes }) => bytes[2]), [0, 1, 2, 6]);
  assertEquals([...extra[3]?.bytes ?? []], [5, 0x24, 6, 0, 1]);
});
