/** A device is made safe after its driver, however that ended: by what the device was told. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
} from "../../../driver/std.ts";
import { UsbError } from "../../../driver/errors.ts";
import { testOn } from "../../cli/spawned.ts";
import { CONFIGURED, HeaterLab, MADE_SAFE } from "./heater_lab.ts";

/** Ends that leave the device as it was. */
const DEATHS: readonly {
  readonly name: string;
  readonly exitClass: string;
  readonly kill: (lab: HeaterLab) => void;
}[] = [
  {
    name: "SIGKILL",
    exitClass: "out-of-memory",
    kill: (lab) => lab.kill("SIGKILL"),
  },
  { name: "a hang", exitClass: "hang", kill: (lab) => lab.die("hang") },
  {
    name: "a crash of native code",
    exitClass: "native-crash",
    kill: (lab) => lab.die("segfault"),
  },
  {
    name: "a forbidden system call",
    exitClass: "sandbox-kill",
    kill: (lab) => lab.die("forbidden"),
  },
  {
    name: "using up its memory",
    exitClass: "out-of-memory",
    kill: (lab) => lab.die("memory"),
  },
  {
    name: "a rejection nobody awaits",
    exitClass: "fault",
    kill: (lab) => lab.die("reject"),
  },
];

for (const { name, exitClass, kill } of DEATHS) {
  testOn(
    "notify",
    `The device is made safe after ${name}, and configured anew`,
    async () => {
      await using lab = await HeaterLab.open();
      assertEquals(lab.heater.told, [...CONFIGURED]);
      kill(lab);
      const { result, by, steps } = await lab.next("driver.safe_state");
      assertEquals([result, by, steps], ["done", "process", 2]);
      assertEquals(lab.heater.told, [...CONFIGURED, ...MADE_SAFE]);
      assertEquals(lab.heater.power, 0);
      await lab.ready();
      assertEquals(lab.heater.told, [
        ...CONFIGURED,
        ...MADE_SAFE,
        ...CONFIGURED,
      ]);
      const ended = lab.status.ends.at(-1)?.exitClass;
      // On a busy machine the collector may keep it from beating first.
      const isStarved = exitClass === "out-of-memory" && ended === "hang";
      if (!isStarved) assertEquals(ended, exitClass);
      assertEquals(lab.status.safeState, "done");
      const counted = lab.registry.value("driverspace_safe_state_total", {
        driver: "heater",
        result: "done",
      });
      assertEquals(counted, 1);
      const [line] = lab.logLines("driver.safe_state");
      assertEquals([line?.["result"], line?.["steps_done"]], ["done", 2]);
    },
  );
}

testOn(
  "preload",
  "A driver in direct mode is followed by a safe state, too",
  async () => {
    await using lab = await HeaterLab.open({ isDirect: true });
    lab.kill("SIGKILL");
    await lab.next("driver.safe_state", { result: "done", by: "process" });
    await lab.ready();
    assertEquals(lab.heater.told, [...CONFIGURED, ...MADE_SAFE, ...CONFIGURED]);
  },
);

testOn(
  "preload",
  "A driver in the profile virtual is followed by a safe state, too, and its log says that it is weaker",
  async () => {
    const transports = { preload: "", notify: "Namespaces are refused." };
    await using lab = await HeaterLab.open({
      // Where one would wait, this profile has none, and the driver runs all the same.
      hasStandby: true,
      tools: {
        sandboxFacts: () =>
          Promise.resolve({ landlockAbi: 7, seccomp: "", transports }),
      },
    });
    const [ready] = lab.logLines("driver.ready");
    const layers = ready?.["layers"] as Record<string, unknown> | undefined;
    assertEquals(layers?.["profile"], "virtual");
    const [line] = lab.logLines("host.sandbox");
    assertEquals(line?.["level"], "warn");
    assertMatch(String(line?.["msg"]), /^WEAKER: profile virtual/);
    lab.kill("SIGKILL");
    await lab.next("driver.safe_state", { result: "done", by: "process" });
    await lab.ready();
    assertEquals(lab.heater.told, [...CONFIGURED, ...MADE_SAFE, ...CONFIGURED]);
  },
);

testOn(
  "notify",
  "A driver whose handler throws makes its device safe itself, once",
  async () => {
    await using lab = await HeaterLab.open();
    lab.die("throw");
    await lab.next("driver.safe_state", { result: "done", by: "driver" });
    await lab.ready();
    assertEquals(lab.heater.told, [...CONFIGURED, ...MADE_SAFE, ...CONFIGURED]);
  },
);

testOn(
  "notify",
  "A driver that is stopped makes its device safe itself, once",
  async () => {
    const lab = await HeaterLab.open();
    await lab[Symbol.asyncDispose]();
    assertEquals(lab.heater.told, [...CONFIGURED, ...MADE_SAFE]);
    await lab.next("driver.safe_state", { result: "done", by: "driver" });
  },
);

testOn(
  "notify",
  "A driver that dies while it starts has configured its device, and leaves it safe",
  async () => {
    await using lab = await HeaterLab.begin({ options: 'dies = "segfault"' });
    await lab.next("driver.safe_state", { result: "done", by: "process" });
    assertEquals(lab.heater.told, [...CONFIGURED, ...MADE_SAFE]);
  },
);

testOn(
  "notify",
  "While a device is made safe, clients see its last values as stale and wait or are refused",
  async () => {
    await using lab = await HeaterLab.open();
    assertEquals(lab.status.values.map(({ stale }) => stale), [false]);
    lab.heater.delayMs.set("power 0", 700);
    lab.kill("SIGKILL");
    await lab.next("driver.state", { to: "stopping" });
    const [value] = lab.status.values;
    assertEquals([value?.event, value?.stale], ["heating", true]);
    assertEquals(value?.data, { target: 55 });
    assert((value?.ageMs ?? 0) > 0, "Its age is told");
    const waiting = lab.call("temperature");
    assertEquals(lab.status.queuedCommands, 1);
    const refused = await assertRejects(() => lab.call("boost"), UsbError);
    assertEquals([refused.code, refused.advice], [
      "state",
      "Try again when it is ready",
    ]);
    assertEquals(await waiting, 21);
    assertEquals(lab.status.values[0]?.stale, false);
    assertEquals(lab.heater.told.includes("power 100"), false);
  },
);
