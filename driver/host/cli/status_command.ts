/**
 * `driverspace status`: what a running supervisor says of its drivers.
 *
 * @module
 */

import type { Command, CommandCall } from "./command.ts";
import { EXIT, type ExitCode } from "./exit_codes.ts";
import { ask, SOCKET_FLAG, socketOf } from "./supervisor_access.ts";
import { columns, harmless } from "./text.ts";

/** The command. */
export const statusCommand: Command = {
  name: "status",
  summary: "Show the drivers of a running supervisor",
  usage: "[--socket PATH] [--json]",
  details: "Ends with 1 when a required driver is not ready, with 69 when no " +
    "supervisor answers.",
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

/** As much of a driver as the table shows. */
interface Shown {
  readonly name: string;
  readonly state: string;
  readonly since: string;
  readonly cause: string | null;
  readonly degraded: string | null;
  readonly device: { readonly label: string } | null;
  readonly starts: number;
  readonly reports: number;
  readonly dropped: number;
}

async function status(call: CommandCall): Promise<ExitCode> {
  const { io } = call;
  const socket = socketOf(call);
  const [answer, ready] = await Promise.all([
    ask(socket, "/status"),
    ask(socket, "/readyz"),
  ]);
  if (call.has("json")) io.out(answer.body + "\n");
  else io.out(table(JSON.parse(answer.body).drivers).join("\n") + "\n");
  return ready.status === 200 ? EXIT.done : EXIT.failed;
}

function table(drivers: readonly Shown[]): string[] {
  const head = [
    "DRIVER",
    "STATE",
    "SINCE",
    "DEVICE",
    "STARTS",
    "REPORTS",
    "DROPPED",
    "CAUSE",
  ];
  return columns([
    head,
    ...drivers.map((driver) => [
      driver.name,
      driver.degraded === null ? driver.state : `${driver.state} (degraded)`,
      driver.since.replace("T", " ").slice(0, 19),
      harmless(driver.device?.label ?? "-", 40),
      String(driver.starts),
      String(driver.reports),
      String(driver.dropped),
      harmless(driver.degraded ?? driver.cause ?? "", 80),
    ]),
  ]);
}
