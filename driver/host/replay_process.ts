/**
 * Starts a replay in a process that may do nothing, and watches it: a driver
 * that hangs again is killed, one that eats its memory again dies by its bound.
 *
 * @module
 */

import type { Clock, Timer } from "../loop/clock.ts";
import type { JournalEvent } from "../loop/journal.ts";
import { decodeEvent } from "../loop/recording.ts";
import { type ClientProcess, spawnClient } from "./client_process.ts";
import { LineSplitter } from "./line_splitter.ts";
import { configFlags, nearestConfig } from "./module_config.ts";
import { heapFlag } from "./sandbox_policy_command.ts";
import { readTail } from "./stream_tail.ts";
import {
  anObject,
  boolean,
  type Checker,
  count,
  oneOf,
  shape,
  text,
  WireError,
} from "./wire_check.ts";

/** A line of a replay. */
export type ReplayLine =
  | { readonly type: "step" | "beyond"; readonly event: JournalEvent }
  | {
    readonly type: "gap";
    readonly events: number;
    readonly goesOn: "checkpoint" | "loose";
  }
  | ReplayVerdict;

/** What a replay says in the end. */
export interface ReplayVerdict {
  readonly type: "verdict";
  readonly verdict: "reproduced" | "diverged" | "not-reproduced";
  readonly sentence: string;
  readonly steps: number;
  readonly traceHash: string;
  readonly areValuesCompared: boolean;
}

/** How a replay's process ended. */
export type ReplayEnd =
  | { readonly kind: "done" }
  /** Nothing came for too long: it was killed. */
  | { readonly kind: "hang" }
  /** Its memory was used up. */
  | { readonly kind: "memory" }
  /** The driver cannot be loaded, or lives no replay: why. */
  | { readonly kind: "broken"; readonly reason: string };

/** What to replay. */
export interface ReplayRequest {
  /** The driver's module. */
  readonly moduleUrl: string;
  /** The bundle, whole. */
  readonly bundle: Uint8Array;
  readonly clock: Clock;
  /** From one line to the next. */
  readonly limitMs: number;
  readonly onLine: (line: ReplayLine) => void;
}

/** From spawn to the first line: a cold cache transpiles the driver and what it imports. */
const LOAD_MS = 20_000;

/** Replays. Never rejects for what the driver does. */
export async function runReplay(request: ReplayRequest): Promise<ReplayEnd> {
  const child = spawnClient(await commandFor(request.moduleUrl), {
    stdio: "piped",
    env: environment(),
  });
  const watch = new Watch(child, request);
  const [status, stderr, problem] = await Promise.all([
    child.status,
    readTail(child.stderr),
    watch.lines(),
    watch.feed(),
  ]);
  if (watch.isHung) return { kind: "hang" };
  if (problem !== undefined) return { kind: "broken", reason: problem };
  if (status.success && watch.hasVerdict) return { kind: "done" };
  const isMemory = /heap|out of memory/i.test(stderr) &&
    (status.signal !== null || status.code >= 128);
  if (isMemory) return { kind: "memory" };
  return { kind: "broken", reason: firstError(stderr) };
}

/** A child and the time since its last line. */
class Watch {
  isHung = false;
  hasVerdict = false;
  readonly #child: ClientProcess;
  readonly #request: ReplayRequest;
  #timer: Timer | undefined;

  constructor(child: ClientProcess, request: ReplayRequest) {
    this.#child = child;
    this.#request = request;
    this.#wait(LOAD_MS + request.limitMs);
  }

  /** Reads every line; gives what was wrong with one. */
  async lines(): Promise<string | undefined> {
    const splitter = new LineSplitter();
    try {
      for await (const piece of this.#child.stdout ?? []) {
        for (const line of splitter.push(piece)) this.#take(line);
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#kill();
      return error.message;
    } finally {
      this.#timer?.cancel();
    }
    return undefined;
  }

  async feed(): Promise<void> {
    const writer = this.#child.stdin?.getWriter();
    try {
      await writer?.write(this.#request.bundle.slice());
      await writer?.close();
    } catch {
      // It ended before it read all; its end says why.
    }
  }

  #take(bytes: Uint8Array): void {
    this.#wait(this.#request.limitMs);
    const line = decodeLine(bytes);
    this.hasVerdict ||= line.type === "verdict";
    this.#request.onLine(line);
  }

  #wait(limitMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#request.clock.setTimer(limitMs, () => {
      this.isHung = true;
      this.#kill();
    });
  }

  #kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It ended by itself in between.
    }
  }
}

const REPLAY_URL = new URL("./replay_main.ts", import.meta.url).href;

async function commandFor(moduleUrl: string): Promise<string[]> {
  const source = `import driver from ${JSON.stringify(moduleUrl)};\n` +
    `import { serveReplay } from ${JSON.stringify(REPLAY_URL)};\n` +
    "await serveReplay(driver);\n";
  return [
    Deno.execPath(),
    ...["run", "--quiet", "--no-prompt"],
    heapFlag(),
    ...configFlags(await nearestConfig(moduleUrl)),
    `data:application/javascript,${encodeURIComponent(source)}`,
  ];
}

/** What the runtime needs to find its cache. */
function environment(): Record<string, string> {
  const env: Record<string, string> = { NO_COLOR: "1" };
  for (const name of ["DENO_DIR", "HOME", "XDG_CACHE_HOME"]) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  return env;
}

function decodeLine(bytes: Uint8Array): ReplayLine {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new WireError("notJson", "Cannot read a line of the replay");
  }
  const { type } = anObject(value, "line");
  switch (type) {
    case "step":
    case "beyond":
      return { type, event: event(STEP(value, "line").event) };
    case "gap": {
      const { events, "goes_on": goesOn } = GAP(value, "line");
      return { type, events, goesOn };
    }
    default: {
      const line = VERDICT(value, "line");
      return {
        type: "verdict",
        verdict: line.verdict,
        sentence: line.sentence,
        steps: line.steps,
        traceHash: line["trace_hash"],
        areValuesCompared: line["values_compared"],
      };
    }
  }
}

const STEP = shape({ event: text(1024 * 1024) });
const GAP = shape({ events: count, "goes_on": oneOf("checkpoint", "loose") });
const VERDICT = shape({
  verdict: oneOf("reproduced", "diverged", "not-reproduced"),
  sentence: text(64 * 1024),
  steps: count,
  "trace_hash": text(16),
  "values_compared": boolean,
}) satisfies Checker<unknown>;

function event(line: string): JournalEvent {
  try {
    return decodeEvent(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new WireError("badMember", error.message);
  }
}

function firstError(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.trim()).filter(Boolean);
  const line = lines.find((text) => text.startsWith("error:")) ?? lines[0] ??
    "it said no word";
  return line.replace(/^error: (Uncaught (\(in promise\) )?)?/, "")
    .slice(0, 500);
}
