import { InTheWayError } from "../../../driver/host/install/install_disk.ts";
import {
  decodeInstalled,
  encodeInstalled,
  INSTALLED_PATH,
  InstalledError,
} from "../../../driver/host/install/installed.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../../driver/std.ts";
import { InstallBench, plan } from "./install_bench.ts";

const UNIT = "/etc/systemd/system/driverspace.service";
const CONFIGURATION = "/etc/driverspace/driverspace.toml";
const GENTLY = { isForced: false };
const FORCED = { isForced: true };

Deno.test("What is installed is exactly what was planned, and nothing else is left", async () => {
  using bench = new InstallBench();
  const { files } = plan();
  const { written } = await bench.disk.write(plan(), GENTLY);
  assertEquals(written, files.map(({ path }) => path));
  for (const { path, text, mode } of files) {
    assertEquals(bench.read(path), text);
    assertEquals((Deno.statSync(bench.root + path).mode ?? 0) & 0o7777, mode);
  }
  const found = bench.paths().filter((path) =>
    Deno.statSync(bench.root + path).isFile
  );
  assertEquals(found, [...written, INSTALLED_PATH].sort());
});

Deno.test("Installed twice, nothing is written the second time", async () => {
  using bench = new InstallBench();
  await bench.disk.write(plan(), GENTLY);
  const before = bench.read(INSTALLED_PATH);
  const again = await bench.disk.write(plan(), GENTLY);
  assertEquals(again, { written: [], removed: [] });
  assertEquals(bench.read(INSTALLED_PATH), before);
});

Deno.test("Another version replaces what is ours, and only that", async () => {
  using bench = new InstallBench();
  await bench.disk.write(plan(), GENTLY);
  bench.write(CONFIGURATION, "# mine\n");
  const next = plan({ program: ["/usr/bin/other"] });
  const { written } = await bench.disk.write(next, GENTLY);
  assertEquals(written, [UNIT]);
  assertStringIncludes(bench.read(UNIT) ?? "", "/usr/bin/other serve");
  assertEquals(bench.read(CONFIGURATION), "# mine\n");
});

Deno.test("A file that was changed, or is not ours, is in the way: nothing is written without force", async () => {
  using bench = new InstallBench();
  await bench.disk.write(plan(), GENTLY);
  bench.write(UNIT, "[Unit]\n# by hand\n");
  const next = plan({ devices: [{ vendorId: 1, productId: 2 }] });
  const before = bench.paths();
  const error = await assertRejects(
    () => bench.disk.write(next, GENTLY),
    InTheWayError,
    `${UNIT} was changed since`,
  );
  assertEquals(error.paths, [UNIT]);
  assertEquals(bench.paths(), before);
  await bench.disk.write(next, FORCED);
  assertEquals(
    bench.read(UNIT),
    next.files.find(({ path }) => path === UNIT)?.text,
  );

  using other = new InstallBench();
  other.write(UNIT, "somebody's");
  await assertRejects(
    () => other.disk.write(plan(), GENTLY),
    InTheWayError,
    `${UNIT} is not ours`,
  );
});

Deno.test("A masked unit is a decision: a link is in the way and not followed", async () => {
  using bench = new InstallBench();
  bench.write("/elsewhere", "untouched");
  Deno.mkdirSync(`${bench.root}/etc/systemd/system`, { recursive: true });
  Deno.symlinkSync(`${bench.root}/elsewhere`, bench.root + UNIT);
  await assertRejects(() => bench.disk.write(plan(), GENTLY), InTheWayError);
  await bench.disk.write(plan(), FORCED);
  assertEquals(bench.read("/elsewhere"), "untouched");
  assert(Deno.lstatSync(bench.root + UNIT).isFile);
});

Deno.test("The rule of a device that is no longer named is removed, unless it was changed", async () => {
  using bench = new InstallBench();
  const rule = (id: string) => `/etc/udev/rules.d/70-driverspace-${id}.rules`;
  const devices = [1, 2, 3].map((productId) => ({ vendorId: 1, productId }));
  await bench.disk.write(plan({ devices }), GENTLY);
  bench.write(rule("0001-0002"), "# mine\n");
  const { removed } = await bench.disk.write(
    plan({ devices: devices.slice(2) }),
    GENTLY,
  );
  assertEquals(removed, [rule("0001-0001")]);
  assertEquals(bench.read(rule("0001-0001")), undefined);
  assertEquals(bench.read(rule("0001-0002")), "# mine\n");
});

Deno.test("Uninstalling removes what was written, with its folders, and nothing else", async () => {
  using bench = new InstallBench();
  bench.write("/etc/udev/rules.d/99-other.rules", "other");
  const unit = plan().files.find(({ path }) => path === UNIT)?.text ?? "";
  // As planned, and there before us: it is not ours to remove.
  bench.write(UNIT, unit);
  const before = bench.paths();
  await bench.disk.write(plan(), GENTLY);
  await bench.disk.remove(GENTLY);
  assertEquals(bench.paths(), before);
  assertEquals(await bench.disk.remove(GENTLY), []);
});

Deno.test("Uninstalling keeps what was changed, and the configuration whatever the force", async () => {
  using bench = new InstallBench();
  await bench.disk.write(plan(), GENTLY);
  bench.write(UNIT, "by hand");
  bench.write(CONFIGURATION, "mine");
  const removed = await bench.disk.remove(GENTLY);
  assert(!removed.includes(UNIT) && !removed.includes(CONFIGURATION));
  assertEquals(bench.read(UNIT), "by hand");
  assertEquals(await bench.disk.remove(FORCED), [UNIT]);
  assertEquals(bench.paths(), [
    "/etc",
    "/etc/driverspace",
    CONFIGURATION,
  ]);
});

Deno.test("An installation that cannot be finished leaves nothing half done", async () => {
  using bench = new InstallBench();
  bench.write("/etc/udev/rules.d", "a file where a folder should be");
  const before = bench.paths();
  await assertRejects(() => bench.disk.write(plan(), GENTLY));
  assertEquals(bench.paths(), before);

  using other = new InstallBench();
  // A name that cannot be taken, found out only when the others were.
  Deno.mkdirSync(other.root + UNIT, { recursive: true });
  await assertRejects(() => other.disk.write(plan(), FORCED));
  assert(!other.paths().some((path) => path.endsWith("-new")));
  await other.disk.remove(FORCED).catch(() => {});
  const files = other.paths().filter((path) =>
    Deno.statSync(other.root + path).isFile
  );
  assertEquals(files.filter((path) => path !== INSTALLED_PATH), []);
});

Deno.test("A mode that was opened is set right", async () => {
  using bench = new InstallBench();
  await bench.disk.write(plan(), GENTLY);
  Deno.chmodSync(bench.root + UNIT, 0o666);
  const { written } = await bench.disk.write(plan(), GENTLY);
  assertEquals(written, [UNIT]);
  assertEquals((Deno.statSync(bench.root + UNIT).mode ?? 0) & 0o777, 0o644);
});

Deno.test("A record that names anything but our files is not believed", async () => {
  const good = { path: UNIT, hashes: ["a".repeat(64)], isSample: false };
  const text = encodeInstalled({ files: [good], folders: ["/etc"] });
  assertEquals(decodeInstalled(text).files, [good]);
  for (
    const wrong of [
      "",
      "{",
      "null",
      '{"version":2}',
      text.replace(UNIT, "/etc/passwd"),
      text.replace(UNIT, "/etc/driverspace/../passwd"),
      text.replace(UNIT, "/etc/udev/rules.d/70-driverspace-0957-1755.rules/x"),
      text.replace('"/etc"', '"/home"'),
      text.replace("aaaa", "zzzz"),
    ]
  ) {
    assertThrows(() => decodeInstalled(wrong), InstalledError);
  }
  using bench = new InstallBench();
  bench.write("/etc/passwd", "root");
  bench.write(INSTALLED_PATH, text.replace(UNIT, "/etc/passwd"));
  await assertRejects(() => bench.disk.remove(FORCED), InstalledError);
  assertEquals(bench.read("/etc/passwd"), "root");
});
