/** Every metric moves when what it is about happens: one life of a driver, and what is seen of it. */

import { BundleShelf } from "../../../driver/host/crash/bundle_shelf.ts";
import { CLIENT_EVENTS_MAX } from "../../../driver/host/http/event_stream.ts";
import { FAMILIES } from "../../../driver/host/metrics/families.ts";
import { STANDBY_AFTER_MS } from "../../../driver/host/supervisor/standby.ts";
import { SANDBOX_LAYERS } from "../../../driver/host/wire.ts";
import type { DriverFrame } from "../../../driver/host/wire.ts";
import { assert, assertEquals } from "../../../driver/std.ts";
import { beat, READY, TELEMETRY } from "../fake_process.ts";
import { HttpBench } from "../http/http_bench.ts";
import { until } from "../../until.ts";
import { configure } from "../supervisor/supervisor_bench.ts";

/** Set once when the service starts; its own test is that of the service. */
const OF_THE_SERVICE = "driverspace_build_info";

const BUNDLES = "driverspace_crash_bundles_total";

/** Samples by family, and which of them are not 0. */
async function samples(bench: HttpBench): Promise<Map<string, number>> {
  const text = await (await bench.get("/metrics")).text();
  const moved = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const name = line.slice(0, line.search(/[{ ]/));
    const family = FAMILIES.find((one) =>
      one.name === name || (one.type === "histogram" &&
        name.replace(/_(bucket|sum|count)$/, "") === one.name)
    );
    assert(family !== undefined, `${name} has no family`);
    const value = Number(line.slice(line.lastIndexOf(" ") + 1));
    moved.set(family.name, (moved.get(family.name) ?? 0) + Math.abs(value));
  }
  return moved;
}

Deno.test("Every metric moves when what it is about happens", async () => {
  const folder = await Deno.makeTempDir();
  const bench = new HttpBench({
    crashes: {
      shelf: new BundleShelf(folder),
      clock: { wallMs: () => 0 },
      versions: {},
      system: {},
    },
  });
  bench.isAutomatic = false;
  bench.hasStandby = true;
  await bench.supervisor.start(configure({ a: "A" }));
  await bench.clock.advance(300);
  const [first] = bench.processes;
  assert(READY.type === "ready");
  const layers = {
    [SANDBOX_LAYERS.landlock]: 7,
    [SANDBOX_LAYERS.seccomp]: true,
  };
  first?.process.say({ ...READY, sandbox: { mode: "sandboxed", layers } });
  await bench.pass(STANDBY_AFTER_MS + 500);
  const depth = { control: 1, timers: 2, commands: 3, reports: 4 };
  first?.process.say(
    { ...beat(1), lagMs: 3, depth, telemetry: TELEMETRY } as DriverFrame,
  );
  await bench.clock.advance(0);
  // One client that reads nothing, and one that stays.
  await bench.get("/events");
  for (let number = 0; number <= CLIENT_EVENTS_MAX; number++) {
    bench.events.publish("driver.event", { number }, "a");
  }
  await bench.get("/events");
  const serving = await samples(bench);
  first?.process.end(159, "SIGSYS");
  await bench.clock.advance(500);
  assertEquals(bench.standbys[0]?.orders, ["safe", "go"]);
  bench.standbys[0]?.say(READY);
  await bench.clock.advance(0);
  // A bundle is written beside the loop, and not in virtual time.
  let ended = await samples(bench);
  await until("a bundle", async () => {
    ended = await samples(bench);
    return (ended.get(BUNDLES) ?? 0) > 0;
  });
  const still = FAMILIES.map(({ name }) => name).filter((name) =>
    (serving.get(name) ?? 0) === 0 && (ended.get(name) ?? 0) === 0
  );
  assertEquals(still, [OF_THE_SERVICE]);
  const text = await (await bench.get("/metrics")).text();
  for (
    const line of [
      'sandbox_denials_total{driver="a"} 1',
      'safe_state_total{driver="a",result="done"} 1',
      "event_clients 1",
      'event_clients_cut_total{reason="slow"} 1',
      'driver_restarts_total{driver="a",reason="sandbox-kill"} 1',
    ]
  ) assert(text.includes(`driverspace_${line}\n`), `${line} in\n${text}`);
  bench.http.close();
  await bench.stop();
  await Deno.remove(folder, { recursive: true });
});
