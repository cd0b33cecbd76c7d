/** `driverspace serve` as a person would run it, with the real libusb on a virtual bus. */

import {
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../../driver/std.ts";
import {
  driverspace,
  Folder,
  HAS_NOTIFY,
  HAS_PRELOAD,
  Spawned,
} from "./spawned.ts";
import { until } from "../until.ts";

function configuration(folder: Folder): string {
  const path = `${folder.path}/lab.toml`;
  Deno.writeTextFileSync(
    path,
    `state_file = "${folder.path}/state.json"
[server]
socket = "${folder.path}/socket"
[drivers.dmm]
driver = "usbtmc"
device = { virtual = "multimeter" }
log = "${folder.path}/dmm.log"
`,
  );
  return path;
}

/** The answer of `driverspace status`, once the driver is ready. */
async function untilReady(socket: string): Promise<string> {
  for (let attempt = 0;; attempt++) {
    const { code, out, err } = await driverspace([
      "status",
      "--socket",
      socket,
    ]);
    if (code === 0 && /dmm +ready/.test(out)) return out;
    if (attempt === 60) throw new Error(`Not ready: ${out}${err}`);
  }
}

/** Waits until the metrics are as wanted: sums come with the next heartbeat. */
async function untilMetrics(
  client: Deno.HttpClient,
  wanted: readonly RegExp[],
): Promise<void> {
  let text = "";
  await until(`all of ${wanted.join("  ")}`, async () => {
    const answer = await fetch("http://driverspace/metrics", { client });
    text = await answer.text();
    return wanted.every((pattern) => pattern.test(text));
  }, () => text);
}

/** Kills the driver as the kernel would, and waits until another is started. */
async function killed(client: Deno.HttpClient): Promise<void> {
  const look = async () =>
    await (await fetch("http://driverspace/drivers/dmm", { client })).json();
  const { pid, starts } = await look();
  Deno.kill(pid, "SIGKILL");
  await until("another process", async () => (await look()).starts > starts);
}

function isJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

const isPossible = HAS_NOTIFY || HAS_PRELOAD;
const reason = isPossible ? "" : " [not run: there is no virtual bus here]";

Deno.test({
  name:
    `serve supervises a driver, answers programs, and SIGTERM ends all in order${reason}`,
  ignore: !isPossible,
  fn: async (): Promise<void> => {
    using folder = new Folder();
    const socket = `${folder.path}/socket`;
    await using serving = new Spawned(["serve", configuration(folder)]);
    assertMatch(await untilReady(socket), /dmm +ready/);
    using client = Deno.createHttpClient({
      proxy: { transport: "unix", path: socket },
    });
    const answer = await fetch(
      "http://driverspace/drivers/dmm/commands/query",
      {
        client,
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ params: { command: "*IDN?" } }),
      },
    );
    assertStringIncludes(JSON.stringify(await answer.json()), "DS0001");
    // Over the preload transport the driver runs directly: nothing holds it.
    const [abi, seccomp] = HAS_NOTIFY ? ["[1-9]\\d*", "true"] : ["0", "false"];
    const held = `landlock_abi="${abi}",seccomp="${seccomp}"`;
    await untilMetrics(client, [
      new RegExp(`sandbox_info\\{driver="dmm",${held}\\} 1`),
      /type="control".*\} [1-9]/,
      /transfers_total\{.*type="bulk",status="completed"\} [1-9]/,
      /transfer_bytes_total\{.*direction="in"\} [1-9]/,
      /transfer_duration_seconds_count\{.*"bulk"\} [1-9]/,
      /log_lines_total\{.*level="info"\} [1-9]/,
    ]);
    const logs = await driverspace(["logs", "dmm", "--socket", socket]);
    assertMatch(logs.out, /info +dmm +driver\.ready +Ready on/);
    assertMatch(logs.out, /supervisor +driver\.state +dmm: starting → ready/);
    const path = `${folder.path}/dmm.log`;
    Deno.writeTextFileSync(path, '{"torn":', { append: true });
    await killed(client);
    await untilReady(socket);
    const lines = Deno.readTextFileSync(path).trimEnd().split("\n");
    const bad = lines.filter((line) => !isJson(line));
    assertEquals(bad, ['{"torn":'], "It swallows no line of the next process");
    const names = lines.filter(isJson).map((line) => JSON.parse(line))
      .map(({ driver, instance }) => `${driver} as ${instance}`);
    assertEquals([...new Set(names)], ["usbtmc as dmm"]);
    const second = await driverspace(["serve", `${folder.path}/lab.toml`]);
    assertEquals(second.code, 75);
    serving.signal("SIGTERM");
    const { code } = await serving.result();
    assertEquals(code, 0);
  },
});

Deno.test("serve names every mistake of a configuration with its place, and ends with 78", async () => {
  using folder = new Folder();
  const path = `${folder.path}/bad.toml`;
  await Deno.writeTextFile(
    path,
    '[drivers.a]\ndriver = "nosuch"\ndevice = { virtual = "multimeter" }\ncolour = 1\n',
  );
  const { code, err } = await driverspace(["serve", path, "--check"]);
  assertEquals(code, 78);
  assertStringIncludes(err, `${path}:4:`);
});

Deno.test("serve --check and --prepare name what no driver could be started with, and go on to the next", async () => {
  using folder = new Folder();
  const path = `${folder.path}/lab.toml`;
  await Deno.writeTextFile(
    path,
    '[drivers.a]\ndriver = "usbtmk"\ndevice = { vendor = "0957", product = "1755" }\n' +
      '[drivers.b]\ndriver = "usbtmc"\ndevice = { port = "1-4", interface_class = 254 }\n' +
      'log = "LOG"\n'.replace("LOG", `${folder.path}/b.log`),
  );
  const env = { XDG_STATE_HOME: folder.path };
  for (
    const [flag, word] of [
      ["--check", "usbtmc for port 1-4, class fe/*/*"],
      ["--prepare", "can be started"],
    ] as const
  ) {
    const { code, out, err } = await driverspace(["serve", path, flag], env);
    assertEquals(code, 78, err);
    assertStringIncludes(err, 'a: There is no driver "usbtmk". Did you mean');
    assertEquals(out, `b: ${word}\n`);
  }
});

Deno.test("The command line of the unit, with its exact permissions, gets as far as its configuration", async () => {
  using folder = new Folder();
  const path = `${folder.path}/lab.toml`;
  await Deno.writeTextFile(
    path,
    '[drivers.b]\ndriver = "usbtmc"\ndevice = { port = "1-4" }\n' +
      `log = "${folder.path}/b.log"\n`,
  );
  const unit = (await driverspace(["unit", path])).out;
  const [program = "", ...args] = /^ExecStart=(.*)$/m.exec(unit)?.[1]
    ?.split(" ") ?? [];
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args, "--check"],
  }).output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  assertEquals(new TextDecoder().decode(stdout), "b: usbtmc for port 1-4\n");
});

Deno.test("status says that no supervisor answers, and ends with 69", async () => {
  using folder = new Folder();
  const { code, err } = await driverspace([
    "status",
    "--socket",
    `${folder.path}/none`,
  ]);
  assertEquals(code, 69);
  assertStringIncludes(err, `${folder.path}/none`);
});
