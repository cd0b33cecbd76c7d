/**
 * `driverspace status`: what a running supervisor says of its drivers.
 *
 * @module
 */

import type { Command, CommandCall } from "./command.ts";
import { EXIT, type ExitCode } from "./exit_codes.ts";
import { ask, SOCKET_FLAG, socketOf } from "./supervisor_access.ts";
import { columns, formatNumber, harmless, standbyText } from "./text.ts";

/** The command. */
export const statusCommand: Command = {
  name: "status",
  summary: "Show the drivers of a running supervisor",
  usage: "[--socket PATH] [--json]",
  details:
    "Ends with 1, and says why, when a required driver is not ready or " +
    "the supervisor's log cannot be written; with 69 when no supervisor " +
    "answers. RESTARTS counts processes that failed, STANDBY says whether the " +
    "next one waits already, HEARD is the age of the last heartbeat, REPORTS and BYTES are what moves now. Below the table " +
    "stand the crash bundles of drivers whose last process failed.",
  flags: {
    ...SOCKET_FLAG,
    json: { description: "One JSON document" },
  },
  examples: [
    "driverspace status",
    "driverspace status --socket /run/driverspace/socket --json",
  ],
  positionals: [0, 0],
  run: status,
};

/** As much of an answer as is shown. */
interface Answer {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, Check>>;
  readonly drivers: readonly Shown[];
}

/** One thing that readiness depends on. */
interface Check {
  readonly ok: boolean;
  readonly reason?: string;
  readonly required?: boolean;
}

/** As much of a driver as the table shows. */
interface Shown {
  readonly name: string;
  readonly state: string;
  readonly since: string;
  readonly cause: string | null;
  readonly degraded: string | null;
  readonly device: { readonly label: string } | null;
  readonly standby?: boolean;
  readonly "heartbeat_age_ms": number | null;
  readonly "reports_per_second": number | null;
  readonly "bytes_per_second": number | null;
  readonly dropped: number;
  readonly "safe_state": string | null;
  readonly "last_exit": { readonly bundle: string | null } | null;
  readonly "exit_counts": Readonly<Record<string, number>>;
}

/** Ends that are no failure. */
const FINE: readonly string[] = ["clean", "device-gone"];

async function status(call: CommandCall): Promise<ExitCode> {
  const { io } = call;
  const { body } = await ask(socketOf(call), "/status");
  const answer: Answer = JSON.parse(body);
  if (call.has("json")) io.out(body + "\n");
  else {
    const lines = [...table(answer), ...bundles(answer), ...failures(answer)];
    io.out([...lines, ""].join("\n"));
  }
  return answer.ready ? EXIT.done : EXIT.failed;
}

function table({ drivers }: Answer): string[] {
  const head = [
    "DRIVER",
    "STATE",
    "SINCE",
    "DEVICE",
    "RESTARTS",
    "STANDBY",
    "HEARD",
    "REPORTS",
    "BYTES",
    "DROPPED",
    "SAFE STATE",
    "CAUSE",
  ];
  return columns([head, ...drivers.map(row)]);
}

function row(driver: Shown): string[] {
  const { state, degraded, heartbeat_age_ms: heardMs } = driver;
  const failed = Object.entries(driver.exit_counts)
    .filter(([exitClass]) => !FINE.includes(exitClass))
    .reduce((sum, [, count]) => sum + count, 0);
  return [
    driver.name,
    degraded === null ? state : `${state} (degraded)`,
    driver.since.replace("T", " ").slice(0, 19),
    harmless(driver.device?.label ?? "-", 40),
    String(failed),
    standbyText(driver.standby),
    // Nobody is heard who does not run.
    state !== "ready" || heardMs === null ? "-" : `${heardMs} ms ago`,
    rate(driver.reports_per_second, ""),
    rate(driver.bytes_per_second, "B"),
    String(driver.dropped),
    driver.safe_state ?? "-",
    harmless(degraded ?? driver.cause ?? "", 80),
  ];
}

function rate(perSecond: number | null, unit: string): string {
  if (perSecond === null) return "-";
  const [scaled, prefix] = perSecond >= 1e6
    ? [perSecond / 1e6, "M"]
    : perSecond >= 1e3
    ? [perSecond / 1e3, "k"]
    : [perSecond, ""];
  return `${formatNumber(scaled)} ${prefix}${unit}`.trimEnd() + "/s";
}

/** Where to read what happened to those that failed. */
function bundles({ drivers }: Answer): string[] {
  return drivers.flatMap(({ name, last_exit: exit }) =>
    exit === null || exit.bundle === null
      ? []
      : [`Crash bundle of ${name}: ${harmless(exit.bundle, 4_096)}`]
  );
}

/** Why it is not ready, so that nobody has to ask `/readyz` as well. */
function failures({ ready, checks }: Answer): string[] {
  if (ready) return [];
  return Object.entries(checks)
    .filter(([, { ok, required }]) => !ok && required !== false)
    .map(([name, { reason = "" }]) =>
      `Not ready: ${name}: ${harmless(reason, 200)}`
    );
}
