/** A standby by real processes: by what the device was told, in order, and by whom. */

import { assert, assertEquals, assertMatch } from "../../../driver/std.ts";
import { testOn } from "../../cli/spawned.ts";
import {
  CONFIGURED,
  HeaterLab,
  type LabOptions,
  MADE_SAFE,
} from "./heater_lab.ts";

/** The second failure in a row is followed by no pause, in which there is no standby. */
const AT_ONCE = `
[drivers.heater.restart]
backoff_ms_base = 0
`;

/** A lab whose driver serves and whose standby waits; gives the standby's process id. */
async function parked(
  options: LabOptions = {},
): Promise<{ readonly lab: HeaterLab; readonly standby: number }> {
  const lab = await HeaterLab.open({ hasStandby: true, ...options });
  return { lab, standby: await waiting(lab) };
}

async function waiting(lab: HeaterLab): Promise<number> {
  const event = { message: "A standby waits" };
  return Number((await lab.next("driver.standby", event))["standby_pid"]);
}

testOn(
  "notify",
  "A standby waits beside its driver and has told the device nothing",
  async () => {
    const { lab, standby } = await parked();
    await using _ = lab;
    assert(lab.status.hasStandby && lab.status.pid !== standby, "Two of them");
    assertEquals(lab.heater.told, [...CONFIGURED]);
    assertEquals(await lab.call("temperature"), 21, "The driver serves on");
    const gauge = (): number | undefined =>
      lab.registry.value("driverspace_driver_standby", { driver: "heater" });
    assertEquals(gauge(), 1);
    await lab.supervisor.stop("test over");
    assertEquals(lab.heater.told, [...CONFIGURED, ...MADE_SAFE], "Once");
  },
);

testOn(
  "notify",
  "A standby makes the device safe after SIGKILL, becomes the driver, and is followed by another",
  async () => {
    const { lab, standby } = await parked({ options: AT_ONCE });
    await using _ = lab;
    lab.kill("SIGKILL");
    const told = await lab.next("driver.safe_state");
    const { result, by, steps_done: done } = told;
    assertEquals([result, by, done], ["done", "standby", 2]);
    await lab.ready();
    assertEquals(lab.status.pid, standby);
    assertEquals(lab.heater.told, [...CONFIGURED, ...MADE_SAFE, ...CONFIGURED]);
    assertEquals(await lab.call("temperature"), 21);
    assertEquals(lab.status.starts, 2);
    const [line] = lab.logLines("driver.safe_state");
    assertEquals([line?.["result"], line?.["pid"]], ["done", standby]);
    const second = await waiting(lab);
    assert(second !== standby, "Another process");
    // The one that was a standby is a driver like any other: it hangs, is killed, made safe.
    lab.die("hang");
    await lab.next("driver.safe_state", { by: "standby", result: "done" });
    await lab.ready();
    assertEquals(lab.status.pid, second);
  },
);

testOn(
  "notify",
  "A standby of a driver that made its device safe itself tells the device nothing of it",
  async () => {
    const { lab, standby } = await parked();
    await using _ = lab;
    lab.die("throw");
    await lab.next("driver.safe_state", { by: "driver" });
    await lab.ready();
    assertEquals(lab.status.pid, standby);
    assertEquals(lab.heater.told, [...CONFIGURED, ...MADE_SAFE, ...CONFIGURED]);
  },
);

testOn(
  "notify",
  "A standby that was killed is told and missed by nobody: the device is made safe by a process of its own",
  async () => {
    const { lab, standby } = await parked();
    await using _ = lab;
    Deno.kill(standby, "SIGKILL");
    const { message } = await lab.next("driver.standby");
    assertMatch(String(message), /^Its standby ended: SIGKILL/);
    assertEquals(lab.status.hasStandby, false);
    lab.kill("SIGKILL");
    await lab.next("driver.safe_state", { by: "process", result: "done" });
    await lab.ready();
    assertEquals(lab.heater.told, [...CONFIGURED, ...MADE_SAFE, ...CONFIGURED]);
  },
);

testOn(
  "notify",
  "A standby that hangs when it is to make the device safe is killed, and a process of its own does",
  async () => {
    const { lab, standby } = await parked();
    await using _ = lab;
    Deno.kill(standby, "SIGSTOP");
    lab.kill("SIGKILL");
    await lab.next("driver.safe_state", { by: "process", result: "done" });
    await lab.ready();
    assert(lab.status.pid !== standby, "It is gone");
    assertEquals(lab.heater.told, [...CONFIGURED, ...MADE_SAFE, ...CONFIGURED]);
  },
);

testOn(
  "notify",
  "A standby that hangs after the safe state is killed, the device made safe again, and the driver started",
  async () => {
    const { lab, standby } = await parked();
    await using _ = lab;
    // While it waits for this answer it is stopped: it has the device, and told nobody.
    lab.heater.before.set("alarm 1,2", () => Deno.kill(standby, "SIGSTOP"));
    lab.kill("SIGKILL");
    await lab.next("driver.safe_state", { by: "process", result: "done" });
    await lab.ready();
    assertEquals(lab.heater.told, [
      ...[...CONFIGURED, ...MADE_SAFE],
      ...[...MADE_SAFE, ...CONFIGURED],
    ]);
  },
);

testOn(
  "notify",
  "A safe state that a device refuses is told by its standby, which is the driver all the same",
  async () => {
    const { lab, standby } = await parked();
    await using _ = lab;
    lab.heater.mischief.set("power 0", "stall");
    lab.kill("SIGKILL");
    const told = await lab.next("driver.safe_state");
    assertEquals([told["result"], told["by"]], ["failed", "standby"]);
    assertEquals(told["reason"], "Turn the heating off: stall");
    await lab.ready();
    assertEquals(lab.status.pid, standby);
    assertEquals(lab.status.degraded, "its last safe state failed");
  },
);

testOn(
  "notify",
  "A device that leaves takes its standby along, and comes back with a new one",
  async () => {
    const { lab, standby } = await parked();
    await using _ = lab;
    lab.bus.unplug(lab.heater);
    await lab.next("driver.state", { to: "waiting-device" });
    lab.bus.plug(lab.heater);
    await lab.ready();
    assert(await waiting(lab) !== standby, "It was for the device before");
    lab.kill("SIGKILL");
    await lab.next("driver.safe_state", { by: "standby", result: "done" });
    await lab.ready();
  },
);

testOn(
  "notify",
  "A standby is replaced when its log is taken away, and what it is started with is the log there is",
  async () => {
    const { lab, standby } = await parked();
    await using _ = lab;
    lab.moveLog();
    const second = await waiting(lab);
    assert(second !== standby, "Another process");
    lab.kill("SIGKILL");
    await lab.ready();
    assertEquals(lab.status.pid, second);
    assertEquals(lab.logLines("driver.ready").length, 1);
  },
);
