/**
 * The Deno permissions of a supervisor that drives real devices, exactly: its
 * folders, its sockets, and starting Deno. No FFI, no device: what has them are
 * the processes it starts. For Linux.
 *
 * Starting Deno is as wide as everything, since the supervisor says with which
 * permissions: these flags hold its JavaScript to its business, and the service
 * manager confines the rest.
 *
 * @module
 */

import { flagPath } from "./permissions.ts";

/** What a supervisor may touch. */
export interface ServeGrants {
  /** `Deno.execPath()`. */
  readonly denoPath: string;
  /** Files and folders it reads; what it writes it may read, too. */
  readonly reads: readonly string[];
  /** Folders it keeps things in. */
  readonly writes: readonly string[];
  /** Unix sockets it listens on or sends to. */
  readonly sockets: readonly string[];
  /** Port of the loopback address, if it listens on one. */
  readonly port?: number;
}

/** Variables of the environment that are looked at by a supervisor and what it starts. */
export const SERVE_VARIABLES = [
  "DENO_DIR",
  "DRIVERSPACE_VIRTUAL_BUS",
  "HOME",
  "LD_LIBRARY_PATH",
  "LD_PRELOAD",
  "NOTIFY_SOCKET",
  "OTEL_DENO",
  "PATH",
  "RUNTIME_DIRECTORY",
  "SYSTEMD_DEVICE_VERIFY_SYSFS",
  "UMOCKDEV_DIR",
  "WATCHDOG_PID",
  "WATCHDOG_USEC",
  "XDG_CACHE_HOME",
  "XDG_RUNTIME_DIR",
  "XDG_STATE_HOME",
] as const;

/** The flags. A permission that is missing is an error, never a question. */
export function serveFlags(grants: ServeGrants): string[] {
  const { denoPath, reads, writes, sockets, port } = grants;
  const addresses = [
    ...sockets.map((path) => `unix:${path}`),
    ...(port === undefined ? [] : [`127.0.0.1:${port}`]),
  ];
  return [
    "--no-prompt",
    flag("read", [...reads, ...writes, ...sockets]),
    flag("write", [...writes, ...sockets]),
    flag("net", addresses),
    flag("run", [denoPath]),
    flag("env", SERVE_VARIABLES),
    // For the umask of its socket: Deno asks for a right of that name, and
    // knows no flag that grants it alone.
    "--allow-sys",
  ];
}

function flag(name: string, values: readonly string[]): string {
  const once = [...new Set(values)].sort();
  return `--allow-${name}=${once.map(flagPath).join(",")}`;
}
