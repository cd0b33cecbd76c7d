/**
 * Plays native code that an attacker controls inside a driver. Prints one JSON
 * line for each attempt; whether the answer is right is decided outside.
 *
 *     probe.ts LIBRARY TARGETS-AS-JSON [--stage2] [--kill=CALL]
 */

import { takeLauncherReport } from "../../driver/host/sandbox_policy_report.ts";
import { cstring, Libc } from "../../ffi/linux/libc.ts";
import { enterStage2 } from "../../ffi/linux/stage2.ts";
import { isSyscallName } from "../../ffi/linux/syscalls.ts";
import {
  PROBE_ROWS,
  type ProbeContext,
  type ProbeRow,
  type ProbeTargets,
} from "./probe_rows.ts";

/** What an attempt gave: a result, or the negated errno; on a pool thread -1 for any failure. */
export interface ProbeAnswer {
  readonly name: string;
  readonly thread: "main" | "pool";
  readonly result: number;
}

/** errno is wrong once in a hundred thousand calls (libc.ts): a strange one is asked again. */
const ATTEMPTS = 3;

async function main(): Promise<void> {
  const { report, rest } = takeLauncherReport(Deno.args);
  const [library = "", targets = "{}", ...options] = rest;
  const libc = Libc.open(library);
  const context: ProbeContext = {
    call: (name, args) => libc.call(name, args),
    libc,
    targets: JSON.parse(targets) as ProbeTargets,
    space: libc.allocate(new Uint8Array(4096)),
  };
  if (options.includes("--stage2")) await enterStage2(libc, report);
  const kill = options.find((option) => option.startsWith("--kill="));
  if (kill !== undefined) return makeFatalCall(libc, kill.slice(7));
  const onPool: ProbeContext = {
    ...context,
    call: (name, args) => libc.callOnPool(name, args),
  };
  for (const row of PROBE_ROWS) {
    say({ name: row.name, thread: "main", result: await ask(row, context) });
    if (row.isMainOnly === true) continue;
    say({
      name: row.name,
      thread: "pool",
      result: await row.attempt(onPool),
    });
  }
}

async function ask(row: ProbeRow, context: ProbeContext): Promise<number> {
  const first = await row.attempt(context);
  for (let again = 1; again < ATTEMPTS; again++) {
    const next = await row.attempt(context);
    if (Math.sign(next) !== Math.sign(first) || next === first) return next;
  }
  return first;
}

/** One call that no driver makes: with the filter, the end. */
function makeFatalCall(libc: Libc, name: string): void {
  const X32_GETPID = 0x40000000 + 39;
  let result = 0;
  if (name === "x32") result = libc.callNumber(X32_GETPID);
  else if (name === "execve") {
    result = libc.call("execve", [
      cstring("/bin/true"),
      libc.stringArray(["true"]),
      libc.stringArray([]),
    ]);
  } else if (isSyscallName(name)) result = libc.call(name, [0, 0, 0, 0, 0, 0]);
  console.log(`SURVIVED ${name}: ${result}`);
}

function say(answer: ProbeAnswer): void {
  const line = new TextEncoder().encode(`${JSON.stringify(answer)}\n`);
  Deno.stdout.writeSync(line);
}

if (import.meta.main) await main();
