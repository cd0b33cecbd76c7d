/** What keeps a device from being made safe is told, and never doubles a driver or keeps it away. */

import { cacheFolder } from "../../../driver/host/own_folders.ts";
import { assert, assertEquals, assertMatch } from "../../../driver/std.ts";
import { testOn } from "../../cli/spawned.ts";
import {
  CONFIGURED,
  HeaterLab,
  type LabOptions,
  MADE_SAFE,
} from "./heater_lab.ts";

const BASE = import.meta.url;

/** Another program in place of the one that makes the device safe. */
function replacedBy(name: string, more: LabOptions = {}): LabOptions {
  return { ...more, tools: { safeStateUrl: new URL(name, BASE).href } };
}

testOn(
  "notify",
  "A step that stalls is told, the later ones are performed, and the driver comes back degraded",
  async () => {
    await using lab = await HeaterLab.open();
    lab.heater.mischief.set("power 0", "stall");
    lab.kill("SIGKILL");
    const told = await lab.next("driver.safe_state");
    assertEquals([told["result"], told["steps_done"]], ["failed", 1]);
    assertEquals(told["reason"], "Turn the heating off: stall");
    await lab.ready();
    assertEquals(lab.heater.told, [...CONFIGURED, ...MADE_SAFE, ...CONFIGURED]);
    assertEquals(lab.status.safeState, "failed");
    assertEquals(lab.status.degraded, "its last safe state failed");
    const counted = lab.registry.value("driverspace_safe_state_total", {
      driver: "heater",
      result: "failed",
    });
    assertEquals(counted, 1);
  },
);

testOn(
  "notify",
  "A device that does not answer a step has its share of the time, and the next step is tried",
  async () => {
    await using lab = await HeaterLab.open();
    lab.heater.mischief.set("power 0", "silence");
    lab.kill("SIGKILL");
    const told = await lab.next("driver.safe_state");
    assertEquals(told["reason"], "Turn the heating off: timedOut");
    assertEquals([told["result"], told["steps_done"]], ["failed", 1]);
    assertEquals(lab.heater.told.slice(2, 4), [...MADE_SAFE]);
    await lab.ready();
  },
);

testOn(
  "notify",
  "A device that leaves while it is made safe cannot be, and is waited for",
  async () => {
    await using lab = await HeaterLab.open();
    lab.heater.mischief.set("power 0", "leave");
    lab.kill("SIGKILL");
    await lab.next("driver.safe_state", { result: "impossible" });
    await lab.next("driver.state", { to: "waiting-device" });
    lab.heater.mischief.clear();
    lab.bus.plug(lab.heater);
    await lab.ready();
  },
);

testOn(
  "notify",
  "A device that left before its driver died cannot be made safe",
  async () => {
    await using lab = await HeaterLab.open();
    // Stopped, it cannot notice; the bus is looked at while it is dying.
    lab.kill("SIGSTOP");
    lab.bus.unplug(lab.heater);
    await lab.next("driver.safe_state", { result: "impossible" });
    assertEquals(lab.heater.told, [...CONFIGURED]);
  },
);

testOn(
  "notify",
  "A process that hangs is killed before the driver is started again",
  async () => {
    const options = replacedBy("./hanging_process.ts", {
      safeStateTimeoutMs: 2_000,
    });
    await using lab = await HeaterLab.open(options);
    lab.kill("SIGKILL");
    const told = await lab.next("driver.safe_state");
    assertEquals(told["result"], "failed");
    assertEquals(
      told["reason"],
      "it did not end within 2000 ms and was killed",
    );
    await lab.ready();
    const [plugged] = lab.bus.nodes.filter(({ nodePath }) =>
      nodePath === lab.status.device?.nodePath
    );
    assertEquals(plugged?.openFiles, 1, "The driver alone has it");
  },
);

testOn(
  "notify",
  "A process that says anything else than it should is killed",
  async () => {
    await using lab = await HeaterLab.open(replacedBy("./babbling_process.ts"));
    lab.kill("SIGKILL");
    const told = await lab.next("driver.safe_state");
    assertEquals(told["result"], "failed");
    assertEquals(told["reason"], "Cannot read a report: it is too long");
    await lab.ready();
  },
);

testOn(
  "notify",
  "A process that cannot be started is told with the launcher's reason, and the driver comes back",
  async () => {
    const copy = await Deno.makeTempFile({ dir: cacheFolder(), suffix: ".ts" });
    // Like no other, so that its bundle is its own.
    await Deno.writeTextFile(
      copy,
      `console.log("${crypto.randomUUID()}");
`,
    );
    const before = bundles();
    await using lab = await HeaterLab.open({
      tools: { safeStateUrl: `file://${copy}` },
    });
    await Deno.remove(copy);
    // Of the bundles that were made just now, the one of that program.
    const made = [...bundles()].filter((path) => !before.has(path));
    const [its] = made.filter((path) => Deno.statSync(path).size < 1_000);
    assert(its !== undefined, `None of ${made.join(", ")}`);
    await Deno.remove(its);
    lab.kill("SIGKILL");
    const told = await lab.next("driver.safe_state");
    assertEquals(told["result"], "failed");
    assertMatch(String(told["reason"]), /path rules: .*[0-9a-f]{64}\.js/);
    await lab.ready();
    assertEquals(lab.heater.told, [...CONFIGURED, ...CONFIGURED]);
  },
);

function bundles(): ReadonlySet<string> {
  const folder = cacheFolder();
  return new Set(
    [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".js"))
      .map(({ name }) => `${folder}/${name}`),
  );
}
