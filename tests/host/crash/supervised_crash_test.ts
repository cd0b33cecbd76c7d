/** Crash bundles of supervised drivers: the real processes, every way to die. */

import {
  type CrashBundle,
  readBundle,
} from "../../../driver/host/crash/crash_bundle.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../../../driver/std.ts";
import { testOn } from "../../cli/spawned.ts";
import { HeaterLab } from "../safe_state/heater_lab.ts";

/** Ways to die, and what a bundle says of each. */
const DEATHS: readonly {
  readonly name: string;
  readonly exitClass: string;
  readonly signal?: string;
  /** Of the end's sentence. */
  readonly message: RegExp;
  readonly kill: (lab: HeaterLab) => void;
  /** The command that killed it is in the journal: it was told before it was carried out. */
  readonly isByCommand: boolean;
}[] = [
  ...([
    ["throw", "fault", undefined, /told to fail/],
    ["segfault", "native-crash", "SIGSEGV", /native code crashed/],
    ["hang", "hang", "SIGKILL", /stopped answering/],
    ["forbidden", "sandbox-kill", "SIGSYS", /forbidden system call/],
    ["memory", "out-of-memory", "SIGTRAP", /ran out of memory/],
    ["garbage", "protocol", "SIGKILL", /Cannot read a frame/],
    ["reject", "fault", undefined, /the driver failed/],
  ] as const).map(([how, exitClass, signal, message]) => ({
    name: how,
    exitClass,
    ...(signal === undefined ? {} : { signal }),
    message,
    kill: (lab: HeaterLab): void => lab.die(how),
    isByCommand: true,
  })),
  {
    name: "SIGKILL",
    exitClass: "out-of-memory",
    signal: "SIGKILL",
    message: /ran out of memory/,
    kill: (lab) => lab.kill("SIGKILL"),
    isByCommand: false,
  },
];

for (const death of DEATHS) {
  testOn(
    "notify",
    `A bundle tells how a driver died of: ${death.name}`,
    async () => {
      await using lab = await HeaterLab.open();
      death.kill(lab);
      const bundle = await nextBundle(lab);
      const { end } = bundle;
      // On a busy machine the collector may keep it from beating first.
      const isStarved = death.name === "memory" && end.class === "hang";
      if (!isStarved) {
        assertEquals([end.class, end.signal], [death.exitClass, death.signal]);
        assertMatch(end.message, death.message);
      }
      assertEquals(end.was_ready, true);
      assertEquals(bundle.versions["deno"], Deno.version.deno);
      assertMatch(bundle.versions["libusb"] ?? "", /^1\.0\./);
      assertEquals(bundle.sandbox?.mode, "sandboxed");
      assertEquals(bundle.sandbox?.report?.["stage2"], true);
      assertEquals(bundle.device?.configurations.length, 1);
      assertEquals(bundle.options["target"], 55);
      assertEquals(bundle.process.payloads, false);
      assert(bundle.process.seed !== undefined);
      const happened = bundle.journal.map(({ kind, name }) =>
        `${kind} ${name}`
      );
      assert(happened.includes("state ready"), happened.join());
      assert(happened.includes("call controlOut 0x02"), happened.join());
      const isTold = happened.includes("command die");
      assertEquals(isTold, death.isByCommand, happened.join());
      assert(bundle.states.some(({ to }) => to === "ready"));
      assert(bundle.log.some(({ event }) => event === "driver.ready"));
      const hasBytes = bundle.journal.some(({ payload }) => payload);
      assertEquals(hasBytes, false, "No byte of the device unless asked for");
    },
  );
}

testOn(
  "notify",
  "What a driver printed last is in its bundle",
  async () => {
    await using lab = await HeaterLab.open();
    lab.die("reject");
    const bundle = await nextBundle(lab);
    assertStringIncludes(bundle.stderr, "nobody awaits it");
  },
);

testOn(
  "notify",
  "The status names the bundle of the last end, a metric counts it",
  async () => {
    await using lab = await HeaterLab.open();
    assertEquals(lab.status.bundlePath, undefined);
    lab.die("throw");
    const { path } = await lab.next("driver.crash_bundle");
    assertEquals(lab.status.bundlePath, path);
    const counted = (result: string): number | undefined =>
      lab.registry.value("driverspace_crash_bundles_total", {
        driver: "heater",
        result,
      });
    assertEquals([counted("written"), counted("failed")], [1, 0]);
  },
);

testOn(
  "notify",
  "A folder that cannot be written is said and counted, and the driver is back",
  async () => {
    await using lab = await HeaterLab.open({ bundleFolder: "/proc/none" });
    lab.die("throw");
    const { problem } = await lab.next("driver.crash_bundle_failed");
    await lab.ready();
    assert(typeof problem === "string" && problem !== "");
    assertEquals(lab.status.bundlePath, undefined);
    assertEquals(
      lab.registry.value("driverspace_crash_bundles_total", {
        driver: "heater",
        result: "failed",
      }),
      1,
    );
  },
);

async function nextBundle(lab: HeaterLab): Promise<CrashBundle> {
  const { path } = await lab.next("driver.crash_bundle");
  return readBundle(Deno.readFileSync(String(path)));
}
