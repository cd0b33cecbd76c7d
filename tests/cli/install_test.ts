/** `driverspace install`, called as a function: what it shows, writes, runs and refuses. */

import {
  type CliIo,
  type CommandCall,
  parseArguments,
} from "../../driver/host/cli/command.ts";
import {
  installCommand,
  installWith,
} from "../../driver/host/cli/install_command.ts";
import { printError } from "../../driver/host/cli/output.ts";
import type { Toolbox } from "../../driver/host/cli/toolbox.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";
import { InstallBench } from "../host/install/install_bench.ts";
import { fakeDevice, fakeToolbox } from "./fake_parts.ts";

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly ran: readonly string[];
}

/** Calls it; what it would run is noted, and fails where it matches. */
async function install(
  args: readonly string[],
  options: {
    readonly toolbox?: Toolbox;
    readonly program?: string;
    /** Root of a machine on which we are root. */
    readonly machine?: string;
    readonly fails?: RegExp;
  } = {},
): Promise<Result> {
  const { toolbox = fakeToolbox(), machine, fails } = options;
  const { program = "/usr/bin/driverspace" } = options;
  let out = "";
  let err = "";
  const io: CliIo = {
    out: (text) => out += text,
    err: (text) => err += text,
    isTerminal: false,
    hasColor: false,
    columns: () => 80,
    onInterrupt: () => () => {},
    clock: new VirtualClock(),
    random: () => 0.5,
  };
  const ran: string[] = [];
  const run = (line: readonly string[]): Promise<boolean> => {
    ran.push(line.join(" "));
    return Promise.resolve(fails?.test(line.join(" ")) !== true);
  };
  let code: number;
  try {
    const call = callOf(["--program", program, ...args]);
    code = await installWith({ ...call, toolbox, io }, {
      run,
      isRoot: machine !== undefined,
      machine: machine ?? "/nowhere",
    });
  } catch (error) {
    code = printError(io, error);
  }
  return { code, out, err, ran };
}

function callOf(args: readonly string[]): Omit<CommandCall, "toolbox" | "io"> {
  const { positionals, command, flags } = parseArguments(installCommand, args);
  const values = (flag: string): readonly string[] => {
    const given = flags[flag];
    return given === undefined || given === true ? [] : given;
  };
  return {
    positionals,
    command,
    has: (flag) => flags[flag] !== undefined,
    value: (flag) => values(flag)[0],
    values,
  };
}

/** A configuration in a place that a service sees. */
const CONFIG = `[drivers.dmm]
driver = "usbtmc"
device = { vendor = "0957", product = "1755" }
log = "/srv/dmm.log"
[drivers.any]
driver = "usbtmc"
device = { serial = "A" }
`;

Deno.test("A dry run shows every file whole with its mode and owner, and every command, and writes nothing", async () => {
  using bench = new InstallBench();
  const toolbox = fakeToolbox({ devices: [fakeDevice()] });
  const { code, out, ran } = await install(
    ["--dry-run", "--root", bench.root],
    { toolbox },
  );
  assertEquals(code, 0);
  for (
    const text of [
      "/etc/udev/rules.d/70-driverspace-0957-1755.rules\n  0644 root:root",
      '    device = { vendor = "0957", product = "1755", serial = "MY47000001" }',
      "    ExecStart=/usr/bin/driverspace serve /etc/driverspace/driverspace.toml\n",
      "  systemd-sysusers /etc/sysusers.d/driverspace.conf\n",
      "  systemctl enable --now driverspace.service\n",
      "Nothing was written.",
    ]
  ) assertStringIncludes(out, text);
  assertEquals([bench.paths(), ran], [[], []]);
});

Deno.test("The dry run for machines has the same, with the exact contents", async () => {
  using bench = new InstallBench();
  const args = ["--root", bench.root];
  const { out } = await install(["--dry-run", "--json", ...args]);
  const { files } = JSON.parse(out) as {
    files: { path: string; content: string; state: string; mode: string }[];
  };
  await install(args);
  for (const { path, content, state, mode } of files) {
    assertEquals(bench.read(path), content);
    assertEquals([state, mode], ["new", "0644"]);
  }
  const again = JSON.parse(
    (await install(["--dry-run", "--json", ...args])).out,
  );
  for (const { state } of again.files) assertEquals(state, "same");
});

Deno.test("Who is not root is told what to do instead, and may look", async () => {
  for (const args of [[], ["--uninstall"]]) {
    const { code, err } = await install(args);
    assertEquals(code, 77);
    assertStringIncludes(err, "Run it with sudo; --dry-run shows");
  }
});

Deno.test("A configuration gives the rules; what the service could not write or have is said", async () => {
  using bench = new InstallBench();
  bench.write("/etc/driverspace/driverspace.toml", CONFIG);
  const { code, err } = await install(["--root", bench.root]);
  assertEquals(code, 0, err);
  assertStringIncludes(err, "any does not name vendor and product");
  assertStringIncludes(err, "drivers.dmm.log is /srv/dmm.log");
  assert(
    bench.paths().includes("/etc/udev/rules.d/70-driverspace-0957-1755.rules"),
  );
  assertEquals(bench.read("/etc/driverspace/driverspace.toml"), CONFIG);
});

Deno.test("Wrong configurations, and places a service cannot see, are refused before anything is written", async () => {
  using bench = new InstallBench();
  const root = ["--root", bench.root];
  bench.write("/etc/driverspace/driverspace.toml", "[drivers.a]\n");
  const wrong: readonly [args: string[], code: number, text: string][] = [
    [[], 78, "driverspace.toml:1:2: drivers.a.driver is missing"],
    [["lab.toml"], 2, "absolute path"],
    [["/nowhere/lab.toml"], 78, "there is no such file"],
    [["/home/me/lab.toml"], 78, "would not see /home/me/lab.toml"],
    [["/tmp/lab.toml"], 78, "would not see /tmp/lab.toml"],
    [["--json"], 2, "--json goes with --dry-run"],
    [["--start"], 2, "Give --root or --start, not both"],
  ];
  const before = bench.paths();
  for (const [args, code, text] of wrong) {
    const result = await install([...root, ...args]);
    assertEquals(result.code, code, args.join(" "));
    assertStringIncludes(result.err, text);
  }
  assertEquals(bench.paths(), before);
  using other = new InstallBench();
  const user = await install(["--root", other.root, "--user", "Root!"]);
  assertEquals(user.code, 2);
});

Deno.test("A program in a home is refused, since the service would not find it", async () => {
  using bench = new InstallBench();
  const { code, err } = await install(["--root", bench.root], {
    program: "/home/me/driverspace",
  });
  assertEquals(code, 78);
  assertStringIncludes(err, "The service would not see /home/me/driverspace");
  assertEquals(bench.paths(), []);
});

Deno.test("On a machine the files are put in force in order, and the service is started when asked", async () => {
  using bench = new InstallBench();
  const machine = bench.root;
  bench.write("/etc/driverspace/driverspace.toml", CONFIG);
  const { code, ran, out } = await install([], { machine });
  assertEquals(code, 0);
  assertEquals(ran.map((line) => line.split(" ").slice(0, 2).join(" ")), [
    "systemd-sysusers /etc/sysusers.d/driverspace.conf",
    "systemd-tmpfiles --create",
    "udevadm control",
    "udevadm trigger",
    "systemctl daemon-reload",
    "runuser -u",
  ]);
  assertStringIncludes(out, "To start it: systemctl enable --now");
  const started = await install(["--start"], { machine });
  assertEquals(
    started.ran.at(-1),
    "systemctl enable --now driverspace.service",
  );
  const gone = await install(["--uninstall"], { machine });
  assertEquals(gone.ran[0], "systemctl disable --now driverspace.service");
  assertEquals(gone.ran.at(-1), "systemctl daemon-reload");
  assertEquals(gone.code, 0);
  assertStringIncludes(gone.out, "/var/lib/driverspace");
});

Deno.test("A command that fails is told with its purpose, keeps no other from its work, and ends with 1", async () => {
  using bench = new InstallBench();
  const machine = bench.root;
  bench.write("/etc/driverspace/driverspace.toml", CONFIG);
  const { code, ran, err } = await install([], { machine, fails: /^udevadm/ });
  assertEquals(code, 1);
  assertEquals(ran.length, 6);
  assertStringIncludes(
    err,
    "to let udev read the rules, run it again:\n  udev",
  );
});

Deno.test("A sample that names no driver is not started, and the way on is said", async () => {
  using bench = new InstallBench();
  const machine = bench.root;
  const first = await install(["--start"], { machine });
  assertEquals(first.code, 78);
  assertEquals(bench.paths(), []);
  const { code, err, out } = await install([], { machine });
  assertEquals(code, 0);
  assertStringIncludes(err, "Name a driver and its device in /etc/driverspace");
  assert(!out.includes("To start it"));
  // As it was written: no mistake, though it names none.
  assertEquals((await install([], { machine })).code, 0);
});

Deno.test("A changed file is in the way with its path and the ways out; dry run and force", async () => {
  using bench = new InstallBench();
  const root = ["--root", bench.root];
  await install(root);
  const unit = "/etc/systemd/system/driverspace.service";
  bench.write(unit, "mine");
  const refused = await install(root);
  assertEquals(refused.code, 78);
  assertStringIncludes(refused.err, `${unit} was changed since`);
  assertStringIncludes(refused.err, "--force replaces them");
  const dry = await install([...root, "--dry-run"]);
  assertEquals(dry.code, 1);
  assertStringIncludes(dry.out, "IN THE WAY: changed since we wrote it");
  const forced = await install([...root, "--force"]);
  assertEquals(forced.code, 0);
  assertStringIncludes(forced.out, `replaced  ${unit}`);
});

Deno.test("For a package nothing is run, and everything goes again", async () => {
  using bench = new InstallBench();
  const root = ["--root", bench.root];
  assertEquals((await install(root)).ran, []);
  const dry = await install([...root, "--uninstall", "--dry-run"]);
  assertStringIncludes(dry.out, "would remove  /etc/systemd/system/");
  const gone = await install([...root, "--uninstall"]);
  assertEquals([gone.code, gone.ran], [0, []]);
  assertEquals(bench.paths(), []);
  const twice = await install([...root, "--uninstall"]);
  assertEquals([twice.code, twice.out], [0, "Nothing is installed\n"]);
});

Deno.test("With another program the bridge's unit cannot be written, and that is said", async () => {
  using bench = new InstallBench();
  const path = "/etc/driverspace/driverspace.toml";
  bench.write(path, `${CONFIG}[mqtt]\nbroker = "mqtt://192.0.2.7"\n`);
  const { out } = await install([], { machine: bench.root });
  assert(bench.read("/etc/systemd/system/driverspace.service") !== undefined);
  const unit = "/etc/systemd/system/driverspace-mqtt.service";
  assertEquals(bench.read(unit), undefined, out);
  const { err } = await install([], { machine: bench.root });
  assertStringIncludes(
    err,
    `${path} has a table [mqtt]: with --program no unit of the bridge is`,
  );
});
