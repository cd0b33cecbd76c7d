/** What a standby is worth when the supervisor itself is killed: by real processes on a bus around them. */

import { assertEquals } from "../../driver/std.ts";
import { Heater } from "../host/safe_state/heater.ts";
import {
  CONFIGURED,
  HEATER_DRIVER,
  MADE_SAFE,
} from "../host/safe_state/heater_lab.ts";
import { isAlive, ServedBus } from "./served_bus.ts";
import { testOn } from "./spawned.ts";
import { until } from "../until.ts";

/** A supervisor with a heater beside its meter. */
class ServedHeater extends ServedBus {
  readonly heater = new Heater();
  protected override readonly isInner = true;

  constructor() {
    super("usbtmc", "");
    const path = this.path("etc/lab.toml");
    Deno.writeTextFileSync(
      path,
      `${Deno.readTextFileSync(path)}
[drivers.heater]
driver = "${HEATER_DRIVER.pathname}"
device = { vendor = "1209", product = "00f5" }
log = "${this.path("state/heater.log")}"
options = { target = 55 }
`,
    );
    this.bus.plug(this.heater);
  }

  /** Waits for the heater's standby, the first but `skip`; gives its process id. */
  async standby(skip = 0): Promise<number> {
    const members = { driver: "heater", msg: "A standby waits" };
    const line = await this.logged("driver.standby", members, skip);
    return Number(line["standby_pid"]);
  }

  /** Waits until a process is gone. */
  async gone(pid: number): Promise<void> {
    await until(`the end of process ${pid}`, () => !isAlive(pid));
  }

  /** Process ids in the lines of the heater's own log that tell of a safe state. */
  safeBy(): number[] {
    return Deno.readTextFileSync(this.path("state/heater.log")).trimEnd()
      .split("\n").map((line): Record<string, unknown> => JSON.parse(line))
      .filter(({ event }) => event === "driver.safe_state")
      .map(({ pid }) => Number(pid));
  }
}

testOn(
  "notify",
  "When a supervisor is killed its driver dies, its standby makes the device safe at once and ends, and the next supervisor does so once more",
  async () => {
    await using served = new ServedHeater();
    await served.serve();
    const standby = await served.standby();
    const driver = await served.driver("heater");
    assertEquals(served.heater.told, [...CONFIGURED]);
    const { pid } = served;
    served.signal("SIGKILL");
    await served.gone(pid);
    await served.gone(driver);
    await served.gone(standby);
    assertEquals(served.heater.told, [...CONFIGURED, ...MADE_SAFE]);
    assertEquals(served.safeBy(), [standby]);
    await served.begin();
    const line = { driver: "heater", by: "process" };
    await served.logged("driver.safe_state", line);
    await served.until(/heater +ready/);
    assertEquals(served.heater.told, [
      ...[...CONFIGURED, ...MADE_SAFE],
      ...[...MADE_SAFE, ...CONFIGURED],
    ]);
  },
);

testOn(
  "notify",
  "A supervisor that stops in order has its driver make the device safe, and the standby nothing",
  async () => {
    await using served = new ServedHeater();
    await served.serve();
    const standby = await served.standby();
    const { pid } = served;
    served.signal("SIGTERM");
    await served.gone(pid);
    assertEquals(isAlive(standby), false);
    assertEquals(served.heater.told, [...CONFIGURED, ...MADE_SAFE]);
    assertEquals(served.safeBy(), []);
  },
);

testOn(
  "notify",
  "A driver that was a standby dies with its supervisor, even when it cannot act",
  async () => {
    await using served = new ServedHeater();
    await served.serve();
    const standby = await served.standby();
    Deno.kill(await served.driver("heater"), "SIGKILL");
    await served.standby(1);
    assertEquals(await served.driver("heater"), standby);
    Deno.kill(standby, "SIGSTOP");
    served.signal("SIGKILL");
    await served.gone(standby);
  },
);
