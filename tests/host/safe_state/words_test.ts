/** The order to the process that makes a device safe, and what it tells: read as hostile input. */

import type { DriverConfig } from "../../../driver/host/driver_config.ts";
import {
  decodeSafeStateFrame,
  encodeSafeStateFrame,
  type SafeStateFrame,
} from "../../../driver/host/safe_state_frame.ts";
import {
  checkSafeState,
  decodeSafeStateOrder,
  encodeSafeStateOrder,
  type SafeStateOrder,
} from "../../../driver/host/safe_state_order.ts";
import { safeStatePolicy } from "../../../driver/host/safe_state_command.ts";
import { CliError } from "../../../driver/host/cli/exit_codes.ts";
import { startRun } from "../../../driver/host/cli/run_start.ts";
import {
  type DriverManifest,
  manifestOf,
} from "../../../driver/host/manifest.ts";
import { parseConfigurations } from "../../../driver/descriptors.ts";
import { WireError } from "../../../driver/host/wire_check.ts";
import { Chance } from "../../../driver/loop/chance.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../../driver/std.ts";
import { fakeDevice, fakeToolbox } from "../../cli/fake_parts.ts";
import { Heater } from "./heater.ts";
import driver from "./heater_driver.ts";

const CONFIG: DriverConfig = {
  instance: "heater",
  boot: "boot",
  mode: "sandboxed",
  library: "/usr/lib/libusb-1.0.so.0",
  nodePath: "/dev/bus/usb/001/002",
  portPath: "1-1",
  busNumber: 1,
  options: {},
};

const ORDER: SafeStateOrder = {
  driver: "heater",
  config: CONFIG,
  interfaces: driver.interfaces,
  kernelDriver: "detach",
  steps: driver.safeState ?? [],
};

const FRAME: SafeStateFrame = {
  result: "failed",
  stepsDone: 1,
  steps: 2,
  reason: "Turn the heating off: stall",
  sandbox: { mode: "direct", layers: {} },
};

/** A line without its newline. */
function lineOf(frame: SafeStateFrame): Uint8Array {
  return encodeSafeStateFrame(frame).subarray(0, -1);
}

Deno.test("An order is read as it was written", () => {
  assertEquals(decodeSafeStateOrder(encodeSafeStateOrder(ORDER)), ORDER);
});

Deno.test("An order that is none is refused with what is wrong", () => {
  assertThrows(
    () => decodeSafeStateOrder(undefined),
    WireError,
    "started by driverspace, not by hand",
  );
  const [step] = ORDER.steps;
  const wrong: readonly [unknown, string][] = [
    [{ ...step, setup: { ...step?.setup, request: 256 } }, "setup.request"],
    [{ ...step, setup: { ...step?.setup, value: -1 } }, "setup.value"],
    [{ ...step, setup: { ...step?.setup, recipient: "me" } }, "recipient"],
    [{ ...step, data: [0, 1.5] }, "data[1]"],
    [{ ...step, data: new Array(4_097).fill(0) }, "data"],
    [{ ...step, lengthBytes: 4_097 }, "lengthBytes"],
    [{ ...step, indexFrom: { interfaceClass: "hid" } }, "interfaceClass"],
    [{ ...step, description: undefined }, "description"],
  ];
  for (const [bad, where] of wrong) {
    assertThrows(() => checkSafeState([bad]), WireError, where);
  }
  assertThrows(
    () => checkSafeState(new Array(65).fill(step)),
    WireError,
    "a list of at most 64",
  );
  const full = { ...step, data: new Array<number>(4_096).fill(255) };
  assertEquals(checkSafeState([full, full]).length, 2);
  assertThrows(
    () => checkSafeState(new Array(8).fill(full)),
    WireError,
    "65536 is the limit",
  );
});

Deno.test("The process may do what its driver may, and less: plain transfers only", () => {
  const [configuration] = new Heater().descriptors.configurations;
  assert(configuration !== undefined, "A heater has one");
  const policy = safeStatePolicy({
    manifest: {
      ...manifestOf(driver),
      requests: ["reset", "setConfiguration"],
    },
    device: fakeDevice({
      configurations: parseConfigurations(configuration, 1),
    }),
    config: CONFIG,
    bundlePath: "/cache/safe_state.js",
    logPath: "/log/heater.log",
    profile: "jitless",
    parentProcessId: 4711,
  });
  assertEquals(policy.requests, []);
  assertEquals(policy.interfaces, [1]);
  assertEquals(policy.driverPath, "/cache/safe_state.js");
  assertEquals([policy.profile, policy.parentProcessId], ["jitless", 4711]);
  const order = decodeSafeStateOrder(policy.driverArguments[0]);
  assertEquals(order.steps, driver.safeState);
  assertEquals(order.config.options, {}, "What the driver was told is not");
});

Deno.test("A driver whose safe state cannot be performed is refused before anything is opened", async () => {
  const [step] = ORDER.steps;
  const manifest = {
    ...manifestOf(driver),
    safeState: [{ ...step, data: [256] }],
  } as DriverManifest;
  const error = await assertRejects(
    () =>
      startRun({
        driver: { manifest, moduleUrl: "file:///heater.ts" },
        choice: { kind: "virtual", name: "heater" },
        options: {},
        isDirect: false,
        profile: "default",
        isProfileNamed: false,
        logPath: "/log/heater.log",
      }, fakeToolbox()),
    CliError,
    "Cannot run heater: what it declares as its safe state cannot be performed. Cannot read safeState[0].data[0]",
  );
  assertEquals(error.code, 78);
});

Deno.test("A report is read as it was written, its reason cut to what fits", () => {
  assertEquals(decodeSafeStateFrame(lineOf(FRAME)), FRAME);
  const long = decodeSafeStateFrame(
    lineOf({ ...FRAME, reason: "x".repeat(5_000) }),
  );
  assertEquals(long.reason?.length, 1_000);
});

Deno.test("Any bytes are a report or a WireError", () => {
  const sound = lineOf(FRAME);
  for (let seed = 0; seed < 2_000; seed++) {
    const chance = new Chance(seed);
    const bytes = sound.slice();
    for (let time = chance.integer(1, 6); time > 0; time--) {
      bytes[chance.integer(0, bytes.length - 1)] = chance.integer(0, 255);
    }
    try {
      const { result } = decodeSafeStateFrame(bytes);
      assert(["done", "failed", "impossible", "none"].includes(result));
    } catch (error) {
      if (!(error instanceof WireError)) {
        throw new Error(`Seed ${seed}`, { cause: error });
      }
    }
  }
});
