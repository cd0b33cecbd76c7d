import type { AnyDriver, EventMap, Json } from "../../driver/driver.ts";
import { defineDriver, type Driver } from "../../driver/driver.ts";
import type { JournalEvent } from "../../driver/loop/journal.ts";
import { eventText } from "../../driver/loop/journal_text.ts";
import type { ReplayResult, ReplayStep } from "../../driver/replay/replay.ts";
import { judge } from "../../driver/replay/verdict.ts";
import {
  LOOPBACK_PRODUCT_ID,
  LOOPBACK_VENDOR_ID,
} from "../../driver/sim/devices/loopback_descriptors.ts";
import { LOOPBACK_REQUEST } from "../../driver/sim/devices/loopback.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "../../driver/std.ts";
import { endpointAddress, type SetupPacket } from "../../driver/usb.ts";
import { RecordedLife } from "./recorded_life.ts";

function request(number: number, value = 0): SetupPacket {
  const to = { requestType: "vendor", recipient: "device" } as const;
  return { ...to, request: number, value, index: 0 };
}

/** A driver of the loopback, whose reports come each 5 ms. */
function loopbackDriver<State = undefined>(
  parts: Partial<Driver<State, EventMap>>,
): AnyDriver {
  return defineDriver<State, EventMap>({
    name: "test",
    description: "A driver for tests",
    match: [{ vendorId: LOOPBACK_VENDOR_ID, productId: LOOPBACK_PRODUCT_ID }],
    interfaces: [{ interfaceNumber: 0 }],
    init: () => undefined as State,
    start: async (_state, { device }) => {
      await device.controlOut(request(LOOPBACK_REQUEST.periodicReports, 5));
    },
    ...parts,
  });
}

/** Reports handled so. */
function handling(
  handle: (
    data: Uint8Array,
    emit: (data: Record<string, Json>) => void,
  ) => void,
): AnyDriver {
  return loopbackDriver({
    inputs: [{
      name: "reports",
      endpoint: endpointAddress(0x82),
      handle: (_state, { data }, context) =>
        handle(data, (event) => context.emit("seen", event)),
    }],
  });
}

async function lived(
  driver: AnyDriver,
  during: (life: RecordedLife) => Promise<void> | void = () => {},
): Promise<RecordedLife> {
  const life = new RecordedLife(driver);
  await life.start();
  await during(life);
  await life.clock.advance(50);
  await life.finish();
  return life;
}

function assertSame(result: ReplayResult): void {
  assertEquals([result.divergence, result.problem], [undefined, undefined]);
}

Deno.test("A life without failure is lived again to its end, with the same trace hash each time", async () => {
  const driver = handling((data, emit) => emit({ first: data[0] ?? 0 }));
  const life = await lived(driver);
  const [once, again] = [await life.again(driver), await life.again(driver)];
  assertSame(once);
  assertGreater(once.steps, 20);
  assertEquals(again, once);
  assertEquals(once.beyond, []);
});

Deno.test("The failure of a handler comes again from the same handler", async () => {
  const driver = handling((data) => {
    if (data[0] === 4) throw new RangeError("not a four");
  });
  const life = await lived(driver);
  const result = await life.again(driver);
  assertSame(result);
  assertEquals(result.lastEnd, {
    name: "reports",
    failure: "RangeError: not a four",
  });
  const end = { exitClass: "fault", message: "RangeError: not a four" };
  assertEquals(judge(result, end), {
    kind: "reproduced",
    sentence: "Reproduced: report reports fails again: RangeError: not a four",
  });
});

Deno.test("What a driver does otherwise is found where it is first otherwise", async () => {
  const emits = (change: (first: number) => Record<string, Json>): AnyDriver =>
    handling((data, emit) => emit(change(data[0] ?? 0)));
  const life = await lived(emits((first) => ({ first })));
  const told = async (driver: AnyDriver): Promise<string> => {
    const { divergence } = await life.again(driver);
    const { expected, actual, part } = divergence ?? {};
    const text = (event?: JournalEvent): string =>
      event === undefined ? "nothing" : eventText(event);
    return `${part}: ${text(expected)} | ${text(actual)}`;
  };
  assertEquals(
    await told(emits((first) => ({ first: first === 3 ? 99 : first }))),
    'detail: → emit seen {"first":3} | → emit seen {"first":99}',
  );
  assertEquals(
    await told(handling((data, emit) => {
      if (data[0] !== 2) emit({ first: data[0] ?? 0 });
    })),
    'undefined: → emit seen {"first":2} | = end reports'
      .replace("= end", "end"),
  );
  assertEquals(
    await told(handling((data, emit) => {
      emit({ first: data[0] ?? 0 });
      if (data[0] === 1) emit({ again: true });
    })),
    'undefined: end reports | → emit seen {"again":true}',
  );
  assertEquals(
    await told(loopbackDriver({
      start: async (_state, { device }) => {
        await device.controlOut(request(LOOPBACK_REQUEST.periodicReports, 6));
      },
      inputs: emits((first) => ({ first })).inputs ?? [],
    })).then((text) => text.slice(0, 30)),
    "detail: → call controlOut 0x03",
  );
});

Deno.test("A driver that waits for what never came is found, too", async () => {
  const driver = (waits: boolean): AnyDriver =>
    loopbackDriver({
      inputs: [{
        name: "reports",
        endpoint: endpointAddress(0x82),
        handle: async (_state, _report, context) => {
          if (waits) await new Promise(() => {});
          context.emit("seen", {});
        },
      }],
    });
  const life = await lived(driver(false));
  const { divergence } = await life.again(driver(true));
  assertEquals([divergence?.expected?.kind, divergence?.actual], [
    "emit",
    undefined,
  ]);
});

Deno.test("Time and chance are those of then", async () => {
  const got: Json[][] = [[], []];
  let round = 0;
  const driver = loopbackDriver({
    inputs: [{
      name: "reports",
      endpoint: endpointAddress(0x82),
      handle: (_state, report, context) => {
        got[round]?.push([
          context.nowMs(),
          context.random(),
          report.timestampMs,
          context.device.port.nowMs(),
        ]);
      },
    }],
  });
  const life = await lived(driver);
  round = 1;
  assertSame(await life.again(driver));
  assertGreater(got[0]?.length ?? 0, 5);
  assertEquals(got[1], got[0]);
});

Deno.test("A driver that reads an endpoint itself gets the reports of then", async () => {
  const read: number[][] = [[], []];
  let round = 0;
  const driver = loopbackDriver({
    commands: {
      read: {
        description: "Reads five reports",
        run: async (_state, _params, context) => {
          const reports = context.device.endpoint(0x82).reports();
          for await (const { data } of reports) {
            read[round]?.push(data[0] ?? 0);
            if ((read[round]?.length ?? 0) === 5) break;
          }
          return read[round]?.length ?? 0;
        },
      },
    },
  });
  const life = await lived(driver, (made) => made.command("read"));
  round = 1;
  assertSame(await life.again(driver));
  assertEquals([read[0]?.length, read[1]], [5, read[0]]);
});

Deno.test("A signal that fired fires again, with its reason", async () => {
  const reasons: string[] = [];
  const driver = loopbackDriver({
    commands: {
      wait: {
        description: "Waits until it is told not to",
        run: async (_state, _params, context) => {
          const { signal } = context;
          await new Promise<void>((resolve) =>
            signal.addEventListener("abort", () => resolve())
          );
          reasons.push(String(signal.reason));
          throw context.device.error("timedOut", "wait", "told to end");
        },
      },
    },
  });
  const life = await lived(driver, async (made) => {
    made.command("wait", {}, 20);
    await made.clock.advance(100);
  });
  assertSame(await life.again(driver));
  assertEquals(reasons.length, 2);
  assertEquals(reasons[1], reasons[0]);
  assertMatch(reasons[0] ?? "", /its time limit passed/);
});

Deno.test("Parameters of a command come back, bytes as bytes", async () => {
  const seen: unknown[] = [];
  const driver = loopbackDriver({
    commands: {
      put: {
        description: "Takes bytes",
        params: {
          bytes: { type: "bytes", maxBytes: 8, description: "Them" },
          times: { type: "integer", minimum: 0, maximum: 9, description: "N" },
        },
        run: (_state, params) => {
          seen.push(params);
          return null;
        },
      },
    },
  });
  const life = await lived(
    driver,
    (made) => made.command("put", { bytes: "AQL/", times: 3 }),
  );
  assertSame(await life.again(driver));
  assertEquals(seen[1], { bytes: Uint8Array.of(1, 2, 255), times: 3 });
  assertEquals(seen[0], seen[1]);
});

Deno.test("A replay goes on from the driver's state where the middle of a life is missing", async () => {
  const driver = loopbackDriver<{ sum: number }>({
    init: () => ({ sum: 0 }),
    inputs: [{
      name: "reports",
      endpoint: endpointAddress(0x82),
      handle: (state, { data }, context) => {
        state.sum += data[0] ?? 0;
        context.emit("sum", { sum: state.sum });
      },
    }],
  });
  const life = await lived(driver, (made) => made.clock.advance(5_000));
  const { events } = life;
  const checkpoint = events.findLastIndex(({ kind }) => kind === "checkpoint");
  assertGreater(checkpoint, 100);
  const cut = [...events.slice(0, 30), ...events.slice(checkpoint - 7)];
  const steps: ReplayStep[] = [];
  const result = await life.again(driver, {
    events: cut,
    onStep: (step) => steps.push(step),
  });
  assertSame(result);
  assertEquals(result.isLoose, false);
  const gap = steps.find(({ kind }) => kind === "gap");
  assertEquals(gap, {
    kind: "gap",
    events: checkpoint - 30,
    goesOn: "checkpoint",
  });
  // Without it the sum cannot be right, and is not compared.
  const without = cut.filter(({ kind }) => kind !== "checkpoint");
  const loose = await life.again(driver, { events: without });
  assertSame(loose);
  assertEquals(loose.isLoose, true);
});

Deno.test("A state that is not what it was is noticed at the next checkpoint", async () => {
  const counting = (by: number): AnyDriver =>
    loopbackDriver<{ count: number }>({
      init: () => ({ count: 0 }),
      inputs: [{
        name: "reports",
        endpoint: endpointAddress(0x82),
        handle: (state) => void (state.count += by),
      }],
    });
  const life = await lived(counting(1), (made) => made.clock.advance(3_000));
  assertSame(await life.again(counting(1)));
  const { divergence } = await life.again(counting(2));
  assertEquals([divergence?.part, divergence?.expected?.kind], [
    "state",
    "checkpoint",
  ]);
});

Deno.test("What was too long to be kept stops a replay, and is said", async () => {
  const driver = handling(() => {});
  const life = await lived(driver);
  const events = life.events.map((event) =>
    event.kind === "report" && event.sequence > 10
      ? { ...event, sizeBytes: 70_000 }
      : event
  );
  const { problem } = await life.again(driver, { events });
  assertEquals(problem, "of reports only 8 of 70000 bytes were kept");
});

Deno.test("A driver without what was used of it is another one, and that is said", async () => {
  const life = await lived(handling(() => {}));
  const { problem } = await life.again(loopbackDriver({}));
  assertEquals(problem, "the driver has no input reports: it is another one");
});

Deno.test("A journal in which anything is anything else ends a replay, one way or the other", async () => {
  const driver = handling((data, emit) => emit({ first: data[0] ?? 0 }));
  const life = await lived(driver, (made) => made.command("none"));
  const { events, chance } = life;
  let different = 0;
  for (let n = 0; n < 300; n++) {
    const at = chance.integer(0, events.length - 1);
    const other = chance.pick(events);
    const changed = [...events];
    const event = events[at];
    assert(event !== undefined);
    changed[at] = chance.pick<JournalEvent>([
      other,
      { ...event, id: chance.integer(0, 9) },
      { ...event, detail: chance.pick<Json>([null, 7, [], "x", { error: 1 }]) },
      { ...event, kind: other.kind },
      { ...event, name: "__proto__" },
      { ...event, sequence: event.sequence + 5 },
      { ...event, timeMs: 0, payload: new Uint8Array(3) },
    ]);
    const { divergence, problem, isLoose } = await life.again(driver, {
      events: changed,
    });
    if (divergence !== undefined || problem !== undefined || isLoose) {
      different++;
    }
  }
  assertGreater(different, 100);
});

Deno.test("A verdict says what a replay cannot repeat, and why", async () => {
  const driver = handling(() => {});
  const result = await (await lived(driver)).again(driver);
  const sentences = [
    "native-crash",
    "hang",
    "out-of-memory",
    "sandbox-kill",
    "protocol",
    "fault",
  ].map((exitClass) => judge(result, { exitClass, message: "it ended" }));
  for (const { kind, sentence } of sentences) {
    assertEquals(kind, "not-reproduced");
    assertStringIncludes(
      sentence,
      "The driver does the same up to the last event",
    );
  }
  assertEquals(new Set(sentences.map(({ sentence }) => sentence)).size, 6);
  const rejected = judge(result, { exitClass: "fault", message: "x" }, ["no"]);
  assertEquals(rejected.kind, "reproduced");
  assertNotEquals(rejected.sentence, "");
});
