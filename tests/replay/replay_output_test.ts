/** Standing outputs and writers in a recorded life, which is lived again. */

import type { AnyDriver, Json } from "../../driver/driver.ts";
import type { OutputOptions } from "../../driver/port.ts";
import { pattern } from "../../driver/sim/devices/loopback.ts";
import type { FaultRule } from "../../driver/sim/faults.ts";
import { assert, assertEquals, assertGreater } from "../../driver/std.ts";
import { endpointAddress } from "../../driver/usb.ts";
import {
  assertSame,
  type Context,
  driverThat,
  kinds,
  lived,
} from "./replay_kit.ts";

const SINK = endpointAddress(0x03);

/** Sends twenty times eight bytes in two goes, and says what came of it. */
function sendTwice(
  context: Context,
  more: Partial<OutputOptions> = {},
): Promise<Json> {
  const { device } = context;
  const { promise, resolve, reject } = Promise.withResolvers<Json>();
  let mostSent = 10;
  let sent = 0;
  const output = device.port.openOutput({
    endpoint: SINK,
    transfersInFlight: 3,
    transferLengthBytes: 8,
    source: (data) => {
      if (sent === mostSent) return undefined;
      data.set(pattern(8 * sent++, 8));
      context.emit("sent", { sent });
      return 8;
    },
    onEnd: ({ status, error }) => {
      context.emit("ended", { status });
      reject(error ?? device.error("io", "write", status));
    },
    ...more,
  });
  void (async (): Promise<void> => {
    await output.drained();
    mostSent = 20;
    output.resume();
    context.emit("resumed", {});
    await output.drained();
    await output.stop();
    context.emit("stopped", {});
    resolve(sent);
  })();
  return promise;
}

Deno.test("An output's source is asked again when it was asked then, and gives the same", async () => {
  for (let seed = 1; seed < 8; seed++) {
    const driver = driverThat((context) => sendTwice(context));
    const life = await lived(driver, { seed });
    assertEquals([kinds(life, "ask"), kinds(life, "asked")], [22, 22]);
    assertEquals(life.device.counters.sinkBytes, 160);
    assertSame(await life.again(driver));
  }
});

Deno.test("What a source gives otherwise is found where it is first otherwise", async () => {
  const driver = (change: number): AnyDriver =>
    driverThat(async ({ device }) => {
      let sent = 0;
      const output = device.port.openOutput({
        endpoint: SINK,
        transfersInFlight: 2,
        transferLengthBytes: 4,
        source: (data) => {
          if (sent === 5) return undefined;
          data.fill(sent++ === 3 ? change : 0);
          return 4;
        },
        onEnd: () => {},
      });
      await output.drained();
      return null;
    });
  const life = await lived(driver(7));
  assertSame(await life.again(driver(7)));
  const { divergence } = await life.again(driver(8));
  assertEquals([divergence?.expected?.kind, divergence?.part], [
    "asked",
    "bytes",
  ]);
});

Deno.test("A source that builds on what its buffer held finds it there again", async () => {
  const driver = driverThat(async ({ device }) => {
    let left = 12;
    const output = device.port.openOutput({
      endpoint: SINK,
      transfersInFlight: 3,
      transferLengthBytes: 4,
      source: (data) => {
        data[0] = (data[0] ?? 0) + left;
        return left-- > 0 ? 4 : undefined;
      },
      onEnd: () => {},
    });
    await output.drained();
    return null;
  });
  assertSame(await (await lived(driver)).again(driver));
});

Deno.test("An output that a fault ended ends again, and the failure comes of it", async () => {
  const faults: FaultRule[] = [
    { endpoint: SINK, after: 4, fault: { kind: "stall" } },
    { endpoint: SINK, after: 1, fault: { kind: "status", errno: "PROTO" } },
    { endpoint: SINK, fault: { kind: "disconnect", when: "before" } },
  ];
  for (const fault of faults) {
    const driver = driverThat((context) => sendTwice(context));
    const life = await lived(driver, { fault });
    assertEquals(kinds(life, "over"), 1);
    assertSame(await life.again(driver));
  }
});

Deno.test("A source that throws does so again, and ends its driver again", async () => {
  const driver = driverThat((context) => {
    let asked = 0;
    return sendTwice(context, {
      source: () => {
        if (++asked === 5) throw new RangeError("a bug of the source");
        return 1;
      },
    });
  });
  const life = await lived(driver);
  assertSame(await life.again(driver));
  assertEquals(life.end?.message, "RangeError: a bug of the source");
});

Deno.test("An output that is in flight when the session ends is cancelled, then as now", async () => {
  const driver = driverThat((context) => sendTwice(context));
  const life = await lived(driver, {
    fault: { endpoint: SINK, after: 2, times: 100, fault: { kind: "silent" } },
  });
  const over = life.events.find(({ kind }) => kind === "over");
  assertEquals((over?.detail as { status: string }).status, "cancelled");
  assertSame(await life.again(driver));
});

Deno.test("A writer's chunks are written again, and their failure is the same", async () => {
  const driver = driverThat(async (context) => {
    const writer = context.device.endpoint(SINK).openWritable({
      transfersInFlight: 2,
      transferLengthBytes: 64,
      zeroLengthPacket: true,
    }).getWriter();
    let sent = 0;
    for (const lengthBytes of [1, 512, 64, 0, 700, 300]) {
      await writer.write(pattern(sent, lengthBytes));
      sent += lengthBytes;
      context.emit("written", { sent });
    }
    await writer.close();
    return sent;
  });
  const life = await lived(driver);
  assertEquals(life.device.counters.sinkBytes, 1577);
  assertSame(await life.again(driver));
  const failed = await lived(driver, {
    fault: { endpoint: SINK, after: 5, fault: { kind: "stall" } },
  });
  assertGreater(kinds(failed, "failure"), 0);
  assertSame(await failed.again(driver));
});

Deno.test("An output that was refused is refused again", async () => {
  const driver = driverThat((context) =>
    sendTwice(context, { transfersInFlight: 0 })
  );
  const life = await lived(driver);
  assertGreater(kinds(life, "failure"), 0);
  assertSame(await life.again(driver));
});

Deno.test("A journal that asks for what no output has ends the replay, and allocates nothing", async () => {
  const driver = driverThat((context) => sendTwice(context));
  const life = await lived(driver);
  const forged = [
    { buffer: 1e6, lengthBytes: 8 },
    { buffer: 0, lengthBytes: 1e12 },
    { buffer: -1, lengthBytes: 8 },
    "nothing",
  ];
  for (const detail of forged) {
    const first = life.events.findIndex(({ kind }) => kind === "ask");
    const events = life.events.map((event, at) =>
      at === first ? { ...event, detail } : event
    );
    const result = await life.again(driver, { events });
    assert(result.problem !== undefined || result.divergence !== undefined);
  }
});
