/** Logs that cannot be kept where they were asked for, or cannot be written later. */

import {
  assertEquals,
  assertMatch,
  assertStringIncludes,
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
