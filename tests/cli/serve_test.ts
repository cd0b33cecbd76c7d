/** `serve`, `status` and `unit`, called as functions: what they refuse and print. */

import {
  type CliIo,
  type Command,
  parseArguments,
} from "../../driver/host/cli/command.ts";
import { CliError } from "../../driver/host/cli/exit_codes.ts";
import { prepareEntry } from "../../driver/host/cli/serve_prepare.ts";
import {
  defaultSocket,
  serveCommand,
} from "../../driver/host/cli/serve_command.ts";
import { serviceCommand } from "../../driver/host/cli/service_command.ts";
import { statusCommand } from "../../driver/host/cli/status_command.ts";
import { unitCommand } from "../../driver/host/cli/unit_command.ts";
import { parseConfiguration } from "../../driver/host/supervisor/configuration.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import {
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../driver/std.ts";
import { fakeToolbox } from "./fake_parts.ts";

async function called(
  command: Command,
  args: readonly string[],
): Promise<string> {
  let out = "";
  const io: CliIo = {
    out: (text) => out += text,
    err: () => {},
    isTerminal: false,
    hasColor: false,
    columns: () => 80,
    onInterrupt: () => () => {},
    clock: new VirtualClock(),
    random: () => 0.5,
  } as CliIo;
  const parsed = parseArguments(command, args);
  await command.run({
    positionals: parsed.positionals,
    command: parsed.command,
    toolbox: fakeToolbox(),
    io,
    has: (flag) => parsed.flags[flag] === true,
    value: (flag) => {
      const given = parsed.flags[flag];
      return given === undefined || given === true ? undefined : given[0];
    },
    values: () => [],
  });
  return out;
}

Deno.test("serve --check names the drivers, or every mistake with its place", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/lab.toml`;
  try {
    await Deno.writeTextFile(
      path,
      '[drivers.dmm]\ndriver = "usbtmc"\ndevice.virtual = "multimeter"\n',
    );
    assertEquals(
      await called(serveCommand, [path, "--check"]),
      "dmm: usbtmc for virtual multimeter\n",
    );
    await Deno.writeTextFile(path, '[drivers.dmm]\ndriver = "usbtmc"\n');
    const error = await assertRejects(
      () => called(serveCommand, [path]),
      CliError,
      `${path}:1:2: drivers.dmm.device is missing`,
    );
    assertEquals(error.code, 78);
    await assertRejects(
      () => called(serveCommand, [`${folder}/none.toml`]),
      CliError,
      "there is no such file",
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("An entry that names what nobody knows cannot be prepared", async () => {
  const folder = await Deno.makeTempDir();
  const prepare = (more: string) => {
    const { drivers } = parseConfiguration(`[drivers.a]\n${more}\n`, "x");
    const entry = drivers.get("a");
    if (entry === undefined) throw new Error("There is no entry");
    return prepareEntry(entry, {
      toolbox: fakeToolbox(),
      io: { clock: new VirtualClock() },
      logFolder: folder,
      isDirect: true,
    });
  };
  try {
    await assertRejects(
      () => prepare('driver = "usbtmc"\ndevice.virtual = "multimetre"'),
      CliError,
      "Did you mean multimeter?",
    );
    await assertRejects(
      () => prepare('driver = "usbtmk"\ndevice.serial = "A"'),
      CliError,
      "Did you mean usbtmc?",
    );
    await assertRejects(
      () => prepare('driver = "usbtmc"\ndevice.serial = "A"\noptions.x = 1'),
      TypeError,
      'Cannot use "x" with a',
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("status without a supervisor says so and ends with 69", async () => {
  const error = await assertRejects(
    () => called(statusCommand, ["--socket", "/nowhere/socket"]),
    CliError,
    "Cannot reach a supervisor at /nowhere/socket: there is no such socket",
  );
  assertEquals(error.code, 69);
});

Deno.test("unit prints a unit for this program and this configuration", async () => {
  const out = await called(unitCommand, ["/etc/lab.toml", "--user", "lab"]);
  assertStringIncludes(out, "# /etc/systemd/system/driverspace.service\n");
  assertStringIncludes(out, " serve /etc/lab.toml\n");
  assertStringIncludes(out, " --no-prompt --allow-read=");
  assertStringIncludes(
    out,
    "--allow-net=unix:/run/driverspace/socket,unix:/run/systemd/notify," +
      "unix:/var/lib/driverspace/supervisor.json.notify",
  );
  assertEquals(/--allow-(ffi|all)/.test(out), false, "No native code");
  assertStringIncludes(out, "User=lab\nGroup=lab\n");
  await assertRejects(
    () => called(unitCommand, ["lab.toml"]),
    CliError,
    "absolute path",
  );
  await assertRejects(
    () => called(unitCommand, ["/etc/lab.toml", "--user", "Root!"]),
    CliError,
    "user or group",
  );
});

Deno.test("A supervisor's socket lies where its kind of session has it", () => {
  const of = (variables: Record<string, string>) =>
    defaultSocket((name) => variables[name]);
  assertEquals(
    of({ RUNTIME_DIRECTORY: "/run/driverspace" }),
    "/run/driverspace/socket",
  );
  assertEquals(
    of({ XDG_RUNTIME_DIR: "/run/user/1" }),
    "/run/user/1/driverspace.sock",
  );
  assertEquals(
    of({ HOME: "/home/lab" }),
    "/home/lab/.local/state/driverspace/driverspace.sock",
  );
});

Deno.test("A service has the permissions that its configuration needs", () => {
  const program = ["/usr/bin/deno", "run", "--allow-all", "/opt/ds/cli.ts"];
  const command = (text: string): string =>
    serviceCommand({
      program,
      path: "/etc/lab.toml",
      configuration: parseConfiguration(text, "lab.toml"),
    }).join(" ");
  const real = command(`[server]
port = 9464
token_file = "/etc/token"
[drivers.a]
driver = "/opt/mine/driver.ts"
device.vendor = "1209"
log = "/srv/logs/a.log"
`);
  assertStringIncludes(real, "--allow-read=/etc,/etc/token,/opt/ds,/opt/mine,");
  assertStringIncludes(real, "--allow-write=/run/driverspace,");
  assertStringIncludes(real, ",/srv/logs,");
  assertStringIncludes(real, "--allow-net=127.0.0.1:9464,unix:");
  assertStringIncludes(real, "--allow-run=/usr/bin/deno ");
  assertEquals(/--allow-(ffi|all)/.test(real), false);
  const virtual = command(
    '[drivers.a]\ndriver = "usbtmc"\ndevice.virtual = "multimeter"\n',
  );
  assertEquals(
    virtual,
    "/usr/bin/deno run --allow-all /opt/ds/cli.ts serve /etc/lab.toml",
  );
});
