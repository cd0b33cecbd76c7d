/**
 * A service with a driver that is a fake, under OTEL_DENO: says `ready` when the
 * driver is, stays until its input ends, and says whether supervision went on.
 *
 *     open_telemetry_fixture.ts FOLDER
 */

import { manifestOf } from "../../../driver/host/manifest.ts";
import { openTelemetryAsked } from "../../../driver/host/metrics/open_telemetry.ts";
import { askSupervisor } from "../../../driver/host/supervisor/client.ts";
import { startService } from "../../../driver/host/supervisor/running_supervisor.ts";
import { systemClock } from "../../../driver/host/system_clock.ts";
import type { DriverFrame } from "../../../driver/host/wire.ts";
import { METER_DRIVER } from "../../cli/fake_parts.ts";
import { until } from "../../until.ts";
import { beat, FakeProcess, READY, TELEMETRY } from "../fake_process.ts";
import { meter } from "../supervisor/supervisor_bench.ts";

const [folder = ""] = Deno.args;
const configurationPath = `${folder}/lab.toml`;
Deno.writeTextFileSync(
  configurationPath,
  '[drivers.a]\ndriver = "usbtmc"\ndevice.serial = "A"\n',
);

function spawn(): Promise<FakeProcess> {
  const fake: FakeProcess = new FakeProcess((frame) => {
    if (frame.type !== "stop") return;
    clearInterval(timer);
    fake.end(0);
  });
  const timer = setInterval(
    () => fake.say({ ...beat(1), telemetry: TELEMETRY } as DriverFrame),
    100,
  );
  queueMicrotask(() => fake.say(READY));
  return Promise.resolve(fake);
}

const service = await startService({
  clock: systemClock(),
  random: () => 0,
  configurationPath,
  defaults: {
    socket: `${folder}/socket`,
    stateFile: `${folder}/state.json`,
    logPath: `${folder}/supervisor.log`,
  },
  devices: () => Promise.resolve([meter("A", 1)]),
  prepare: () => Promise.resolve({ manifest: manifestOf(METER_DRIVER), spawn }),
  boot: "a boot",
  versions: { driverspace: "0.1.0", deno: "2.9.6", libusb: "1.0.26" },
  exportsTelemetry: openTelemetryAsked((name) => Deno.env.get(name)),
});
const ready = async (): Promise<number> =>
  (await askSupervisor(service.socket, "/readyz")).status;
await until("the driver", async () => await ready() === 200);
console.log("ready");
await new Response(Deno.stdin.readable).bytes();
const status = await ready();
await service.stop("test over");
console.log(JSON.stringify({ status, warnings: service.warnings }));
Deno.exit(0);
