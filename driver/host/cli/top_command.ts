/**
 * `driverspace top`: the drivers of a running supervisor, live.
 *
 * @module
 */

import { type Command, type CommandCall, usageError } from "./command.ts";
import { CliError, EXIT, type ExitCode } from "./exit_codes.ts";
import { Pause } from "./pause.ts";
import { ask, SOCKET_FLAG, socketOf } from "./supervisor_access.ts";
import { type FullTerminal, ProcessTerminal } from "./terminal.ts";
import { parseDuration } from "./text.ts";
import { topTable } from "./top_list_view.ts";
import { TopModel, type TopRow } from "./top_model.ts";
import { TopProgram } from "./top_program.ts";
import { type Ask, askForSample } from "./top_source.ts";

/** The command. */
export const topCommand: Command = {
  name: "top",
  summary: "Watch the drivers of a running supervisor, live",
  usage: "[--interval TIME] [--once] [--json] [--socket PATH]",
  details: "State, reports and megabytes a second, time in handlers, waiting " +
    "messages, drops, restarts and causes of every driver. Arrows or j and k " +
    "choose one, Enter shows it in full, r starts one that gave up, s sorts, " +
    "q ends. When the supervisor goes away the last values stay, as stale, " +
    "until it is back.",
  flags: {
    interval: {
      description: "How often to ask, default 1s; rates are over some of them",
      value: "TIME",
    },
    once: { description: "One table and the end; takes one interval" },
    json: {
      description: "One JSON object for each interval, or one with --once",
    },
    ...SOCKET_FLAG,
  },
  examples: [
    "driverspace top",
    "driverspace top --once",
    "driverspace top --interval 5s --json",
  ],
  positionals: [0, 0],
  run: (call) => {
    const socket = socketOf(call);
    return topWith(call, {
      ask: (path, options) => ask(socket, path, options),
      terminal: () => new ProcessTerminal(),
    });
  },
};

/** What the command reaches. Arguments, so that tests have neither. */
export interface TopSurroundings {
  readonly ask: Ask;
  readonly terminal: () => FullTerminal;
}

/** Faster than a driver's heartbeat there is nothing new. */
const INTERVAL_MS_MIN = 250;
const INTERVAL_DEFAULT = "1s";

/** The command, in surroundings of the caller. */
export async function topWith(
  call: CommandCall,
  surroundings: TopSurroundings,
): Promise<ExitCode> {
  const { io } = call;
  const intervalMs = readInterval(call);
  if (call.has("once")) return await once(call, surroundings.ask, intervalMs);
  if (call.has("json")) return await stream(call, surroundings.ask, intervalMs);
  if (!io.isTerminal) {
    throw usageError(
      topCommand,
      "Standard output is no terminal: give --once for a table, or --json",
    );
  }
  const terminal = surroundings.terminal();
  const { ask } = surroundings;
  await new TopProgram({ io, terminal, ask, intervalMs }).run();
  return EXIT.done;
}

function readInterval({ value }: CommandCall): number {
  const text = value("interval") ?? INTERVAL_DEFAULT;
  const intervalMs = parseDuration(text, "interval");
  if (intervalMs >= INTERVAL_MS_MIN) return intervalMs;
  throw usageError(
    topCommand,
    `--interval is at least ${INTERVAL_MS_MIN}ms: drivers tell no more often`,
  );
}

/** Two looks, because a rate is between two. */
async function once(
  call: CommandCall,
  ask: Ask,
  intervalMs: number,
): Promise<ExitCode> {
  const { io } = call;
  const model = new TopModel();
  const look = async (): Promise<void> =>
    model.take(await askForSample(ask, () => io.clock.nowMs()));
  await look();
  await new Promise<void>((resolve) => io.clock.setTimer(intervalMs, resolve));
  await look();
  const rows = model.rows();
  if (call.has("json")) {
    io.out(JSON.stringify(jsonSample(call, rows), undefined, 2) + "\n");
    return EXIT.done;
  }
  const status = model.last?.status;
  if (status === undefined) return EXIT.failed;
  const wallMs = io.clock.wallMs();
  const lines = topTable({ status, rows, sort: "order", wallMs });
  io.out(lines.join("\n") + "\n");
  return EXIT.done;
}

/** Goes on while nobody answers, and says so: whoever reads it wants to know. */
async function stream(
  call: CommandCall,
  ask: Ask,
  intervalMs: number,
): Promise<ExitCode> {
  const { io } = call;
  const model = new TopModel();
  // The first answer decides whether there is anything to watch.
  model.take(await askForSample(ask, () => io.clock.nowMs()));
  const pause = new Pause(io);
  try {
    while (io.isOutputClosed?.() !== true && await pause.pass(intervalMs)) {
      io.out(JSON.stringify(await nextSample(call, ask, model)) + "\n");
    }
  } finally {
    pause.end();
  }
  return EXIT.done;
}

async function nextSample(
  call: CommandCall,
  ask: Ask,
  model: TopModel,
): Promise<unknown> {
  const { io } = call;
  try {
    model.take(await askForSample(ask, () => io.clock.nowMs()));
    return jsonSample(call, model.rows());
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    model.fail(error.message, io.clock.nowMs());
    const ts = new Date(io.clock.wallMs()).toISOString();
    return { ts, reachable: false, error: error.message };
  }
}

function jsonSample({ io }: CommandCall, rows: readonly TopRow[]): unknown {
  return {
    ts: new Date(io.clock.wallMs()).toISOString(),
    reachable: true,
    drivers: rows.map((row) => ({
      name: row.driver.name,
      driver: row.driver.driver,
      state: row.driver.state,
      since: row.driver.since,
      degraded: row.driver.degraded ?? null,
      reports_per_second: row.reportsPerSecond ?? null,
      bytes_per_second: row.bytesPerSecond ?? null,
      latency_ms_p50: row.latencyMs?.p50 ?? null,
      latency_ms_p99: row.latencyMs?.p99 ?? null,
      waiting: row.depth,
      dropped: row.dropped,
      restarts: row.restarts,
      cause: row.cause,
    })),
  };
}
