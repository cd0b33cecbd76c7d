/**
 * `driverspace doctor`: what is missing on this machine, and the next step.
 *
 * @module
 */

import { type Check, examine, isHealthy } from "../doctor.ts";
import type { CliIo, Command, CommandCall } from "./command.ts";
import { EXIT, type ExitCode } from "./exit_codes.ts";
import { deviceRows } from "./list_command.ts";
import { printJson } from "./output.ts";
import { LIBRARY_FLAG, libraryOf } from "./run_plan.ts";
import { harmless } from "./text.ts";

/** The command. */
export const doctorCommand: Command = {
  name: "doctor",
  summary: "Check this machine, and say the next step for what is missing",
  usage: "[--json] [--library PATH]",
  details: "Ends with 0 when nothing stops a driver from running, else 1. " +
    "Opens no device and changes nothing.",
  flags: {
    json: { description: "One JSON array of checks for machines" },
    ...LIBRARY_FLAG,
  },
  examples: ["driverspace doctor", "driverspace doctor --json"],
  positionals: [0, 0],
  run: doctor,
};

async function doctor(call: CommandCall): Promise<ExitCode> {
  const { io, toolbox, has } = call;
  const library = libraryOf(call);
  const checks = await examine({
    system: toolbox.system,
    denoVersion: Deno.version.deno,
    findLibrary: () => toolbox.findLibrary(library),
    devices: () => deviceRows(toolbox, library),
    sandboxFacts: () => toolbox.sandboxFacts(),
  });
  if (has("json")) printJson(io, checks);
  else io.out(checks.map((check) => line(check, io)).join(""));
  return isHealthy(checks) ? EXIT.done : EXIT.failed;
}

const COLORS = { ok: "\x1b[32m", note: "\x1b[33m", fail: "\x1b[31m" } as const;

function line(check: Check, io: CliIo): string {
  const mark = check.result.padEnd(4);
  const shown = io.hasColor ? `${COLORS[check.result]}${mark}\x1b[0m` : mark;
  const lines = [`${shown}  ${check.name}: ${harmless(check.found)}`];
  if (check.cause !== undefined) lines.push(`      ${harmless(check.cause)}.`);
  if (check.next !== undefined) lines.push(`      Next: ${check.next}.`);
  return lines.join("\n") + "\n";
}
