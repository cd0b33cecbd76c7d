import {
  decodeBytes,
  decodeDriverFrame,
  decodeHostFrame,
  type DriverFrame,
  encodeBytes,
  encodeFrame,
  type HostFrame,
  WireError,
} from "../../driver/host/wire.ts";
import { TELEMETRY } from "./fake_process.ts";
import { LineSplitter } from "../../driver/host/line_splitter.ts";
import { MAX_FRAME_BYTES } from "../../driver/limits.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStringIncludes,
  assertThrows,
} from "../../driver/std.ts";

const DRIVER_FRAMES: readonly DriverFrame[] = [
  {
    type: "hello",
    wire: 1,
    driver: "usbtmc",
    instance: "usbtmc-1",
    pid: 42,
    versions: { deno: "2.9.6", libusb: "1.0.26" },
  },
  {
    type: "ready",
    device: { vid: "0957", pid: "1755", path: "1-1", serial: "MY1" },
    sandbox: { mode: "sandboxed", layers: { landlock_abi: 7, seccomp: true } },
  },
  { type: "state", state: "polling" },
  { type: "state", state: "ended", cause: "the device is gone" },
  { type: "event", sequence: 3, event: "reading", data: { volts: 1.25 } },
  {
    type: "heartbeat",
    sequence: 9,
    lagMs: 0.4,
    depth: { control: 0, command: 1, report: 2 },
    inFlight: 2,
    reports: 100,
    dropped: 0,
    progress: 1,
  },
  { type: "log", level: "warn", event: "transfer.failed", message: "Stalled" },
  { type: "result", id: 1, value: null },
  { type: "result", id: 2, failure: { code: "timedOut", message: "Late" } },
  { type: "exit", reason: "clean", message: "Stopped" },
  { type: "exit", reason: "clean", message: "Stopped", telemetry: TELEMETRY },
];

const HOST_FRAMES: readonly HostFrame[] = [
  { type: "command", id: 1, command: "query", params: { message: "*IDN?" } },
  { type: "stop", reason: "Ctrl-C" },
];

Deno.test("Wire carries every frame there and back unchanged", () => {
  for (const frame of DRIVER_FRAMES) {
    assertEquals(decodeDriverFrame(withoutNewline(encodeFrame(frame))), frame);
  }
  for (const frame of HOST_FRAMES) {
    assertEquals(decodeHostFrame(withoutNewline(encodeFrame(frame))), frame);
  }
});

Deno.test("Wire carries bytes as base64", () => {
  const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => index & 0xff);
  assertEquals(decodeBytes(encodeBytes(bytes)), bytes);
  assertThrows(() => decodeBytes("%%"), WireError, "not base64");
});

Deno.test("Wire refuses another version, naming the member", () => {
  const line = JSON.stringify({ ...DRIVER_FRAMES[0], wire: 2 });
  assertThrows(() => decodeDriverFrame(bytesOf(line)), WireError, "hello.wire");
});

Deno.test("Wire refuses what is no frame with a code", () => {
  const wrong: readonly [line: string, code: string][] = [
    ["", "notJson"],
    ["{", "notJson"],
    ["\u0000", "notJson"],
    ["[]", "badMember"],
    ["null", "badMember"],
    ['"ready"', "badMember"],
    ["{}", "unknownType"],
    ['{"type":"constructor"}', "unknownType"],
    ['{"type":"__proto__"}', "unknownType"],
    ['{"type":"stop"}', "unknownType"],
    ['{"type":"state"}', "badMember"],
    ['{"type":"state","state":7}', "badMember"],
    ['{"type":"state","state":"x","cause":null}', "badMember"],
    ['{"type":"event","sequence":-1,"event":"e","data":{}}', "badMember"],
    ['{"type":"event","sequence":1e300,"event":"e","data":{}}', "badMember"],
    ['{"type":"event","sequence":1,"event":"e","data":[]}', "badMember"],
  ];
  for (const [line, code] of wrong) {
    const error = assertThrows(() => decodeDriverFrame(bytesOf(line)));
    assertInstanceOf(error, WireError);
    assertEquals(error.code, code, line);
  }
});

Deno.test("Wire refuses a value nested deeper than its limit", () => {
  const data = '{"a":'.repeat(5_000) + "1" + "}".repeat(5_000);
  const line = `{"type":"event","sequence":1,"event":"e","data":${data}}`;
  const error = assertThrows(() => decodeDriverFrame(bytesOf(line)), WireError);
  assertEquals(error.code, "tooDeep");
});

Deno.test("Wire keeps a member named __proto__ from becoming a prototype", () => {
  const line =
    '{"type":"event","sequence":1,"event":"e","data":{"__proto__":{"x":1}},"__proto__":{"y":1}}';
  const frame = decodeDriverFrame(bytesOf(line));
  assert(!("y" in frame));
  assert(frame.type === "event" && !("x" in frame.data));
});

Deno.test("Wire refuses to send a frame over its limit", () => {
  const frame: DriverFrame = {
    type: "result",
    id: 1,
    value: "x".repeat(MAX_FRAME_BYTES),
  };
  const error = assertThrows(() => encodeFrame(frame), WireError);
  assertEquals(error.code, "tooLong");
  assertStringIncludes(error.message, "result");
});

Deno.test("LineSplitter gives the same lines however the bytes are cut", () => {
  const bytes = bytesOf("one\n\ntwo three\nfour");
  for (let size = 1; size <= bytes.length; size++) {
    const splitter = new LineSplitter();
    const lines: string[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      for (const line of splitter.push(bytes.subarray(at, at + size))) {
        lines.push(new TextDecoder().decode(line));
      }
    }
    assertEquals(lines, ["one", "", "two three"]);
    assertEquals(splitter.heldBytes, 4);
  }
});

Deno.test("LineSplitter refuses an endless line and holds nothing of it", () => {
  const splitter = new LineSplitter();
  const piece = new Uint8Array(MAX_FRAME_BYTES / 4).fill(0x61);
  assertThrows(
    () => {
      for (let times = 0; times < 5; times++) [...splitter.push(piece)];
    },
    WireError,
    "longer than",
  );
  assertEquals(splitter.heldBytes, 0);
});

Deno.test("Wire answers any bytes with a frame or a WireError", () => {
  const seed = 20_261_122;
  const random = generator(seed);
  const encoded = [...DRIVER_FRAMES, ...HOST_FRAMES].map(encodeFrame);
  for (let run = 0; run < 5_000; run++) {
    const line = mutate(
      withoutNewline(encoded[random(encoded.length)] ?? new Uint8Array()),
      random,
    );
    for (const decode of [decodeDriverFrame, decodeHostFrame]) {
      try {
        decode(line);
      } catch (error) {
        assert(
          error instanceof WireError,
          `seed ${seed}, run ${run}: ${error}`,
        );
      }
    }
  }
});

function mutate(
  line: Uint8Array,
  random: (below: number) => number,
): Uint8Array {
  const changed = Uint8Array.from(line);
  const kind = random(4);
  if (kind === 0) return changed.subarray(0, random(changed.length + 1));
  const times = 1 + random(8);
  for (let time = 0; time < times; time++) {
    const at = random(changed.length);
    if (kind === 1) changed[at] = random(256);
    if (kind === 2) changed[at] = (changed[at] ?? 0) ^ 1 << random(8);
    if (kind === 3) changed.copyWithin(at, random(changed.length));
  }
  return changed;
}

/** Mulberry32: a small seeded generator. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, 1 | state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) % below;
  };
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function withoutNewline(line: Uint8Array): Uint8Array {
  assertEquals(line.at(-1), 0x0a);
  return line.subarray(0, -1);
}
