/**
 * `driverspace logs`: what drivers and their supervisor wrote, as one story.
 *
 * @module
 */

import type { LogLevel } from "../../driver.ts";
import { LOG_LEVELS, type LogEntry } from "../logs/log_entry.ts";
import type { LogFilter } from "../logs/log_filter.ts";
import {
  type CliIo,
  type Command,
  type CommandCall,
  usageError,
} from "./command.ts";
import { CliError, EXIT, type ExitCode } from "./exit_codes.ts";
import { LogReaders } from "./log_readers.ts";
import { chooseLogs, type ChosenLog } from "./log_sources.ts";
import { logJson, logText } from "./log_text.ts";
import { Pause } from "./pause.ts";
import { suggestion } from "./suggest.ts";
import { SOCKET_FLAG } from "./supervisor_access.ts";
import { harmless, parseMoment } from "./text.ts";

/** The command. */
export const logsCommand: Command = {
  name: "logs",
  summary: "Show the logs of drivers and supervisor, merged by time",
  usage: "[NAME|FILE...] [-f] [--level LEVEL] [--since TIME] [--json]",
  details: "A NAME is that of a driver in the configuration, or supervisor; " +
    "with a driver come the supervisor's lines about it. Without one, all " +
    "are shown. A FILE is any log, told by a dot or a slash. Times are UTC. " +
    "Where lines were lost, a line says how many; torn and foreign lines are " +
    "shown as such. A rotated file is read as well (FILE.1), and -f follows " +
    "through rotation.",
  flags: {
    follow: {
      short: "f",
      description: "Go on showing what is written, until Ctrl-C",
    },
    lines: {
      short: "n",
      description: "The last COUNT of those that are wanted, or all; " +
        "default 100, with --since all",
      value: "COUNT",
    },
    level: {
      description: "Only this level and above: debug, info, warn, error",
      value: "LEVEL",
    },
    event: {
      description: "Only events that begin so, as driver.state or transfer",
      value: "PREFIX",
    },
    since: {
      description: "Only from then on: 10m, 2h, 3d ago, or 2026-07-30T12:00",
      value: "TIME",
    },
    config: {
      description: "The logs this configuration names; no supervisor is asked",
      value: "CONFIG",
    },
    json: { description: "One JSON object a line, as they were written" },
    ...SOCKET_FLAG,
  },
  examples: [
    "driverspace logs -f",
    "driverspace logs dmm --level warn --since 1h",
    "driverspace logs ./dmm.log -n all --json",
  ],
  positionals: [0, 64],
  run: logs,
};

/** As people follow: soon enough, at no cost. */
const POLL_MS = 250;
/** A driver that a reload added is found by then. */
const LOOK_FOR_MORE_MS = 5_000;
/** Without --lines and --since. */
const LINES_DEFAULT = 100;
/** One call of `out` takes so many characters at least, if there are as many. */
const OUTPUT_CHARACTERS = 32 * 1024;

interface Wish {
  readonly lines: number | undefined;
  readonly filter: LogFilter;
}

async function logs(call: CommandCall): Promise<ExitCode> {
  const wish = readWish(call);
  const isFollowing = call.has("follow");
  const { logs: chosen, notes } = await chooseLogs(call);
  const { io } = call;
  for (const note of notes) io.err(`driverspace: ${harmless(note, 500)}\n`);
  using readers = new LogReaders(chosen, wish.filter);
  const skipped = readers.seek(wish.lines, isFollowing);
  for (const note of readers.notes) io.err(`driverspace: ${note}\n`);
  const printer = new Printer(call, chosen);
  printer.print(readers.history(skipped, !isFollowing));
  if (isFollowing) await follow(call, readers, printer);
  return EXIT.done;
}

/** Until Ctrl-C, or until nobody reads any more. */
async function follow(
  call: CommandCall,
  readers: LogReaders,
  printer: Printer,
): Promise<void> {
  const { io } = call;
  const pause = new Pause(io);
  let lookedAtMs = io.clock.nowMs();
  try {
    while (io.isOutputClosed?.() !== true && await pause.pass(POLL_MS)) {
      printer.print(readers.news());
      if (io.clock.nowMs() - lookedAtMs < LOOK_FOR_MORE_MS) continue;
      lookedAtMs = io.clock.nowMs();
      if (call.positionals.length === 0) readers.add(await knownNow(call));
    }
  } finally {
    pause.end();
  }
}

/** A supervisor that is away for a while has no news about new logs. */
async function knownNow(call: CommandCall): Promise<readonly ChosenLog[]> {
  try {
    return (await chooseLogs(call)).logs;
  } catch (error) {
    if (error instanceof CliError) return [];
    throw error;
  }
}

class Printer {
  readonly #io: CliIo;
  readonly #text: (entry: LogEntry) => string;

  constructor({ io, has }: CommandCall, chosen: readonly ChosenLog[]) {
    this.#io = io;
    const nameWidth = Math.max(0, ...chosen.map(({ name }) => name.length));
    const options = { hasColor: io.hasColor, nameWidth };
    this.#text = has("json") ? logJson : (entry) => logText(entry, options);
  }

  /** Stops early when nobody reads any more. */
  print(entries: Iterable<LogEntry>): void {
    let text = "";
    for (const entry of entries) {
      text += `${this.#text(entry)}\n`;
      if (text.length < OUTPUT_CHARACTERS) continue;
      this.#io.out(text);
      text = "";
      if (this.#io.isOutputClosed?.() === true) return;
    }
    if (text !== "") this.#io.out(text);
  }
}

function readWish(call: CommandCall): Wish {
  const { value, io } = call;
  const level = readLevel(value("level"));
  const event = value("event");
  const since = value("since");
  const sinceMs = since === undefined
    ? undefined
    : parseMoment(since, { flag: "since", nowMs: io.clock.wallMs() });
  return {
    lines: readLines(value("lines"), sinceMs !== undefined),
    filter: {
      ...(level === undefined ? {} : { level }),
      ...(event === undefined ? {} : { event }),
      ...(sinceMs === undefined ? {} : { sinceMs }),
    },
  };
}

function readLevel(text: string | undefined): LogLevel | undefined {
  if (text === undefined) return undefined;
  const found = LOG_LEVELS.find((level) => level === text);
  if (found !== undefined) return found;
  throw usageError(
    logsCommand,
    `There is no level ${JSON.stringify(harmless(text, 40))}.${
      suggestion(text, LOG_LEVELS)
    } Levels: ${LOG_LEVELS.join(", ")}`,
  );
}

function readLines(
  text: string | undefined,
  hasSince: boolean,
): number | undefined {
  if (text === undefined) return hasSince ? undefined : LINES_DEFAULT;
  if (text === "all") return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw usageError(
    logsCommand,
    `Cannot use ${JSON.stringify(harmless(text, 40))} for --lines: ` +
      "expected a number, or all",
  );
}
