/** `driverspace status` against a supervisor in virtual time, over a real socket. */

import { parseArguments } from "../../driver/host/cli/command.ts";
import { statusCommand } from "../../driver/host/cli/status_command.ts";
import type { CliIo } from "../../driver/host/cli/command.ts";
import { BundleShelf } from "../../driver/host/crash/bundle_shelf.ts";
import { listen } from "../../driver/host/http/server.ts";
import {
  STANDBY_AFTER_MS,
  STANDBY_AGAIN_MS,
} from "../../driver/host/supervisor/standby.ts";
import type { DriverFrame } from "../../driver/host/wire.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../../driver/std.ts";
import { beat, TELEMETRY } from "../host/fake_process.ts";
import { HttpBench } from "../host/http/http_bench.ts";
import { configure } from "../host/supervisor/supervisor_bench.ts";
import { fakeToolbox } from "./fake_parts.ts";

interface Told {
  readonly code: number;
  readonly out: string;
  /** Requests the supervisor got for it. */
  readonly asked: readonly string[];
}

/** What `status` says of a supervisor. */
async function status(bench: HttpBench, ...flags: string[]): Promise<Told> {
  const folder = await Deno.makeTempDir();
  const socket = `${folder}/socket`;
  const asked: string[] = [];
  const server = await listen((request) => {
    asked.push(new URL(request.url).pathname);
    return bench.http.handle(request);
  }, { socket });
  const parsed = parseArguments(statusCommand, ["--socket", socket, ...flags]);
  let out = "";
  try {
    const code = await statusCommand.run({
      positionals: parsed.positionals,
      command: parsed.command,
      toolbox: fakeToolbox(),
      io: { out: (text: string) => out += text } as unknown as CliIo,
      has: (flag) => parsed.flags[flag] === true,
      value: (flag) => {
        const given = parsed.flags[flag];
        return given === undefined || given === true ? undefined : given[0];
      },
      values: () => [],
    });
    return { code, out, asked };
  } finally {
    await server.close();
    await Deno.remove(folder, { recursive: true });
  }
}

async function running(
  options: ConstructorParameters<typeof HttpBench>[0] = {},
): Promise<HttpBench> {
  const bench = new HttpBench(options);
  await bench.supervisor.start(configure(
    { a: "A" },
    '[drivers.b]\ndriver = "usbtmc"\nrequired = false\n' +
      'device.serial = "none"\n',
  ));
  await bench.pass(500);
  return bench;
}

Deno.test("status shows state, rates, drops and safe state of every driver, from one answer", async () => {
  const bench = await running();
  const [first] = bench.processes;
  for (const reports of [0, 20]) {
    const telemetry = {
      ...TELEMETRY,
      endpoints: TELEMETRY.endpoints.map((endpoint) => ({
        ...endpoint,
        bytesIn: reports * 100,
      })),
    };
    first?.process.say(
      { ...beat(1, reports), dropped: 3, telemetry } as DriverFrame,
    );
    await bench.clock.advance(500);
  }
  const { code, out, asked } = await status(bench);
  assertEquals([code, asked], [0, ["/status"]]);
  const [head, a, b, ...more] = out.trimEnd().split("\n");
  assertMatch(
    head ?? "",
    /^DRIVER +STATE +SINCE +DEVICE +RESTARTS +STANDBY +HEARD +REPORTS +BYTES +DROPPED +SAFE STATE +CAUSE$/,
  );
  assertMatch(
    a ?? "",
    /^a +ready +2026-01-01 00:00:00 +0957:1755@1-1 +0 +none +500 ms ago +\S+\/s +\S+ kB\/s +3 +-$/,
  );
  assertMatch(b ?? "", /^b +waiting-device .* no matching device on the bus$/);
  assertEquals(more, [], "An optional driver that is away is no reason");
  await bench.stop();
});

Deno.test("status counts failures, shows the safe state, and ends with 1 and the reason", async () => {
  const bench = await running();
  bench.processes[0]?.process.end(134, "SIGABRT");
  await bench.pass(500);
  const again = await status(bench);
  assertEquals(again.code, 0);
  assertMatch(again.out, /^a +ready .* 1 +none +\d+ ms ago .* done$/m);
  bench.devices = [];
  bench.isLogWritable = false;
  await bench.pass(500);
  const away = await status(bench);
  assertEquals(away.code, 1);
  assertStringIncludes(
    away.out,
    "Not ready: log: the log cannot be written\n" +
      "Not ready: driver a: it is waiting-device: ",
  );
  assertMatch(away.out, /^a +waiting-device .* - +- +- +/m);
  const json = await status(bench, "--json");
  assertEquals(json.code, 1);
  const { ready, checks } = JSON.parse(json.out);
  assertEquals([ready, checks.log.ok, checks["driver b"].required], [
    false,
    false,
    false,
  ]);
  await bench.stop();
});

Deno.test("status says whether a driver's next process waits already, and after a failure whether one does again", async () => {
  const bench = new HttpBench();
  bench.hasStandby = true;
  await bench.supervisor.start(configure({ a: "A" }));
  await bench.pass(500);
  const seen = async (): Promise<string | undefined> =>
    /^a +ready .* 0957:1755@1-1 +\d+ +(\S+)/m.exec((await status(bench)).out)
      ?.[1];
  assertEquals(await seen(), "none", "Nobody has been ready for long");
  await bench.pass(STANDBY_AFTER_MS + 250);
  assertEquals(await seen(), "ready");
  bench.standbys[0]?.end(1);
  await bench.pass(250);
  assertEquals(await seen(), "none");
  await bench.pass(STANDBY_AGAIN_MS + 250);
  assertEquals(await seen(), "ready");
  await bench.stop();
});

Deno.test("status names the crash bundle of a driver that failed", async () => {
  const folder = await Deno.makeTempDir();
  const shelf = new BundleShelf(folder);
  const clock = { wallMs: () => 0 };
  const crashes = { shelf, clock, versions: {}, system: {} };
  const bench = await running({ crashes });
  bench.processes[0]?.process.end(134, "SIGABRT");
  await bench.pass(500);
  // A bundle is written beside the loop, and not in virtual time.
  let out = "";
  while (!out.includes("Crash bundle")) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    ({ out } = await status(bench));
  }
  const [path = ""] = /(?<=^Crash bundle of a: ).*$/m.exec(out) ?? [];
  assert(path.startsWith(`${folder}/a/`), out);
  assert((await Deno.stat(path)).isFile);
  await bench.stop();
  await Deno.remove(folder, { recursive: true });
});
