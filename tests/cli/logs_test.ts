/** `driverspace logs`, called as a function on files of its own. */

import type { CliIo } from "../../driver/host/cli/command.ts";
import { runCli } from "../../driver/host/cli/main.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import { assertEquals, assertStringIncludes } from "../../driver/std.ts";
import { line, LogBench } from "../host/logs/log_bench.ts";
import { fakeToolbox } from "./fake_parts.ts";

/** A call whose time, Ctrl-C and reader are in the test's hands. */
class Call {
  readonly clock = new VirtualClock();
  out = "";
  err = "";
  isOutputClosed = false;
  interrupt = (): void => {};
  readonly code: Promise<number>;

  constructor(args: readonly string[]) {
    const io: CliIo = {
      out: (text) => this.out += text,
      err: (text) => this.err += text,
      isOutputClosed: () => this.isOutputClosed,
      isTerminal: false,
      hasColor: false,
      columns: () => 80,
      onInterrupt: (handler) => {
        this.interrupt = handler;
        return () => this.interrupt = () => {};
      },
      clock: this.clock,
      random: () => 0.5,
    };
    this.code = runCli(["logs", ...args], { toolbox: fakeToolbox(), io });
  }

  /** Messages printed so far. */
  get messages(): string[] {
    return [...this.out.matchAll(/line \d+|missing|torn|no line|waiting/g)]
      .map(([text]) => text);
  }

  /** Lets the reader look once more. */
  async look(): Promise<void> {
    await this.clock.advance(250);
  }
}

async function called(
  ...args: string[]
): Promise<{ readonly code: number; readonly call: Call }> {
  const call = new Call(args);
  return { code: await call.code, call };
}

/** A configuration with two drivers whose logs lie in the bench. */
function configured(bench: LogBench): string {
  const path = `${bench.folder}/lab.toml`;
  const entry = (name: string) =>
    `[drivers.${name}]\ndriver = "usbtmc"\ndevice.serial = "${name}"\n` +
    `log = "${bench.folder}/${name}.log"\n`;
  Deno.writeTextFileSync(path, `${entry("a")}${entry("b")}`);
  return path;
}

Deno.test("The last lines of all logs of a configuration come merged by time", async () => {
  using bench = new LogBench();
  bench.lines(1, 3, 5);
  bench.write(`${line(2)}\n${line(4)}\n`, `${bench.folder}/b.log`);
  const config = configured(bench);
  const { code, call } = await called("--config", config, "-n", "3", "a", "b");
  assertEquals(code, 0, call.err);
  // Which of them were lost while another wrote is another file's matter.
  assertEquals(
    call.messages.filter((text) => text !== "missing"),
    ["line 3", "line 4", "line 5"],
  );
  const unknown = await called("--config", config, "c");
  assertEquals(unknown.code, 78);
  assertStringIncludes(unknown.call.err, 'There is no driver "c"');
});

Deno.test("What is wanted is counted, not what is passed over; losses are told whatever the level", async () => {
  using bench = new LogBench();
  const warn = { level: "warn" };
  for (const seq of [1, 2, 3, 4, 8]) {
    bench.write(`${line(seq, seq % 2 === 0 ? warn : {})}\n`);
  }
  bench.write("garbage\n");
  const { call } = await called(bench.path, "--level", "warn", "-n", "4");
  assertEquals(call.messages, [
    "line 2",
    "line 4",
    "missing",
    "line 8",
    "no line",
  ]);
  const { call: events } = await called(bench.path, "--event", "driver");
  assertEquals(events.messages, ["missing", "no line"]);
});

Deno.test("--follow shows what comes, through rotation, until Ctrl-C", async () => {
  using bench = new LogBench();
  bench.lines(1, 2);
  const call = new Call([bench.path, "-f", "-n", "1"]);
  await call.look();
  assertEquals(call.messages, ["line 2"]);
  bench.lines(3);
  bench.write('{"half');
  await call.look();
  Deno.copyFileSync(bench.path, `${bench.path}.1`);
  Deno.truncateSync(bench.path, 0);
  bench.lines(4);
  await call.look();
  assertEquals(call.messages, ["line 2", "line 3", "torn", "line 4"]);
  call.interrupt();
  assertEquals(await call.code, 0);
  assertEquals(call.clock.pendingTimers, 0);
  assertEquals(call.err, "");
});

Deno.test("--follow ends when its reader is gone", async () => {
  using bench = new LogBench();
  bench.lines(1);
  const call = new Call([bench.path, "-f"]);
  await call.look();
  call.isOutputClosed = true;
  await call.look();
  assertEquals(await call.code, 0);
  assertEquals(call.clock.pendingTimers, 0);
});

Deno.test("A file that is not there ends with 1; followed, it is waited for", async () => {
  using bench = new LogBench();
  const { code, call } = await called(bench.path);
  assertEquals(code, 1);
  assertStringIncludes(call.err, "there is no such file\nWith -f");
  const following = new Call([bench.path, "-f"]);
  await following.look();
  assertStringIncludes(following.err, "waiting for it");
  bench.lines(1);
  await following.look();
  assertEquals(following.messages, ["line 1"]);
  following.interrupt();
  assertEquals(await following.code, 0);
});

Deno.test("A driver that has not written yet is no mistake", async () => {
  using bench = new LogBench();
  const { code, call } = await called("--config", configured(bench), "a");
  assertEquals([code, call.err], [0, ""]);
});

Deno.test("Wrong flags are refused with what is right", async () => {
  const wrong: readonly [args: string[], text: string][] = [
    [["--level", "wran"], "Did you mean warn?"],
    [["--lines=-1"], "expected a number, or all"],
    [["-n", "few"], "expected a number, or all"],
    [["--since", "soon"], "for --since"],
    [["--folow"], "Did you mean --follow?"],
  ];
  for (const [args, text] of wrong) {
    const { code, call } = await called(...args);
    assertEquals(code, 2, call.err);
    assertStringIncludes(call.err, text);
  }
});

Deno.test("A supervisor that was named and does not answer is told, not done without", async () => {
  const { code, call } = await called("--socket", "/nowhere/socket");
  assertEquals(code, 69);
  assertStringIncludes(call.err, "/nowhere/socket: there is no such socket");
});
