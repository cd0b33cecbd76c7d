import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertStringIncludes,
} from "../../driver/std.ts";
import { driverspace, Folder, ranUntil, Spawned, testOn } from "./spawned.ts";

interface LogLine {
  readonly event: string;
  readonly pid: number;
  readonly instance: string;
  readonly run: string;
  readonly seq: number;
  readonly ts: string;
  readonly class?: string;
  readonly dev?: { readonly vid: string; readonly pid: string };
  readonly "safe_state"?: string;
}

/** Every line is JSON, and each run of a process counts without a gap. */
function checkedLog(path: string): LogLine[] {
  const text = Deno.readTextFileSync(path);
  assert(text.endsWith("\n"));
  const lines = text.trimEnd().split("\n").map((line): LogLine =>
    JSON.parse(line)
  );
  const counts = new Map<string, number>();
  for (const line of lines) {
    assertMatch(line.ts, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assertMatch(line.run, /^[0-9a-f]{8}$/);
    const next = (counts.get(line.run) ?? 0) + 1;
    assertEquals(line.seq, next, JSON.stringify(line));
    counts.set(line.run, next);
    assertEquals(line.dev?.vid, "1209", `Each line names its device: ${text}`);
  }
  return lines;
}

/** Waits until a run's driver is ready and has measured: whichever comes first. */
async function driving(run: Spawned): Promise<void> {
  await run.printed(/ ready /);
  await run.printed(/reading/);
}

testOn(
  "preload",
  "run drives a virtual multimeter in direct mode, shows readings and interrupts, and leaves a sound log",
  async () => {
    using folder = new Folder();
    const log = `${folder.path}/a.log`;
    const { code, out, err } = await ranUntil([
      / ready /,
      /reading -?\d+(\.\d+)? V/,
      /sum .*[1-9]\d* interrupts/,
    ], ["usbtmc", "--virtual", "multimeter", "--direct", "--log", log]);
    assertEquals([code, err], [0, ""], out);
    assertStringIncludes(
      out,
      "NOT CONFINED: virtual bus A (umockdev); direct mode",
    );
    assert(!out.includes("\x1b"), "There are no escapes without a terminal");
    const lines = checkedLog(log);
    const end = lines.find((line) => line.event === "driver.ended");
    assertEquals([end?.class, end?.["safe_state"]], ["clean", "done"]);
  },
);

testOn(
  "notify",
  "run drives a virtual multimeter in the full sandbox and says so",
  async () => {
    using folder = new Folder();
    const log = `${folder.path}/a.log`;
    const { code, out, err } = await ranUntil([
      /reading -?\d+(\.\d+)? V/,
      /sandbox Landlock ABI \d+, seccomp, stage 2/,
    ], ["usbtmc", "--virtual", "multimeter", "--log", log]);
    assertEquals([code, err], [0, ""], out);
    const events = checkedLog(log).map((line) => line.event);
    for (const event of ["host.state", "driver.ready", "driver.ended"]) {
      assert(events.includes(event), `${event} is missing in ${events}`);
    }
    assert(!out.includes("not written"), out);
  },
);

testOn("preload", "run --json prints one JSON object a line", async () => {
  using folder = new Folder();
  const printed = ["ready", "event", "heartbeat"]
    .map((type) => new RegExp(`"type":"${type}"`));
  const { code, out } = await ranUntil(printed, [
    ...["usbtmc", "--virtual", "multimeter", "--direct", "--json"],
    ...["--log", `${folder.path}/a.log`],
  ]);
  assertEquals(code, 0);
  const types = out.trimEnd().split("\n").map((line) => JSON.parse(line).type);
  for (const type of ["note", "state", "ready", "event", "heartbeat", "end"]) {
    assert(types.includes(type), `${type} is missing in ${types}`);
  }
});

testOn(
  "preload",
  "What is set goes over what a virtual device suggests, and the rest of it stays",
  async () => {
    using folder = new Folder();
    const { code, out } = await ranUntil([/reading -?\d+(\.\d+)? V/], [
      ...["usbtmc", "--virtual", "multimeter", "--direct"],
      ...["--log", `${folder.path}/a.log`, "--set", "poll-interval-ms=100"],
    ]);
    assertEquals(code, 0);
    assertStringIncludes(out, "poll-interval-ms=100");
  },
);

testOn("preload", "run --for ends by itself, in order", async () => {
  using folder = new Folder();
  const { code, out } = await driverspace([
    ...["run", "usbtmc", "--virtual", "multimeter", "--direct"],
    ...["--for", "500ms", "--log", `${folder.path}/a.log`],
  ]);
  assertEquals(code, 0, out);
  assertStringIncludes(out, "The time is over");
});

testOn(
  "preload",
  "Ctrl-C stops a run in order: safe state, drain, release, exit 0",
  async () => {
    using folder = new Folder();
    const log = `${folder.path}/a.log`;
    await using run = new Spawned([
      ...["run", "usbtmc", "--virtual", "multimeter", "--direct", "--log", log],
    ]);
    await driving(run);
    run.signal("SIGINT");
    const { code, out } = await run.result();
    assertEquals(code, 0, out);
    assertStringIncludes(out, "Stopping: safe state, drain, release");
    const end = checkedLog(log).find((line) => line.event === "driver.ended");
    assertEquals([end?.class, end?.["safe_state"]], ["clean", "done"]);
  },
);

testOn(
  "preload",
  "A terminal that goes away stops a run in order; one started with nohup stays",
  async () => {
    using folder = new Folder();
    const log = `${folder.path}/a.log`;
    const args = [
      ...["run", "usbtmc", "--virtual", "multimeter", "--direct", "--log", log],
    ];
    await using run = new Spawned(args);
    await driving(run);
    run.signal("SIGHUP");
    assertEquals((await run.result()).code, 0);
    const end = checkedLog(log).find((line) => line.event === "driver.ended");
    assertEquals([end?.class, end?.["safe_state"]], ["clean", "done"]);
    await using stays = new Spawned(args, {}, ["nohup"]);
    await driving(stays);
    stays.signal("SIGHUP");
    await stays.printed(/sum /);
    stays.signal("SIGTERM");
    assertEquals((await stays.result()).code, 0);
  },
);

for (const transport of ["notify", "preload"] as const) {
  const way = transport === "notify" ? "sandboxed" : "direct";
  testOn(
    transport,
    `Ctrl-C at a terminal, which the driver gets as well, is the host's affair: ${way}`,
    async () => {
      using folder = new Folder();
      const log = `${folder.path}/a.log`;
      await using run = new Spawned([
        ...["run", "usbtmc", "--virtual", "multimeter", "--log", log],
        ...(transport === "preload" ? ["--direct"] : []),
      ]);
      await driving(run);
      const ready = checkedLog(log).find(({ event }) =>
        event === "driver.ready"
      );
      assert(ready !== undefined && ready.pid > 1);
      Deno.kill(ready.pid, "SIGINT");
      const seen = run.text.length;
      await run.printed(new RegExp(`^[^]{${seen},}reading[^]*reading`));
      run.signal("SIGINT");
      const { code, out } = await run.result();
      assertEquals(code, 0, out);
      const ends = checkedLog(log).filter(({ event }) =>
        event === "driver.ended"
      );
      assertEquals(ends.map(({ class: exitClass }) => exitClass), ["clean"]);
    },
  );
}

testOn(
  "preload",
  "A second Ctrl-C kills a driver that does not stop, and ends with 130",
  async () => {
    using folder = new Folder();
    await using run = new Spawned([
      ...["run", fixture("stubborn_driver.ts"), "--virtual", "loopback"],
      ...["--direct", "--log", `${folder.path}/a.log`],
    ]);
    await run.printed(/ready/);
    run.signal("SIGINT");
    await run.printed(/Stopping/);
    // As long as a person has to wait, at least; then it insists.
    await new Promise((resolve) => setTimeout(resolve, 400));
    run.signal("SIGINT");
    assertEquals((await run.result()).code, 130);
  },
);

testOn("preload", "run runs a driver of one's own from a path", async () => {
  using folder = new Folder();
  const { code, out, err } = await ranUntil([/tick total=5\n/], [
    ...[fixture("counting_driver.ts"), "--virtual", "loopback", "--direct"],
    ...["--log", `${folder.path}/a.log`, "--set", "step=5"],
  ]);
  assertEquals([code, err], [0, ""], out);
});

testOn(
  "notify",
  "run runs a driver of one's own in the sandbox, bundled",
  async () => {
    using folder = new Folder();
    const { code, out, err } = await ranUntil([/tick total=\d+/], [
      ...[fixture("counting_driver.ts"), "--virtual", "loopback"],
      ...["--log", `${folder.path}/a.log`],
    ]);
    assertEquals([code, err], [0, ""], out);
  },
);

testOn(
  "preload",
  "run starts a driver that throws again, and says why it ended",
  async () => {
    using folder = new Folder();
    const log = `${folder.path}/a.log`;
    const { code } = await ranUntil([/(state starting[^]*){3}/], [
      ...[fixture("counting_driver.ts"), "--virtual", "loopback"],
      ...["--direct", "--log", log, "--set", "throw-at=2"],
    ]);
    assertEquals(code, 0);
    const lines = Deno.readTextFileSync(log).trimEnd().split("\n")
      .map((line): LogLine => JSON.parse(line));
    const ends = lines.filter((line) => line.event === "host.driver_ended");
    assertGreater(ends.length, 1);
    assertEquals(ends[0]?.class, "fault");
  },
);

testOn("preload", "call sends one command and prints its answer", async () => {
  using folder = new Folder();
  const { code, out, err } = await driverspace([
    ...["call", "usbtmc", "*IDN?", "--virtual", "multimeter", "--direct"],
    ...["--log", `${folder.path}/a.log`],
  ]);
  assertEquals([code, err], [0, ""]);
  assertMatch(out, /^[^,\n]+,[^,\n]+,[^,\n]+,[^,\n]+\n$/);
});

testOn("preload", "simulate passes the program's exit code on", async () => {
  assertEquals(
    (await driverspace(["simulate", "loopback", "--", "sh", "-c", "exit 7"]))
      .code,
    7,
  );
});

function fixture(name: string): string {
  return new URL(`./fixtures/${name}`, import.meta.url).pathname;
}
