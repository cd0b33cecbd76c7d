/**
 * How commands reach a running supervisor: its socket, and the sentence for
 * when it cannot be had.
 *
 * @module
 */

import {
  type AskOptions,
  askSupervisor,
  type SupervisorAnswer,
  UnreachableError,
} from "../supervisor/client.ts";
import type { CommandCall, FlagSpec } from "./command.ts";
import { CliError, EXIT } from "./exit_codes.ts";
import { defaultSocket } from "./serve_command.ts";

/** Of every command that asks a supervisor. */
export const SOCKET_FLAG: Readonly<Record<"socket", FlagSpec>> = {
  socket: {
    description: "Where the supervisor listens; default: ours, else " +
      "the system service's",
    value: "PATH",
  },
};

/** Where the unit of `driverspace unit` has it listen. */
export const SERVICE_SOCKET = "/run/driverspace/socket";

/** The socket that was named, else the first of the usual ones that is there. */
export function socketOf(
  { value }: Pick<CommandCall, "value">,
  isThere: (path: string) => boolean = exists,
): string {
  const own = defaultSocket();
  return value("socket") ??
    [own, SERVICE_SOCKET].find((path) => isThere(path)) ?? own;
}

/**
 * Asks a supervisor.
 *
 * @throws {CliError} `unavailable` when nobody answers, `permission` when we may not ask.
 */
export async function ask(
  socketPath: string,
  path: string,
  options?: AskOptions,
): Promise<SupervisorAnswer> {
  try {
    return await askSupervisor(socketPath, path, options);
  } catch (error) {
    if (error instanceof UnreachableError) throw unreachable(error);
    throw error;
  }
}

/** The error of a command whose supervisor cannot be reached. */
export function unreachable({ kind, message }: UnreachableError): CliError {
  if (kind === "denied") {
    return new CliError(
      EXIT.permission,
      message,
      "Only the user who runs the supervisor may ask it, and root: " +
        "try sudo, or sudo -u driverspace for the system service",
    );
  }
  return new CliError(
    EXIT.unavailable,
    message,
    kind === "absent"
      ? "driverspace serve CONFIG starts one; --socket PATH names another place"
      : "It may have been killed, or hang: see its log, or start it anew " +
        "with driverspace serve CONFIG",
  );
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    // What we may not look into is there all the same, and its refusal is the news.
    return error instanceof Deno.errors.PermissionDenied;
  }
}
