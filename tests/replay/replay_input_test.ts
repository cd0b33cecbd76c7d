/** Standing inputs and readers of a driver's own in a recorded life, which is lived again. */

import type { AnyDriver, Driver, EventMap } from "../../driver/driver.ts";
import { Chance } from "../../driver/loop/chance.ts";
import { LOOPBACK_REQUEST } from "../../driver/sim/devices/loopback.ts";
import type { FaultRule } from "../../driver/sim/faults.ts";
import { assertEquals, assertGreater } from "../../driver/std.ts";
import { endpointAddress } from "../../driver/usb.ts";
import type { RecordedLife } from "./recorded_life.ts";
import { assertSame, type Context, driverThat, lived } from "./replay_kit.ts";

const SOURCE = endpointAddress(0x83);
const ECHO_IN = endpointAddress(0x81);
const REPORTS = endpointAddress(0x82);
const REPORT = {
  requestType: "vendor",
  recipient: "device",
  request: LOOPBACK_REQUEST.report,
  value: 0,
  index: 0,
} as const;

/** What `receiveReports` receives from. */
const STANDING: Pick<Driver<undefined, EventMap>, "inputs"> = {
  inputs: [{
    name: "reports",
    endpoint: REPORTS,
    transfersInFlight: 4,
    handle: (_state, { data }, context) => {
      context.emit("handled", { first: data[0] ?? 0 });
    },
  }],
};

/** Links of a chain of promises, as code of any driver has between two things it does. */
async function links(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await Promise.resolve();
}

/** Reads by a reader, with work of some links for each report. */
async function readReports(
  context: Context,
  chance: Chance,
): Promise<number> {
  let bytes = 0;
  let left = chance.integer(5, 30);
  const reports = context.device.endpoint(SOURCE).reports({
    transfersInFlight: chance.integer(1, 4),
    readAhead: chance.integer(1, 4),
    transferLengthBytes: 64,
  });
  for await (const { data } of reports) {
    context.emit("begins", { left });
    await links(chance.integer(0, 6));
    context.emit("ends", { left });
    bytes += data.length;
    if (--left === 0) break;
  }
  return bytes;
}

/** Reads a stream, by buffers of its own or not. */
async function readStream(context: Context, chance: Chance): Promise<number> {
  const { device } = context;
  const readable = device.endpoint(SOURCE).openReadable({
    transfersInFlight: chance.integer(1, 4),
    transferLengthBytes: 64,
  });
  let bytes = 0;
  if (chance.happens(0.5)) {
    const reader = readable.getReader({ mode: "byob" });
    for (let n = chance.integer(3, 20); n > 0; n--) {
      const { value } = await reader.read(
        new Uint8Array(chance.integer(1, 200)),
      );
      bytes += value?.length ?? 0;
      context.emit("read", { bytes });
      await links(chance.integer(0, 6));
    }
    await reader.cancel();
    return bytes;
  }
  for await (const chunk of readable) {
    bytes += chunk.length;
    context.emit("read", { bytes });
    await links(chance.integer(0, 6));
    if (chance.happens(0.1)) break;
  }
  return bytes;
}

/** Takes reports itself, refuses some, and goes on when it has had its links. */
async function takeReports(context: Context, chance: Chance): Promise<number> {
  const { device } = context;
  let taken = 0;
  let refused = 0;
  let round = 0;
  let room = 2;
  const over = Promise.withResolvers<string>();
  const input = device.port.openInput({
    endpoint: SOURCE,
    transfersInFlight: chance.integer(1, 4),
    transferLengthBytes: 64,
    sink: () => {
      if (room === 0) {
        context.emit("refused", { refused: ++refused, round });
        return false;
      }
      room--;
      context.emit("taken", { taken: ++taken, round });
      return true;
    },
    onEnd: ({ status }) => {
      context.emit("over", { status });
      over.resolve(status);
    },
  });
  for (let n = chance.integer(3, 20); n > 0; n--) {
    await links(chance.integer(0, 9));
    room += chance.integer(0, 3);
    input.resume();
    // What was held is offered within the call, and nothing else is.
    round++;
    if (chance.happens(0.3)) await context.sleep(1);
  }
  if (chance.happens(0.5)) await input.stop();
  return taken;
}

/** Has the device send reports, and receives some of them, at once and one behind the other. */
async function receiveReports(
  context: Context,
  chance: Chance,
): Promise<number> {
  let received = 0;
  const receive = async (): Promise<void> => {
    const wants = chance.integer(0, 3);
    const take = (data: Uint8Array): boolean => {
      context.emit("looks", { received });
      return wants === 0 || (data[0] ?? 0) % 4 === wants;
    };
    try {
      await context.receive("reports", take, { timeoutMs: 5 });
      received++;
    } catch {
      context.emit("missed", { received });
    }
    await links(chance.integer(0, 6));
    context.emit("received", { received });
  };
  for (let n = chance.integer(3, 10); n > 0; n--) {
    const sent = Array.from(
      { length: chance.integer(1, 4) },
      () => context.device.controlOut(REPORT),
    );
    const receiving = Array.from({ length: chance.integer(1, 3) }, receive);
    await Promise.all([...sent, ...receiving]);
    await receive();
  }
  return received;
}

const LIVES = 100;
/** Every second life has none. */
const FAULTS: readonly FaultRule[] = [
  { endpoint: SOURCE, after: 9, fault: { kind: "stall" } },
  { endpoint: SOURCE, after: 6, fault: { kind: "status", errno: "PROTO" } },
  { endpoint: SOURCE, after: 4, fault: { kind: "disconnect", when: "before" } },
  { endpoint: SOURCE, after: 3, fault: { kind: "late", delayMs: 20 } },
];

const WAYS = { readReports, readStream, takeReports, receiveReports };

for (const [name, way] of Object.entries(WAYS)) {
  Deno.test(`What came in the midst of a driver's work comes there again: ${name}`, async () => {
    let count = 0;
    for (let seed = 0; seed < LIVES; seed++) {
      const driver = (): AnyDriver =>
        driverThat((context) => way(context, new Chance(seed)), STANDING);
      const fault = FAULTS[seed % (2 * FAULTS.length)];
      const life = await lived(driver(), {
        seed,
        ...(fault === undefined ? {} : { fault }),
      });
      assertSame(await life.again(driver()), `SEED ${seed}`);
      count += inOneGo(life);
    }
    assertGreater(count, 2 * LIVES, "There was hardly anything to it");
  });
}

Deno.test("A reader that is at its end because the device was closed is so again", async () => {
  const driver = driverThat((context) => {
    void (async (): Promise<void> => {
      for await (const _ of context.device.endpoint(ECHO_IN).reports()) {
        context.emit("report", {});
      }
      context.emit("at its end", {});
    })();
    return null;
  }, STANDING);
  const life = await lived(driver);
  const over = life.events.find(({ kind }) => kind === "over");
  assertEquals((over?.detail as { isClosed: boolean }).isClosed, true);
  assertGreater(life.events.findIndex(({ name }) => name === "at its end"), 0);
  assertEquals(life.end?.class, "clean");
  assertSame(await life.again(driver));
});

Deno.test("What came in one go and was too long to be kept is the problem, not what comes of it", async () => {
  const driver = (): AnyDriver =>
    driverThat((context) => takeReports(context, new Chance(3)), STANDING);
  const life = await lived(driver());
  for (const word of ["together", "within"]) {
    const { events } = life;
    const at = events.findIndex(({ kind, detail }) =>
      kind === "offer" && typeof detail === "object" && detail !== null &&
      word in detail
    );
    const cut = events.map((event, n) =>
      n === at ? { ...event, payload: new Uint8Array(1) } : event
    );
    const { problem, divergence } = await life.again(driver(), { events: cut });
    assertEquals(divergence, undefined);
    assertEquals(
      problem,
      "of openInput 0x83 only 1 of 64 bytes were kept",
    );
  }
});

/** How often something came in one go with what came before it. */
function inOneGo({ events }: RecordedLife): number {
  return events.filter(({ kind, detail }) =>
    kind !== "done" && typeof detail === "object" && detail !== null &&
    ("together" in detail || "within" in detail)
  ).length;
}
