import {
  driverProgramUrl,
  interfaceNumbers,
} from "../../driver/host/driver_command.ts";
import {
  decodeDriverConfig,
  type DriverConfig,
  encodeDriverConfig,
} from "../../driver/host/driver_config.ts";
import { deviceStrings } from "../../driver/host/driver_words.ts";
import { FrameSender } from "../../driver/host/frame_sender.ts";
import { cacheFolder, logFolder } from "../../driver/host/own_folders.ts";
import { parseParameters } from "../../driver/host/parameters.ts";
import {
  checkDirectPermissions,
  directFlags,
} from "../../driver/host/permissions.ts";
import { type DriverFrame, WireError } from "../../driver/host/wire.ts";
import { settle } from "../../driver/loop/clock.ts";
import type { ParameterSpec } from "../../driver/driver.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertThrows,
} from "../../driver/std.ts";
import { fakeDevice } from "../cli/fake_parts.ts";

const GRANTS = {
  library: "/usr/lib/libusb-1.0.so.0",
  nodePath: "/dev/bus/usb/001/007",
  logPath: "/var/log/a,b.log",
};

Deno.test("Direct mode's flags name each path exactly, commas doubled", () => {
  assertEquals(directFlags(GRANTS), [
    "--allow-ffi=/usr/lib/libusb-1.0.so.0",
    "--allow-read=/dev/bus/usb/001/007",
    "--allow-write=/dev/bus/usb/001/007,/var/log/a,,b.log",
  ]);
});

Deno.test("Direct mode tells what is missing and what is too much", () => {
  assertEquals(checkDirectPermissions(GRANTS, () => false), {
    missing: [
      "--allow-ffi=/usr/lib/libusb-1.0.so.0",
      "--allow-read=/dev/bus/usb/001/007",
      "--allow-write=/dev/bus/usb/001/007",
      "--allow-write=/var/log/a,,b.log",
    ],
    excess: [],
  });
  const all = checkDirectPermissions(GRANTS, () => true);
  assertEquals(all.missing, []);
  assertEquals(all.excess, [
    ...["--allow-ffi", "--allow-read", "--allow-write", "--allow-net"],
    ...["--allow-env", "--allow-run", "--allow-sys"],
  ]);
  const exact = checkDirectPermissions(GRANTS, (asked) => "path" in asked);
  assertEquals(exact, { missing: [], excess: [] });
});

const SPECS: Readonly<Record<string, ParameterSpec>> = {
  count: { type: "integer", minimum: 0, maximum: 9, description: "How many" },
  gain: {
    type: "number",
    minimum: -1,
    maximum: 1,
    optional: true,
    description: "Gain",
  },
  isOn: { type: "boolean", optional: true, description: "On" },
  data: { type: "bytes", maxBytes: 4, optional: true, description: "Bytes" },
  text: { type: "string", maxLength: 9, optional: true, description: "Text" },
};

Deno.test("Parameters are read by their specification", () => {
  const texts = [
    "count=0x7",
    "gain=-5e-1",
    "isOn=yes",
    "data=0x0aFF",
    "text=a=b",
  ];
  assertEquals(parseParameters(SPECS, texts, { what: "query" }), {
    count: 7,
    gain: -0.5,
    isOn: true,
    data: "Cv8=",
    text: "a=b",
  });
});

Deno.test("Parameters that are unknown, missing, wrong or given twice are refused by name", () => {
  const wrong: readonly [texts: string[], text: string][] = [
    [["count"], "NAME=VALUE"],
    [[], "count"],
    [["count=1", "count=2"], "twice"],
    [["count=ten"], "number"],
    [["count=10"], "count"],
    [["count=1.5"], "count"],
    [["count=1", "gain=2"], "gain"],
    [["count=1", "isOn=maybe"], "true or false"],
    [["count=1", "data=0xabc"], "hexadecimal"],
    [["count=1", "data=12345"], "data"],
    [["count=1", "text=0123456789"], "text"],
    [["count=1", "other=1"], "other"],
    [["count=1", "__proto__=1"], "__proto__"],
  ];
  for (const [texts, text] of wrong) {
    const error = assertThrows(() =>
      parseParameters(SPECS, texts, { what: "query" })
    );
    const isRefusal = error instanceof TypeError || error instanceof RangeError;
    assert(isRefusal && error.message.includes(text), `${texts}: ${error}`);
  }
});

const CONFIG: DriverConfig = {
  instance: "usbtmc",
  boot: "b",
  mode: "sandboxed",
  library: "/l",
  nodePath: "/dev/bus/usb/001/007",
  portPath: "1-4",
  busNumber: 1,
  strings: { product: "DMM", serialNumber: "MY57229870" },
  options: { poll: "READ?" },
};

Deno.test("A driver's configuration goes there and back unchanged", () => {
  assertEquals(decodeDriverConfig(encodeDriverConfig(CONFIG)), CONFIG);
});

Deno.test("A driver is told the strings its device has, and none that no device can have", () => {
  const manufacturer = "x".repeat(126);
  const info = { manufacturer, product: undefined, serialNumber: "" };
  assertEquals(deviceStrings(info), { manufacturer, serialNumber: "" });
  const long = { ...info, manufacturer: `${manufacturer}x` };
  assertEquals(deviceStrings(long), { serialNumber: "" });
  const told = { ...CONFIG, strings: { manufacturer: long.manufacturer } };
  assertThrows(
    () => decodeDriverConfig(encodeDriverConfig(told)),
    WireError,
    "manufacturer",
  );
});

Deno.test("A driver started by hand says what it is for", () => {
  for (const argument of [undefined, "", "--help", "[]", '{"mode":"open"}']) {
    assertThrows(() => decodeDriverConfig(argument), WireError);
  }
});

Deno.test("A driver's program imports exactly the driver and its process", () => {
  const url = driverProgramUrl("file:///a b/d.ts", "file:///p.ts");
  assertEquals(
    decodeURIComponent(url.slice("data:application/javascript,".length)),
    'import driver from "file:///a b/d.ts";\n' +
      'import { serveDriver } from "file:///p.ts";\n' +
      "await serveDriver(driver);\n",
  );
});

Deno.test("Interfaces that a device lacks are refused before anything is opened", () => {
  assertThrows(
    () => interfaceNumbers([{ interfaceClass: 0xfe }], fakeDevice()),
    Error,
    "Cannot choose interfaces on 0957:1755@1-4",
  );
});

Deno.test("Folders of ours follow XDG, and logs never lie beside code", () => {
  const home = (name: string): string | undefined =>
    name === "HOME" ? "/home/anna" : undefined;
  assertEquals(cacheFolder(home), "/home/anna/.cache/driverspace");
  assertEquals(logFolder(home), "/home/anna/.local/state/driverspace");
  const set = (name: string): string => name === "HOME" ? "/h" : `/x/${name}`;
  assertEquals(cacheFolder(set), "/x/XDG_CACHE_HOME/driverspace");
  assertEquals(logFolder(set), "/x/XDG_STATE_HOME/driverspace");
  const none = (): undefined => undefined;
  assert(cacheFolder(none) !== logFolder(none));
});

/** A pipe that takes nothing until it is told to. */
class SlowPipe {
  readonly pieces: Uint8Array[] = [];
  #release: (() => void) | undefined;

  readonly write = (bytes: Uint8Array): Promise<void> => {
    this.pieces.push(bytes);
    return new Promise((resolve) => this.#release = resolve);
  };

  async release(): Promise<void> {
    this.#release?.();
    await settle();
  }
}

function event(sequence: number, size: number): DriverFrame {
  const data = { text: "x".repeat(size) };
  return { type: "event", sequence, event: "e", data };
}

Deno.test("FrameSender drops events for a slow pipe, counts them, and keeps the rest", async () => {
  const pipe = new SlowPipe();
  const sender = new FrameSender(pipe.write);
  const sent = Array.from(
    { length: 40 },
    (_, index) => sender.send(event(index, 100_000)),
  );
  const refused = sent.filter((isSent) => !isSent).length;
  assertGreater(refused, 10);
  assertEquals(sender.dropped, refused);
  assert(sender.send({ type: "exit", reason: "clean", message: "bye" }));
  const flushed = sender.flushed();
  await pipe.release();
  await pipe.release();
  await flushed;
  const last = new TextDecoder().decode(pipe.pieces.at(-1));
  assert(last.endsWith('{"type":"exit","reason":"clean","message":"bye"}\n'));
});

Deno.test("FrameSender makes one write of what waits", async () => {
  const pipe = new SlowPipe();
  const sender = new FrameSender(pipe.write);
  for (let index = 0; index < 10; index++) sender.send(event(index, 1));
  await pipe.release();
  assertEquals(pipe.pieces.length, 2);
});

Deno.test("FrameSender whose pipe broke takes nothing more and never throws", async () => {
  const sender = new FrameSender(() => Promise.reject(new Error("EPIPE")));
  sender.send(event(1, 1));
  await sender.flushed();
  assert(sender.isBroken);
  assertEquals(sender.send(event(2, 1)), false);
});
