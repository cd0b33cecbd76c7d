import {
  BUNDLE_BYTES_MAX,
  type CrashBundle,
  readBundle,
} from "../../../driver/host/crash/crash_bundle.ts";
import {
  type BundleParts,
  bundleText,
} from "../../../driver/host/crash/bundle_text.ts";
import { WireError } from "../../../driver/host/wire_check.ts";
import { parseConfigurationDescriptor } from "../../../driver/descriptors.ts";
import { toHex } from "../../../driver/loop/recording.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLessOrEqual,
  assertStringIncludes,
  assertThrows,
} from "../../../driver/std.ts";
import { fakeDevice } from "../../cli/fake_parts.ts";
import { CRASHED, flightOf, logLine, partsOf, reportEvent } from "./parts.ts";

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function bundleOf(
  more: Partial<BundleParts> = {},
): Promise<CrashBundle> {
  return readBundle(bytesOf(await bundleText(partsOf(more))));
}

Deno.test("A bundle says all there is to know of a failure", async () => {
  const { driver, end, process, versions, device, ...rest } = await bundleOf();
  assertEquals(rest.at, "2026-01-02T03:04:05.678Z");
  assertEquals([driver.instance, driver.name, driver.manifest_hash], [
    "dmm",
    "usbtmc",
    "00",
  ]);
  assertEquals(end, {
    class: "native-crash",
    message: "native code crashed",
    code: 139,
    signal: "SIGSEGV",
    was_ready: true,
    ready_ms: 1235,
    session_state: "ready",
  });
  assertEquals(process, {
    pid: 4711,
    payloads: false,
    seed: 7,
    now_ms: 0,
    wall_ms: 1_000,
  });
  assertEquals(versions, { driverspace: "0.1.0", libusb: "1.0.26" });
  assertEquals(rest.system, { kernel: "6.18" });
  assertEquals(
    [device?.label, device?.product, device?.descriptor["vendorId"]],
    [
      "0957:1755@1-4",
      "34410A",
      0x0957,
    ],
  );
  assertEquals(rest.options, { poll: "READ?" });
  assertEquals(rest.sandbox?.mode, "direct");
  assertEquals(rest.heartbeat?.["sequence"], 3);
  assertEquals(rest.states.map(({ from, to }) => `${from} ${to}`), [
    "starting ready",
  ]);
  assertEquals(rest.stderr, "last words\n");
  assertEquals([rest.log[0]?.message, rest.log_dropped], ["hello", 3]);
  assertEquals(rest.journal, [reportEvent(0), reportEvent(1)]);
});

Deno.test("A bundle has a line for each event, line and state, for people and grep", async () => {
  const text = await bundleText(partsOf());
  assertStringIncludes(text, '\n[1,1,0,"report","0x81",8]\n');
  assertStringIncludes(text, '\n"end": {"class":"native-crash"');
});

Deno.test("A bundle keeps a device's descriptors, so that it can be played", async () => {
  const bytes = Uint8Array.of(9, 2, 9, 0, 0, 1, 0, 0x80, 50);
  const configuration = parseConfigurationDescriptor(bytes);
  const { device } = await bundleOf({
    device: fakeDevice({
      configurations: [configuration],
      configurationValue: configuration.configurationValue,
    }),
  });
  assertEquals([device?.configurations, device?.configuration_value], [
    [toHex(bytes)],
    1,
  ]);
});

Deno.test("A bundle tells no serial number, in no sentence, unless bytes were asked for", async () => {
  const serialNumber = "MY47000001";
  const parts: Partial<BundleParts> = {
    device: fakeDevice({ serialNumber }),
    log: { lines: [logLine(1, `It is ${serialNumber}.`)], dropped: 0 },
    end: {
      ...CRASHED,
      message: `Lost ${serialNumber}`,
      stderrTail: `${serialNumber}\n`,
    },
    states: [{
      from: "ready",
      to: "backoff",
      cause: `Lost ${serialNumber}`,
      atMs: 0,
    }],
  };
  const text = await bundleText(partsOf(parts));
  assert(!text.includes(serialNumber), text);
  assertStringIncludes(text, "It is [serial number].");
  const asked = await bundleOf({ ...parts, flight: flightOf([], "full") });
  assertEquals([asked.device?.serial, asked.log[0]?.message], [
    serialNumber,
    `It is ${serialNumber}.`,
  ]);
  assertEquals(asked.process.payloads, true);
});

Deno.test("A short serial number takes no other number out of a sentence", async () => {
  const { log } = await bundleOf({
    device: fakeDevice({ serialNumber: "0001" }),
    log: { lines: [logLine(1, "1209:0001 is 0001")], dropped: 0 },
  });
  assertEquals(log[0]?.message, "1209:0001 is 0001");
});

Deno.test("A bundle of a driver that says far too much is bounded, and keeps what is newest", async () => {
  const long = "\u{1F4A5}\0".repeat(4_000);
  const events = Array.from(
    { length: 9_000 },
    (_, n) => reportEvent(n, { payload: new Uint8Array(64) }),
  );
  const text = await bundleText(partsOf({
    log: {
      lines: Array.from({ length: 200 }, (_, n) => logLine(n, `${n} ${long}`)),
      dropped: 0,
    },
    states: Array.from({ length: 32 }, (_, n) => ({
      from: "ready",
      to: "backoff",
      cause: `${n} ${long}`,
      atMs: n,
    })),
    end: { ...CRASHED, stderrTail: `${long}the end`, message: long },
    manifest: { padding: long.repeat(4) },
    options: { padding: long.repeat(4) },
    flight: flightOf(events),
  }));
  assertLessOrEqual(bytesOf(text).length, BUNDLE_BYTES_MAX);
  const bundle = readBundle(bytesOf(text));
  assert(bundle.stderr.endsWith("the end"));
  assert(bundle.log.at(-1)?.message.startsWith("199 "));
  assertEquals(bundle.log.length + bundle.log_dropped, 200);
  assert(bundle.states.at(-1)?.cause?.startsWith("31 "));
  assertEquals([bundle.driver.manifest, bundle.options], [
    undefined,
    { truncated: true },
  ]);
  const sequences = bundle.journal.map(({ sequence }) => sequence);
  assertEquals([sequences[0], sequences.at(-1)], [0, 8_999]);
  assertGreater(sequences.length, 500);
});

Deno.test("What a dying driver sent as its journal and is none is counted and left out", async () => {
  const flight = flightOf([reportEvent(0)]);
  const lines = [...flight.lines(), "[1,2", "null", '{"a":1}', "x".repeat(9)];
  const bundle = await bundleOf({ flight: { ...flight, lines: () => lines } });
  assertEquals([bundle.journal.length, bundle.journal_unreadable], [1, 4]);
});

Deno.test("A bundle of a process that never said a word is one, too", async () => {
  const bundle = await bundleOf({
    flight: {
      pid: undefined,
      versions: {},
      journal: undefined,
      sandbox: undefined,
      lastBeat: undefined,
      state: undefined,
      lines: () => [],
    },
    device: undefined,
    states: [],
    log: { lines: [], dropped: 0 },
  });
  assertEquals([bundle.device, bundle.sandbox, bundle.journal], [
    undefined,
    undefined,
    [],
  ]);
});

Deno.test("What is no bundle of this version, whole and sound, is refused with what is wrong", async () => {
  const text = await bundleText(partsOf());
  const changed = (
    change: (bundle: Record<string, unknown>) => void,
  ): string => {
    const bundle = JSON.parse(text);
    change(bundle);
    return JSON.stringify(bundle);
  };
  let deep: unknown = 1;
  for (let n = 0; n < 40; n++) deep = { deep };
  const bad: [string, string][] = [
    ["", "it is cut, or none"],
    [text.slice(0, -40), "it is cut, or none"],
    ["[]", "expected an object"],
    ["{}", "it is none"],
    [changed((b) => b["format"] = "else"), "it is none"],
    [changed((b) => b["version"] = 2), "version 2, and 1 is known"],
    [changed((b) => delete b["end"]), "bundle.end"],
    [changed((b) => b["end"] = { class: "magic" }), "bundle.end.class"],
    [changed((b) => b["options"] = deep), "nested deeper"],
    [changed((b) => b["journal"] = {}), "bundle.journal"],
    [changed((b) => b["journal"] = [[1]]), "bundle.journal[0]"],
    [changed((b) => b["journal"] = [0, 1]), "bundle.journal[0]"],
    [changed((b) => b["log"] = new Array(2_000).fill(0)), "at most 1024"],
    [changed((b) => b["device"] = { label: 7 }), "bundle.device.label"],
    [changed((b) => b["stderr"] = "x".repeat(70_000)), "bundle.stderr"],
    [" ".repeat(BUNDLE_BYTES_MAX + 1), "none has more than"],
  ];
  for (const [source, message] of bad) {
    assertThrows(() => readBundle(bytesOf(source)), WireError, message);
  }
  assertThrows(() => readBundle(Uint8Array.of(0xff, 0xfe)), WireError, "cut");
});

Deno.test("A bundle in which any one byte is another is read or refused, and nothing else", async () => {
  const bytes = bytesOf(await bundleText(partsOf()));
  for (let at = 0; at < bytes.length; at += 3) {
    const other = bytes.slice();
    other[at] = (other[at] ?? 0) ^ (1 << (at % 7));
    try {
      readBundle(other);
    } catch (error) {
      assert(error instanceof WireError, `at ${at}: ${error}`);
    }
  }
});
