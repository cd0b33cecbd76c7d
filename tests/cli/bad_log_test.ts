/** Logs that cannot be kept where they were asked for, or cannot be written later. */

import { prepareEntry } from "../../driver/host/cli/serve_prepare.ts";
import { LogFileError } from "../../driver/host/log_rotation.ts";
import { parseConfiguration } from "../../driver/host/supervisor/configuration.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../driver/std.ts";
import { call, fakeToolbox } from "./fake_parts.ts";
import { assertRefused, OPEN } from "./refused.ts";
import { Folder, ranUntil, testOn } from "./spawned.ts";

Deno.test("A log that cannot be written ends with 73 before anything is opened", async () => {
  using folder = new Folder();
  const device = ["--device", "0957:1755"];
  await assertRefused(
    ["run", "usbtmc", ...device, "--log", folder.path],
    { code: 73, text: "it is a directory" },
  );
  await assertRefused(
    ["run", "usbtmc", ...device, "--log", `${folder.path}/no/a.log`],
    { code: 73, text: "its folder does not exist" },
  );
});

Deno.test("A log that the launcher would refuse ends with 73 and leaves no file", async () => {
  using folder = new Folder();
  const { path } = folder;
  Deno.chmodSync(path, 0o777);
  await assertRefused(
    ["run", "usbtmc", "--device", "0957:1755", "--log", `${path}/a.log`],
    { code: 73, text: "others may write, or own, its folder" },
  );
  assertEquals([...Deno.readDirSync(path)], []);
  Deno.chmodSync(path, 0o700);
  Deno.symlinkSync(`${path}/elsewhere`, `${path}/link`);
  await assertRefused(
    ["run", "usbtmc", "--device", "0957:1755", "--log", `${path}/link`],
    { code: 73, text: "it is a symbolic link" },
  );
  await assertRefused(
    ["run", "usbtmc", "--device", "0957:1755", "--log", "/dev/full"],
    { code: 73, text: "it is not a regular file" },
  );
});

Deno.test("A log beside libusb ends with 73 before anything is made there", async () => {
  using folder = new Folder();
  const { path } = folder;
  const tools = {
    findLibrary: () => ({ path: `${path}/libusb.so`, version: "1.0.30" }),
  };
  await assertRefused(
    ["run", "usbtmc", "--device", "0957:1755", "--log", `${path}/a.log`],
    {
      code: 73,
      text: `${path} is for code. Keep logs apart from code and libraries`,
      toolbox: fakeToolbox({ system: OPEN, tools }),
    },
  );
  assertEquals([...Deno.readDirSync(path)], []);
});

/** Logs that no sandboxed driver may have, in a folder, and what is said of each. */
function badLogs(path: string): readonly [log: string, says: RegExp][] {
  Deno.mkdirSync(`${path}/shared`);
  Deno.chmodSync(`${path}/shared`, 0o777);
  Deno.symlinkSync(`${path}/elsewhere`, `${path}/link`);
  return [
    [`${path}/link`, /it is a symbolic link\. Name the file itself/],
    [`${path}/shared/a.log`, /others may write, or own, its folder\. Use a /],
  ];
}

Deno.test("serve --check refuses a log that no driver could be given, with 73", async () => {
  using folder = new Folder();
  const { path } = folder;
  for (const [log, says] of badLogs(path)) {
    Deno.writeTextFileSync(
      `${path}/lab.toml`,
      `[drivers.dmm]\ndriver = "usbtmc"\ndevice.virtual = "multimeter"\nlog = "${log}"\n`,
    );
    const { code, err } = await call(["serve", `${path}/lab.toml`, "--check"]);
    assertEquals(code, 73, err);
    assertMatch(err, says);
  }
});

Deno.test("A served driver with such a log is not prepared, and nothing is made for it", async () => {
  using folder = new Folder();
  const { path } = folder;
  for (const [log, says] of badLogs(path)) {
    const { drivers } = parseConfiguration(
      `[drivers.dmm]\ndriver = "usbtmc"\ndevice.virtual = "multimeter"\nlog = "${log}"\n`,
      "lab.toml",
    );
    const [entry] = drivers.values();
    assert(entry !== undefined);
    const prepared = prepareEntry(entry, {
      toolbox: fakeToolbox(),
      io: { clock: new VirtualClock() },
      logFolder: path,
      isDirect: false,
    });
    const { message } = await assertRejects(() => prepared, LogFileError);
    assertMatch(message, says);
  }
  assertEquals([...Deno.readDirSync(`${path}/shared`)], []);
  assertThrows(() => Deno.lstatSync(`${path}/elsewhere`), Deno.errors.NotFound);
});

Deno.test("With --json the cause of a failure is in the stream as well", async () => {
  const { code, out } = await call(
    ["run", "usbtmc", "--device", "0957:1755", "--log", "/dev/full", "--json"],
    fakeToolbox({ system: OPEN }),
  );
  const { type, exit_code: exitCode, message } = JSON.parse(out);
  assertEquals([code, type, exitCode], [73, "error", 73]);
  assertStringIncludes(message, "Cannot write the log /dev/full");
});

testOn(
  "preload",
  "A full disk stops no driver, and is told with the count of lines",
  async () => {
    const printed = [/The log cannot be written; the driver goes on/];
    const { code, out } = await ranUntil([...printed, /reading .* V/], [
      ...["usbtmc", "--virtual", "multimeter", "--direct"],
      ...["--log", "/dev/full"],
    ]);
    assertEquals(code, 0, out);
    assertMatch(out, /log lines not written [1-9]/);
  },
);
