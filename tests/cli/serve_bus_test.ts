/** A supervisor on a bus, without native code of its own: by real processes. */

import { assert, assertEquals, assertMatch } from "../../driver/std.ts";
import { isAlive, ServedBus } from "./served_bus.ts";
import { testOn } from "./spawned.ts";
import { until } from "../until.ts";

testOn(
  "notify",
  "serve drives a real device without the right to call native code, and follows it over a replug",
  async () => {
    await using served = new ServedBus();
    await served.serve();
    const line = Deno.readTextFileSync(`/proc/${served.pid}/cmdline`);
    assert(
      !line.includes("--allow-ffi") && !line.includes("--allow-all"),
      line,
    );
    assertMatch(line, /--no-prompt/);
    served.bus.unplug(served.meter);
    await served.until(/dmm +waiting-device/);
    served.bus.plug(served.meter);
    await served.until(/dmm +ready/);
    served.signal("SIGTERM");
    assertEquals(await served.ended(), 0);
  },
);

testOn(
  "notify",
  "A watcher that dies or stops is replaced, told, and touches no driver",
  async () => {
    await using served = new ServedBus();
    await served.serve();
    const [driver, first] = [await served.driver(), served.watcher()];
    Deno.kill(first, "SIGKILL");
    const failed = await served.logged("bus.failed");
    assertMatch(String(failed["msg"]), /nobody watches it: .*SIGKILL/);
    await served.logged("bus.recovered");
    const second = served.watcher();
    assert(second !== first);
    Deno.kill(second, "SIGSTOP");
    const silent = await served.logged("bus.failed", {}, 1);
    assertMatch(String(silent["msg"]), /it fell silent and was killed/);
    await served.logged("bus.recovered", {}, 1);
    assert(!isAlive(second), "It was killed");
    assertEquals(
      await served.driver(),
      driver,
      "The driver is the same process",
    );
    // What came while nobody watched is seen by the next one.
    const third = served.watcher();
    Deno.kill(third, "SIGKILL");
    served.bus.unplug(served.meter);
    await served.until(/dmm +waiting-device/);
  },
);

testOn(
  "notify",
  "A supervisor that is killed leaves no process; the next one takes over, from a stale state file and from a corrupt one",
  async () => {
    await using served = new ServedBus();
    await served.serve();
    const left = [await served.driver(), served.watcher()];
    served.signal("SIGKILL");
    await served.ended();
    const noneIsLeft = () => !left.some(isAlive);
    await until("the end of what it left", noneIsLeft, () => left);
    await served.serve();
    // What the killed one left in its state file: the device was in use.
    const safe = await served.logged("driver.safe_state", { by: "process" });
    assertEquals(safe["result"], "done");
    served.signal("SIGKILL");
    await served.ended();
    Deno.writeTextFileSync(served.path("state/state.json"), '{ "version": 1,');
    await served.serve();
    const corrupt = await served.logged("state.corrupt");
    assertMatch(String(corrupt["msg"]), /corrupt .*begun anew/);
  },
);
