/**
 * The process that makes a device safe, seen from its host: its one line is read
 * as hostile input, its time is bounded, and it is over when this is.
 *
 * @module
 */

import { assert } from "../assert.ts";
import type { Clock } from "../loop/clock.ts";
import type { SafeStateReport } from "../loop/safe_state.ts";
import type { ClientProcess } from "./client_process.ts";
import { joinedBytes } from "./joined_bytes.ts";
import {
  decodeSafeStateFrame,
  SAFE_STATE_FRAME_BYTES_MAX,
  type SafeStateFrame,
} from "./safe_state_frame.ts";
import { SAFE_STATE_STEPS_MS } from "./safe_state_main.ts";
import {
  type LauncherRefusal,
  parseRefusal,
} from "./sandbox_policy_failures.ts";
import { readTail } from "./stream_tail.ts";
import type { SandboxSummary } from "./wire.ts";
import { WireError } from "./wire_check.ts";

/** How to follow one. */
export interface FollowOptions {
  readonly clock: Clock;
  /** How many steps it was told to perform. */
  readonly steps: number;
  /** Default SAFE_STATE_TIMEOUT_MS. */
  readonly timeoutMs?: number;
  /** Looks at what holds it; a sentence says that it is less than demanded. */
  readonly refusal?: (sandbox: SandboxSummary) => string | undefined;
}

/** From its start to its end: a slow machine's start, and the steps. Then it is killed. */
export const SAFE_STATE_TIMEOUT_MS = 5_000;

assert(
  SAFE_STATE_STEPS_MS * 2 < SAFE_STATE_TIMEOUT_MS,
  "A process must have time to start and to perform its steps",
);

/**
 * Follows a process to its end, whatever it does: nobody else may have the
 * device before it is gone. Never throws.
 */
export async function followSafeState(
  client: ClientProcess,
  options: FollowOptions,
): Promise<SafeStateReport> {
  const { clock, timeoutMs = SAFE_STATE_TIMEOUT_MS } = options;
  let isLate = false;
  const limit = clock.setTimer(timeoutMs, () => {
    isLate = true;
    kill(client);
  });
  const [status, said, stderr] = await Promise.all([
    client.status,
    readFrame(client),
    readTail(client.stderr),
    closeInput(client),
  ]);
  limit.cancel();
  if (!(said instanceof WireError) && said !== undefined) {
    return checked(said, options);
  }
  const how = isLate
    ? `it did not end within ${timeoutMs} ms and was killed`
    : said?.message ?? howItEnded(status, stderr);
  const isGone = GONE.has(parseRefusal(stderr)?.refusal);
  return {
    result: isGone ? "impossible" : "failed",
    stepsDone: 0,
    steps: options.steps,
    reason: isGone ? "device gone" : how,
  };
}

/** What a launcher says of a device that is not there any more. */
const GONE: ReadonlySet<LauncherRefusal | undefined> = new Set([
  "device-missing",
  "device-other",
]);

function checked(
  { sandbox, ...report }: SafeStateFrame,
  { refusal }: FollowOptions,
): SafeStateReport {
  const why = sandbox === undefined ? undefined : refusal?.(sandbox);
  if (why === undefined || report.result !== "done") return report;
  return { ...report, result: "failed", reason: why };
}

function howItEnded(status: Deno.CommandStatus, stderr: string): string {
  const refusal = parseRefusal(stderr);
  if (refusal !== undefined) return refusal.message;
  const end = status.signal ?? `exit code ${status.code}`;
  const last = stderr.trim().split("\n").at(-1) ?? "";
  const words = last === "" ? "" : `: ${last.slice(0, 500)}`;
  return `its process ended without a word (${end})${words}`;
}

/** The first line; anything that is none, or is too long, is an error and its end. */
async function readFrame(
  client: ClientProcess,
): Promise<SafeStateFrame | WireError | undefined> {
  const { stdout } = client;
  assert(stdout !== undefined, "Its stdout is piped");
  let text = new Uint8Array();
  try {
    for await (const piece of stdout) {
      const end = piece.indexOf(NEWLINE);
      text = joinedBytes(text, end < 0 ? piece : piece.subarray(0, end));
      if (text.length > SAFE_STATE_FRAME_BYTES_MAX) {
        throw new WireError("tooLong", "Cannot read a report: it is too long");
      }
      // What comes after it is not read.
      if (end >= 0) return decodeSafeStateFrame(text);
    }
  } catch (error) {
    kill(client);
    if (error instanceof WireError) return error;
  }
  return undefined;
}

const NEWLINE = 0x0a;

/** It is told everything at its start. */
async function closeInput({ stdin }: ClientProcess): Promise<void> {
  try {
    await stdin?.close();
  } catch {
    // It ended before.
  }
}

function kill(client: ClientProcess): void {
  try {
    client.kill("SIGKILL");
  } catch {
    // It ended by itself in between.
  }
}
