/**
 * Two views of starting a process: one that could not be started, as the end of
 * one; and one whose killing is seen.
 *
 * @module
 */

import { UsbError } from "../../errors.ts";
import type { ClientProcess } from "../client_process.ts";
import type { DriverProcessEnd } from "../driver_process.ts";
import type { ExitClass } from "../exit_class.ts";

/** A process that could not be started, as the end of one. */
export function endOfSpawn(error: unknown): DriverProcessEnd {
  return {
    exitClass: classOfSpawn(error),
    code: -1,
    signal: undefined,
    message: error instanceof Error ? error.message : String(error),
    failure: undefined,
    safeState: undefined,
    isRefused: false,
    stderrTail: "",
    wasReady: false,
    readyMs: 0,
  };
}

/** The same process, but a SIGKILL sent to it is told: it may not help. */
export function watchKill(
  client: ClientProcess,
  onKill: () => void,
): ClientProcess {
  return {
    pid: client.pid,
    stdin: client.stdin,
    stdout: client.stdout,
    stderr: client.stderr,
    status: client.status,
    kill: (signal) => {
      client.kill(signal);
      if (signal === "SIGKILL") onKill();
    },
  };
}

function classOfSpawn(error: unknown): ExitClass {
  if (!(error instanceof UsbError)) return "start-crash";
  if (error.code === "access") return "permission";
  return error.code === "noDevice" ? "device-gone" : "start-crash";
}
