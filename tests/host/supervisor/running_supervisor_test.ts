/** The service around a supervisor, on real files and sockets. */

import { LogFileError } from "../../../driver/host/log_rotation.ts";
import { manifestOf } from "../../../driver/host/manifest.ts";
import {
  askSupervisor,
  UnreachableError,
} from "../../../driver/host/supervisor/client.ts";
import { ConfigurationError } from "../../../driver/host/supervisor/configuration.ts";
import {
  type RunningService,
  type ServiceOptions,
  startService,
} from "../../../driver/host/supervisor/running_supervisor.ts";
import { LockedError } from "../../../driver/host/supervisor/whole_file.ts";
import { ListenError } from "../../../driver/host/http/server.ts";
import { systemClock } from "../../../driver/host/system_clock.ts";
import type { DeviceInfo } from "../../../driver/port.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../../driver/std.ts";
import { METER_DRIVER } from "../../cli/fake_parts.ts";
import { until } from "../../until.ts";
import { beat, FakeProcess, READY } from "../fake_process.ts";
import { meter } from "./supervisor_bench.ts";

const ONE = '[drivers.a]\ndriver = "usbtmc"\ndevice.serial = "A"\n';
const TWO = ONE + '[drivers.b]\ndriver = "usbtmc"\ndevice.serial = "B"\n';

class Place implements Disposable {
  readonly folder = Deno.makeTempDirSync();
  readonly configuration = `${this.folder}/lab.toml`;
  readonly options: ServiceOptions = {
    clock: systemClock(),
    random: () => 0,
    configurationPath: this.configuration,
    defaults: {
      socket: `${this.folder}/socket`,
      stateFile: `${this.folder}/state.json`,
      logPath: `${this.folder}/supervisor.log`,
    },
    devices: () => Promise.resolve([meter("A", 1), meter("B", 2)]),
    prepare: () =>
      Promise.resolve({
        manifest: manifestOf(METER_DRIVER),
        spawn: (_device: DeviceInfo) => Promise.resolve(process()),
      }),
    boot: "a boot",
    versions: { driverspace: "0.1.0", deno: "2.9.6", libusb: "1.0.26" },
  };

  constructor(configuration = ONE) {
    this.configure(configuration);
  }

  configure(text: string): void {
    Deno.writeTextFileSync(this.configuration, text);
  }

  async states(): Promise<string[]> {
    const { body } = await askSupervisor(
      this.options.defaults.socket,
      "/drivers",
    );
    return JSON.parse(body).drivers.map((
      { name, state }: { name: string; state: string },
    ) => `${name} ${state}`);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** Ready at once, beats, and stops when told. */
function process(): FakeProcess {
  const fake: FakeProcess = new FakeProcess((frame) => {
    if (frame.type !== "stop") return;
    clearInterval(timer);
    fake.end(0);
  });
  const timer = setInterval(() => fake.say(beat(1)), 100);
  queueMicrotask(() => fake.say(READY));
  return fake;
}

async function untilStates(
  place: Place,
  wanted: readonly string[],
): Promise<void> {
  let states: readonly string[] = [];
  await until(wanted.join(), async () => {
    states = await place.states();
    return states.join() === wanted.join();
  }, () => states);
}

Deno.test("A service runs its drivers, reloads, and leaves nothing behind but log and state", async () => {
  using place = new Place();
  const service = await startService(place.options);
  await untilStates(place, ["a ready"]);
  const ready = await askSupervisor(service.socket, "/readyz");
  assertEquals(ready.status, 200);

  place.configure(TWO);
  assertEquals(await service.reload(), "Reloaded: added b; untouched a");
  await untilStates(place, ["a ready", "b ready"]);
  place.configure(`${TWO}\n[mqtt]\nbroker = "mqtt://192.0.2.7"\n`);
  assertEquals(
    await service.reload(),
    "Reloaded: untouched a, b; only with a new bridge mqtt",
  );
  place.configure("[drivers");
  assertStringIncludes(await service.reload(), "nothing changed");
  await untilStates(place, ["a ready", "b ready"]);

  await service.stop("test over");
  await service.stop("twice");
  const left = [...Deno.readDirSync(place.folder)].map(({ name }) => name);
  assertEquals(left.sort(), [
    "lab.toml",
    "state.json",
    "state.json.lock",
    "supervisor.log",
  ]);
  const lines = Deno.readTextFileSync(place.options.defaults.logPath).trim();
  const events = lines.split("\n").map((line) => JSON.parse(line).event);
  assertEquals(events.includes("supervisor.not_reloaded"), true);
  assertStringIncludes(lines, '"driver":"a"');
  await assertRejects(
    () => askSupervisor(service.socket, "/livez"),
    UnreachableError,
    "there is no such socket",
  );
});

Deno.test("A second service is refused, and the first one goes on", async () => {
  using place = new Place();
  const service = await startService(place.options);
  await assertRejects(() => startService(place.options), LockedError);
  await untilStates(place, ["a ready"]);
  await service.stop("test over");
  const again: RunningService = await startService(place.options);
  await again.stop("test over");
});

Deno.test("A service that cannot start leaves nothing behind, and says why", async () => {
  using place = new Place("[drivers.a]\n");
  await assertRejects(() => startService(place.options), ConfigurationError);
  place.configure(ONE);
  const { defaults } = place.options;
  await assertRejects(
    () =>
      startService({
        ...place.options,
        configurationPath: `${place.folder}/none.toml`,
      }),
    ConfigurationError,
    "there is no such file",
  );
  Deno.mkdirSync(`${place.folder}/folder.log`);
  await assertRejects(
    () =>
      startService({
        ...place.options,
        defaults: { ...defaults, logPath: `${place.folder}/folder.log` },
      }),
    LogFileError,
  );
  Deno.writeTextFileSync(defaults.socket, "");
  await assertRejects(() => startService(place.options), ListenError);
  Deno.removeSync(defaults.socket);
  place.configure(
    `[server]\nport = 1\ntoken_file = "${place.folder}/none"\n${ONE}`,
  );
  await assertRejects(
    () => startService(place.options),
    ListenError,
    "token file",
  );
  place.configure(ONE);
  const service = await startService(place.options);
  await service.stop("test over");
});

Deno.test("A service opens its log anew on SIGHUP, as programs that rotate logs want it", async () => {
  using place = new Place();
  const { logPath } = place.options.defaults;
  const service = await startService(place.options);
  await untilStates(place, ["a ready"]);
  Deno.renameSync(logPath, `${logPath}.kept`);
  assertEquals(await service.reload(), "Reloaded: untouched a");
  await service.stop("test over");
  const linesOf = (path: string) =>
    Deno.readTextFileSync(path).trimEnd().split("\n").map((line) =>
      JSON.parse(line)
    );
  const kept = linesOf(`${logPath}.kept`);
  const renewed = linesOf(logPath);
  assertEquals(renewed[0].event, "supervisor.reloaded");
  assertEquals(renewed[0].run, kept[0].run, "It is the same run");
  assertEquals(
    [...kept, ...renewed].map(({ seq }) => seq),
    [...kept, ...renewed].map((_, at) => at + 1),
  );
});

Deno.test("Neither the log of a service nor the recent one shows a serial number", async () => {
  using place = new Place();
  const serial = "MY47000001";
  const options: ServiceOptions = {
    ...place.options,
    devices: () => Promise.resolve([meter(serial, 1)]),
    prepare: async (entry) => ({
      ...await place.options.prepare(entry),
      spawn: () =>
        Promise.reject(new Error(`${serial} of /home/ann/lab did not start`)),
    }),
  };
  place.configure(ONE.replace('"A"', `"${serial}"`));
  const service = await startService(options);
  const said = "[serial] of ~/… did not start";
  let body = "";
  await until(said, async () => {
    ({ body } = await askSupervisor(service.socket, "/drivers/a/log"));
    return body.includes(said);
  }, () => body);
  await service.stop("test over");
  const log = Deno.readTextFileSync(place.options.defaults.logPath);
  for (const text of [body, log]) {
    assertStringIncludes(text, said);
    assert(!text.includes(serial) && !text.includes("ann"));
  }
});

Deno.test("A client says why it reaches nobody", async () => {
  using place = new Place();
  await assertRejects(
    () => askSupervisor(`${place.folder}/none`, "/status"),
    UnreachableError,
    "there is no such socket",
  );
});
