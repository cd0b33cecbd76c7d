import {
  DriverRunner,
  type RunnerState,
} from "../../driver/host/driver_runner.ts";
import { manifestOf } from "../../driver/host/manifest.ts";
import { prepareLogFile } from "../../driver/host/log_rotation.ts";
import { systemClock } from "../../driver/host/system_clock.ts";
import { startRun } from "../../driver/host/cli/run_start.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { VirtualBus } from "../../driver/sim/virtual_bus.ts";
import { assertEquals, assertLess } from "../../driver/std.ts";
import counting from "./fixtures/counting_driver.ts";
import { toolboxOn } from "./own_bus.ts";
import { Folder, testOn } from "./spawned.ts";

const BASE = import.meta.url;

async function followsReplug(
  way: "direct" | "default" | "virtual",
): Promise<void> {
  const isDirect = way === "direct";
  using folder = new Folder();
  const clock = systemClock();
  const bus = new VirtualBus({ clock, random: () => 0.5 });
  const device = new Loopback();
  bus.plug(device);
  const logPath = `${folder.path}/a.log`;
  prepareLogFile(logPath);
  await using started = await startRun({
    driver: {
      manifest: manifestOf(counting),
      moduleUrl: new URL("./fixtures/counting_driver.ts", BASE).href,
    },
    choice: { kind: "virtual", name: "loopback" },
    options: {},
    isDirect,
    profile: way === "virtual" ? way : "default",
    isProfileNamed: false,
    logPath,
  }, toolboxOn(bus));
  assertEquals(started.isDirect, isDirect);
  const states: RunnerState[] = [];
  const readyAtMs: number[] = [];
  const goneAtMs: number[] = [];
  const runner = new DriverRunner({
    clock,
    random: () => 0.5,
    find: () => started.find(),
    spawn: (info) => started.spawn(info),
    // A busy machine is no hang.
    process: { startTimeoutMs: 60_000, missedBeatsMax: 100 },
    onState: (state) => {
      states.push(state);
      if (state === "waiting-device") goneAtMs.push(clock.nowMs());
      if (state !== "ready") return;
      readyAtMs.push(clock.nowMs());
      // Into the middle of its work, not of its start.
      if (readyAtMs.length < 3) {
        clock.setTimer(200, () => bus.replug(device, 300));
      } else clock.setTimer(200, () => runner.stop("enough"));
    },
  });
  const outcome = await runner.run();
  bus.close();
  assertEquals(outcome.kind, "stopped");
  const life = ["starting", "ready"];
  assertEquals(states, [
    ...life,
    ...["waiting-device", ...life],
    ...["waiting-device", ...life],
    ...["stopping", "stopped"],
  ]);
  assertLess(0, goneAtMs.length);
}

testOn(
  "preload",
  "A driver in direct mode follows its device over unplug and replug, twice",
  () => followsReplug("direct"),
);

testOn(
  "notify",
  "A sandboxed driver follows its device over unplug and replug, twice",
  () => followsReplug("default"),
);

testOn(
  "preload",
  "A driver in the profile virtual follows its device over unplug and replug, twice",
  () => followsReplug("virtual"),
);
