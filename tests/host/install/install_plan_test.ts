import { removalCommands } from "../../../driver/host/install/install_plan.ts";
import { sampleConfiguration } from "../../../driver/host/install/sample.ts";
import { parseConfiguration } from "../../../driver/host/supervisor/configuration.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../../driver/std.ts";
import { InstallBench, plan } from "./install_bench.ts";

const METER = { driver: "usbtmc", vendorId: 0x0957, productId: 0x1755 };

Deno.test("A plan has user, folders, a rule for each kind of device, the unit and a configuration, nothing for the world to write", () => {
  const { files, commands } = plan({
    devices: [METER, METER, { vendorId: 1, productId: 2 }],
    program: ["/usr/bin/driverspace"],
  });
  assertEquals(files.map(({ path }) => path), [
    "/etc/sysusers.d/driverspace.conf",
    "/etc/tmpfiles.d/driverspace.conf",
    "/etc/udev/rules.d/70-driverspace-0957-1755.rules",
    "/etc/udev/rules.d/70-driverspace-0001-0002.rules",
    "/etc/systemd/system/driverspace.service",
    "/etc/driverspace/driverspace.toml",
  ]);
  for (const { mode } of files) assertEquals(mode, 0o644);
  const lines = commands.map(({ line }) => line.join(" "));
  assertEquals(lines[0], "systemd-sysusers /etc/sysusers.d/driverspace.conf");
  assert(lines.includes("udevadm control --reload"));
  assertStringIncludes(
    lines.at(-1) ?? "",
    "/usr/bin/driverspace serve /etc/driverspace/driverspace.toml --prepare",
  );
});

Deno.test("Without devices udev is left alone, and an empty configuration is not got ready", () => {
  const { files, commands } = plan({ devices: [], isEmpty: true });
  assert(!files.some(({ path }) => path.includes("udev")));
  const text = JSON.stringify(commands);
  assert(!text.includes("udevadm"), text);
  assert(!text.includes("--prepare"), text);
});

Deno.test("With a bridge its unit is written, its modules are fetched as its user, and both start together", () => {
  const bridge = {
    command: ["/usr/bin/deno", "run", "bridge.ts"],
    fetch: ["/usr/bin/deno", "cache", "bridge.ts"],
    host: "192.0.2.7",
  };
  const { files, commands, start } = plan({ devices: [], user: "lab", bridge });
  const unit = files.find(({ path }) => path.endsWith("-mqtt.service"));
  assertEquals(unit?.path, "/etc/systemd/system/driverspace-mqtt.service");
  assertStringIncludes(unit?.text ?? "", "User=lab\n");
  assertStringIncludes(unit?.text ?? "", "IPAddressAllow=192.0.2.7\n");
  const lines = commands.map(({ line }) => line.join(" "));
  assertStringIncludes(lines.at(-1) ?? "", "runuser -u lab -- env HOME=");
  assertStringIncludes(
    lines.at(-1) ?? "",
    "DENO_DIR=/var/cache/driverspace/deno",
  );
  assert(lines.at(-1)?.endsWith(" /usr/bin/deno cache bridge.ts"));
  const both = ["driverspace.service", "driverspace-mqtt.service"];
  assertEquals(start.line, ["systemctl", "enable", "--now", ...both]);
  const { before } = removalCommands(files.map(({ path }) => path));
  assertEquals(before.map(({ line }) => line), [
    ["systemctl", "disable", "--now", ...both],
  ]);
});

Deno.test("A removal stops the service first and reloads what read the files", () => {
  const of = (...paths: string[]) => {
    const { before, after } = removalCommands(paths);
    return [...before, ...after].map(({ line }) => line.slice(0, 2).join(" "));
  };
  assertEquals(of("/x.rules", "/x.service"), [
    "systemctl disable",
    "udevadm control",
    "udevadm trigger",
    "systemctl daemon-reload",
  ]);
  assertEquals(of("/x.toml"), []);
});

Deno.test("The user is the group of the devices and the owner of the folders", () => {
  const { files } = plan({ user: "lab", seat: true });
  const text = files.map(({ text }) => text).join("");
  assertStringIncludes(text, "u lab - ");
  assertStringIncludes(text, "d /var/log/driverspace 0755 lab lab\n");
  assertStringIncludes(text, 'GROUP="lab", TAG+="uaccess"');
  assertStringIncludes(text, "User=lab\nGroup=lab\n");
  assertThrows(() => plan({ user: "Root!" }), RangeError);
});

Deno.test("A sample with devices can be served as it is, whatever a device calls itself", () => {
  const evil = 'a"\n[drivers.x]\\\u0000\u009b\u2028';
  const sample = sampleConfiguration([
    { ...METER, serialNumber: evil, name: evil },
    { ...METER, serialNumber: "B" },
  ]);
  const { drivers } = parseConfiguration(sample, "sample");
  assertEquals([...drivers.keys()], ["usbtmc-1", "usbtmc-2"]);
  assertEquals(drivers.get("usbtmc-1")?.device, {
    vendorId: 0x0957,
    productId: 0x1755,
    serialNumber: evil,
  });
});

Deno.test("A sample without devices names no driver until somebody does", () => {
  const sample = sampleConfiguration([]);
  assertThrows(() => parseConfiguration(sample, "x"), Error, "names no driver");
  const filled = sample.split("\n").map((line) =>
    /^# (\[|[a-z]+ = )/.test(line) ? line.slice(2) : line
  );
  const { drivers } = parseConfiguration(filled.join("\n"), "x");
  assertEquals([...drivers.keys()], ["dmm"]);
});

/** Whether systemd's own programs are there to judge. */
async function said(
  program: string,
  args: readonly string[],
): Promise<{ readonly code: number; readonly text: string } | undefined> {
  try {
    const command = new Deno.Command(program, { args: [...args] });
    const { code, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
  } catch {
    return undefined;
  }
}

const hasSysusers = await said("systemd-sysusers", ["--version"]) !== undefined;
const noSysusers = hasSysusers ? "" : " [not run: no systemd-sysusers]";

Deno.test({
  name: `systemd makes the user that is planned${noSysusers}`,
  ignore: !hasSysusers,
  fn: async () => {
    using bench = new InstallBench();
    await bench.disk.write(plan(), { isForced: false });
    const found = await said("systemd-sysusers", [
      `--root=${bench.root}`,
      "--dry-run",
    ]);
    assertEquals(found?.code, 0, found?.text);
    assertStringIncludes(found?.text ?? "", "Creating user 'driverspace'");
  },
});

const mayMake = Deno.uid() === 0 && hasSysusers;
const noTmpfiles = mayMake ? "" : " [not run: needs root and systemd]";

Deno.test({
  name: `systemd makes the folders that are planned${noTmpfiles}`,
  ignore: !mayMake,
  fn: async () => {
    using bench = new InstallBench();
    const { folders } = plan({ user: "root" });
    await bench.disk.write(plan({ user: "root" }), { isForced: false });
    const found = await said("systemd-tmpfiles", [
      `--root=${bench.root}`,
      "--create",
    ]);
    assertEquals(found?.code, 0, found?.text);
    for (const { path, mode } of folders) {
      assertEquals((Deno.statSync(bench.root + path).mode ?? 0) & 0o777, mode);
    }
  },
});
