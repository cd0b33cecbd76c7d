/** `driverspace top`, on a supervisor and a terminal that are in the test's hands. */

import {
  type CliIo,
  type CommandCall,
  parseArguments,
} from "../../driver/host/cli/command.ts";
import { printError } from "../../driver/host/cli/output.ts";
import { topCommand, topWith } from "../../driver/host/cli/top_command.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../driver/std.ts";
import { fakeToolbox } from "./fake_parts.ts";
import { FakeSupervisor, FakeTerminal, topDriver } from "./top_bench.ts";

/** A call under way. */
class Top {
  readonly clock = new VirtualClock();
  readonly supervisor = new FakeSupervisor();
  readonly terminal = new FakeTerminal();
  out = "";
  err = "";
  isOutputClosed = false;
  interrupt = (): void => {};
  code: Promise<number> = Promise.resolve(-1);

  start(args: readonly string[] = [], isTerminal = true): this {
    const io: CliIo = {
      out: (text) => this.out += text,
      err: (text) => this.err += text,
      isOutputClosed: () => this.isOutputClosed,
      isTerminal,
      hasColor: false,
      columns: () => 80,
      onInterrupt: (handler) => {
        this.interrupt = handler;
        return () => this.interrupt = () => {};
      },
      clock: this.clock,
      random: () => 0.5,
    };
    const { flags } = parseArguments(topCommand, args);
    const values = (flag: string): readonly string[] => {
      const given = flags[flag];
      return given === undefined || given === true ? [] : given;
    };
    const call: CommandCall = {
      positionals: [],
      command: [],
      toolbox: fakeToolbox(),
      io,
      has: (flag) => flags[flag] !== undefined,
      value: (flag) => values(flag)[0],
      values,
    };
    const { ask } = this.supervisor;
    const terminal = () => this.terminal;
    this.code = topWith(call, { ask, terminal })
      .catch((error) => printError(io, error));
    this.code.catch(() => {});
    return this;
  }

  /** A second passes, and what it asks for is answered. */
  async second(): Promise<void> {
    await this.clock.advance(1_000);
    await this.settle();
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  }

  /** The program is over and has left everything as it was. */
  async isOver(code = 0): Promise<void> {
    assertEquals(await this.code, code, this.err);
    assertEquals(this.terminal.isEntered, false);
    assertEquals(this.terminal.handlers, undefined);
    assertEquals(this.clock.pendingTimers, 0);
  }
}

Deno.test("The terminal is taken, shows the drivers with their rates, and is given back at q", async () => {
  const top = new Top().start();
  await top.settle();
  assertStringIncludes(top.terminal.text, "> dmm     ready");
  top.supervisor.drivers = [topDriver({ reports: 500 })];
  await top.second();
  assertStringIncludes(top.terminal.text, "   500 ");
  await top.terminal.type("q");
  await top.isOver();
  assertEquals(top.terminal.story, ["enter", "leave"]);
});

Deno.test("Every way out gives the terminal back: Ctrl-C, a signal, a terminal that is gone, a bug", async () => {
  const ways: readonly ((top: Top) => unknown)[] = [
    (top) => top.terminal.type("\x03"),
    (top) => top.terminal.type("\x04"),
    (top) => top.interrupt(),
    (top) => {
      top.terminal.isGone = true;
      return top.second();
    },
  ];
  for (const way of ways) {
    const top = new Top().start();
    await top.settle();
    await way(top);
    await top.isOver();
  }
  const top = new Top().start();
  await top.settle();
  top.terminal.draw = () => {
    throw new TypeError("a bug");
  };
  await top.clock.advance(1_000);
  await assertRejects(() => top.code, TypeError, "a bug");
  assertEquals(top.terminal.isEntered, false);
  assertEquals(top.clock.pendingTimers, 0);
});

Deno.test("Without a supervisor the terminal is not touched, and the code says it", async () => {
  const top = new Top();
  top.supervisor.isAway = true;
  top.start();
  await top.isOver(69);
  assertEquals(top.terminal.story, []);
  assertStringIncludes(top.err, "Cannot reach a supervisor");
});

Deno.test("A supervisor that goes away leaves its last values as stale, and is taken up again", async () => {
  const top = new Top().start();
  await top.settle();
  top.supervisor.isAway = true;
  await top.second();
  await top.second();
  assertStringIncludes(top.terminal.text, "STALE for 1 s, asking again");
  assertStringIncludes(top.terminal.text, "> dmm     ready");
  top.supervisor.isAway = false;
  await top.second();
  assert(!top.terminal.text.includes("STALE"), top.terminal.text);
  await top.terminal.type("q");
  await top.isOver();
});

Deno.test("Keys choose a driver, show it in full with its log, scroll, and go back", async () => {
  const top = new Top();
  top.supervisor.drivers = [topDriver(), topDriver({ name: "scope" })];
  top.supervisor.log = [{
    at: "2026-07-30T10:00:01.500Z",
    level: "warn",
    event: "x.y",
    message: "The last line",
  }];
  top.start();
  await top.settle();
  await top.terminal.type("j");
  assertStringIncludes(top.terminal.text, "> scope");
  await top.terminal.type("k\x1b[B\r");
  await top.settle();
  assertStringIncludes(top.terminal.text, "scope  ready for");
  await top.terminal.type("G");
  assertStringIncludes(top.terminal.text, "The last line");
  await top.terminal.type("\x1b");
  // Only time tells Escape from the beginning of a sequence.
  await top.clock.advance(50);
  assertStringIncludes(top.terminal.text, "> scope");
  await top.terminal.type("q");
  await top.isOver();
});

Deno.test("A driver is started again by r, and what came of it is said for a while", async () => {
  const top = new Top().start();
  await top.settle();
  await top.terminal.type("r");
  await top.settle();
  assertEquals(top.supervisor.retried, ["dmm"]);
  assertStringIncludes(top.terminal.text, "dmm: told to start");
  for (let count = 0; count < 5; count++) await top.second();
  assertStringIncludes(top.terminal.text, "q quit");
  top.supervisor.isAway = true;
  await top.terminal.type("r");
  await top.settle();
  assertStringIncludes(top.terminal.text, "Cannot reach a supervisor");
  await top.terminal.type("q");
  await top.isOver();
});

Deno.test("The chosen driver stays chosen when it moves, and another is when it is gone", async () => {
  const top = new Top();
  top.supervisor.drivers = [topDriver({ name: "b" }), topDriver({ name: "a" })];
  top.start();
  await top.settle();
  assertStringIncludes(top.terminal.text, "> b ");
  await top.terminal.type("s");
  assertStringIncludes(top.terminal.text, "sort: by name");
  assert(top.terminal.text.indexOf("  a ") < top.terminal.text.indexOf("> b "));
  await top.terminal.type("\r");
  top.supervisor.drivers = [topDriver({ name: "a" })];
  await top.second();
  assertStringIncludes(top.terminal.text, "> a ");
  await top.terminal.type("q");
  await top.isOver();
});

Deno.test("Each size is drawn for; Ctrl-Z gives the terminal back until we go on", async () => {
  const top = new Top().start();
  await top.settle();
  top.terminal.now = { columns: 20, rows: 4 };
  top.terminal.handlers?.resized();
  assertEquals(top.terminal.drawn.length, 4);
  await top.terminal.type("\x1a");
  assertEquals(top.terminal.story, ["enter", "stop", "enter"]);
  top.terminal.handlers?.continued();
  await top.terminal.type("q");
  await top.isOver();
});

Deno.test("--once prints one table with rates, or one document", async () => {
  for (
    const [args, text] of [
      [["--once"], "dmm     ready"],
      [["--once", "--json"], '"reports_per_second": 250'],
    ] as const
  ) {
    const top = new Top().start(args, false);
    await top.settle();
    top.supervisor.drivers = [topDriver({ reports: 250 })];
    await top.second();
    await top.isOver();
    assertStringIncludes(top.out, text);
    assertStringIncludes(top.out, "250");
  }
});

Deno.test("--json goes on over a supervisor that is away, and ends with its reader", async () => {
  const top = new Top().start(["--json"], false);
  await top.settle();
  await top.second();
  top.supervisor.isAway = true;
  await top.second();
  top.supervisor.isAway = false;
  await top.second();
  const lines = top.out.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.map(({ reachable }) => reachable), [true, false, true]);
  assertEquals(lines[0].drivers[0].name, "dmm");
  top.isOutputClosed = true;
  await top.second();
  await top.isOver();
});

Deno.test("Wrong use is refused with what is right", async () => {
  const wrong: readonly [args: string[], text: string][] = [
    [[], "--once for a table, or --json"],
    [["--interval", "1ms"], "at least 250ms"],
    [["--interval", "soon"], "expected a time such as 500ms"],
  ];
  for (const [args, text] of wrong) {
    const top = new Top().start(args, false);
    await top.isOver(2);
    assertStringIncludes(top.err, text);
  }
});
