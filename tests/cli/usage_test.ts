import { VERSION } from "../../driver/host/version.ts";
import { COMMANDS } from "../../driver/host/cli/commands.ts";
import { EXIT_MEANINGS } from "../../driver/host/cli/exit_codes.ts";
import { editDistance, nearest } from "../../driver/host/cli/suggest.ts";
import { harmless, parseDuration } from "../../driver/host/cli/text.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../driver/std.ts";
import { call } from "./fake_parts.ts";

Deno.test("driverspace without arguments shows its help and ends with 2", async () => {
  const { code, out } = await call([]);
  assertEquals(code, 2);
  assertStringIncludes(out, "Usage: driverspace COMMAND");
});

Deno.test("driverspace --help names every command", async () => {
  const { code, out } = await call(["--help"]);
  assertEquals(code, 0);
  for (const command of COMMANDS) assertStringIncludes(out, command.summary);
});

Deno.test("Every command has help with usage, all flags and examples that begin with driverspace", async () => {
  for (const command of COMMANDS) {
    const { code, out } = await call([command.name, "--help"]);
    assertEquals(code, 0);
    assertStringIncludes(out, `Usage: driverspace ${command.name}`);
    for (const flag of Object.keys(command.flags)) {
      assertStringIncludes(out, `--${flag}`);
    }
    assert(command.examples.length > 0, command.name);
    for (const example of command.examples) {
      assert(example.includes("driverspace"), example);
    }
    assertEquals(await call(["help", command.name]), { code, out, err: "" });
  }
});

Deno.test("driverspace help exit-codes prints the whole table", async () => {
  const { out } = await call(["help", "exit-codes"]);
  for (const [code, meaning] of Object.entries(EXIT_MEANINGS)) {
    assertStringIncludes(out, `${code}  ${meaning}`);
  }
});

Deno.test("The version is that of deno.json", async () => {
  const config = new URL("../../deno.json", import.meta.url);
  const { version } = JSON.parse(await Deno.readTextFile(config));
  assertEquals(VERSION, version);
});

Deno.test("driverspace --version names versions", async () => {
  const { code, out } = await call(["--version"]);
  assertEquals(code, 0);
  assert(/^driverspace \d+\.\d+\.\d+ \(deno /.test(out), out);
});

Deno.test("An unknown command is an error with a suggestion", async () => {
  const { code, err } = await call(["lsit"]);
  assertEquals(code, 2);
  assertStringIncludes(err, 'Unknown command "lsit". Did you mean list?');
});

Deno.test("An unknown flag is an error with a suggestion and the usage", async () => {
  const { code, err } = await call(["list", "--jsno"]);
  assertEquals(code, 2);
  assertStringIncludes(
    err,
    'Unknown flag "--jsno" of list. Did you mean --json?',
  );
  assertStringIncludes(err, "Usage: driverspace list [--json]");
});

Deno.test("A surplus argument, a missing one, a flag without value and one given twice are errors", async () => {
  const wrong: readonly [args: string[], text: string][] = [
    [["list", "all"], 'takes no argument "all"'],
    [["udev"], "Command udev needs VID:PID"],
    [["call"], "Command call needs DRIVER and COMMAND"],
    [["call", "usbtmc"], "Command call needs COMMAND"],
    [["simulate"], "Command simulate needs DEVICE"],
    [["udev", "0957:1755", "--group"], "--group needs a value: NAME"],
    [
      ["udev", "0957:1755", "--group", "a", "--group", "b"],
      "given more than once",
    ],
    [["list", "--", "x"], 'Cannot use "--" here'],
    [["list", "-x"], 'Unknown flag "-x"'],
  ];
  for (const [args, text] of wrong) {
    const { code, err } = await call(args);
    assertEquals(code, 2, args.join(" "));
    assertStringIncludes(err, text);
  }
});

Deno.test("Text from outside cannot move the cursor or turn the line around", () => {
  assertEquals(
    harmless("a\x1b[2Jb\r\n\u202ec"),
    "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{202e}c",
  );
  assertEquals(harmless("Ω 数 é"), "Ω 数 é");
  assertEquals(harmless("abcdef", 4), "abc…");
});

Deno.test("An error repeats what was typed without its escapes", async () => {
  const { err } = await call(["\x1b[31mlist"]);
  assert(!err.includes("\x1b"));
});

Deno.test("Durations are read with their units, and refused with an example", () => {
  assertEquals(parseDuration("500ms", "for"), 500);
  assertEquals(parseDuration("12s", "for"), 12_000);
  assertEquals(parseDuration("1.5m", "for"), 90_000);
  assertEquals(parseDuration("3", "for"), 3_000);
  for (const text of ["", "-1s", "0", "12 s", "s", "25h", "1e9"]) {
    assertThrows(() => parseDuration(text, "for"), Error, "12s");
  }
});

Deno.test("Edit distance counts inserted, dropped, changed and swapped letters", () => {
  assertEquals(editDistance("list", "list"), 0);
  assertEquals(editDistance("lsit", "list"), 1);
  assertEquals(editDistance("", "list"), 4);
  assertEquals(editDistance("doctr", "doctor"), 1);
  assertEquals(nearest("drivres", ["drivers", "doctor"]), "drivers");
  assertEquals(nearest("zzzzzz", ["drivers", "doctor"]), undefined);
});
