/**
 * The command line of the service: this program, with the Deno permissions that
 * its configuration needs and no others.
 *
 * @module
 */

import { serveFlags, type ServeGrants } from "../serve_permissions.ts";
import type {
  DriverEntry,
  SupervisorConfiguration,
} from "../supervisor/configuration.ts";

/** Where the unit has the service keep things. systemd.exec(5), RuntimeDirectory= and its like. */
const FOLDERS = {
  state: "/var/lib/driverspace",
  cache: "/var/cache/driverspace",
  logs: "/var/log/driverspace",
  run: "/run/driverspace",
} as const;
/** Where a system's manager is told how a service does; sd_notify(3). */
const NOTIFY_SOCKET = "/run/systemd/notify";

/** What a command line is made for. */
export interface ServiceOptions {
  /** Program and arguments in front of `serve`; with `--allow-all` where Deno runs a module. */
  readonly program: readonly string[];
  /** Absolute path of the configuration. */
  readonly path: string;
  /** What is in it, if it is there. */
  readonly configuration?: SupervisorConfiguration | undefined;
}

/**
 * The command. A virtual device plays the kernel in the supervisor's own
 * process, which needs everything; a compiled program has its permissions in
 * it. Both stay as they are.
 */
export function serviceCommand(options: ServiceOptions): string[] {
  const { program, path, configuration } = options;
  const drivers = [...configuration?.drivers.values() ?? []];
  const isVirtual = drivers.some(({ device }) => "virtual" in device);
  const flags = isVirtual
    ? ["--allow-all"]
    : serveFlags(grantsOf(options, drivers));
  return [
    ...program.flatMap((word) => word === "--allow-all" ? flags : [word]),
    "serve",
    path,
  ];
}

function grantsOf(
  { program, path, configuration }: ServiceOptions,
  drivers: readonly DriverEntry[],
): ServeGrants {
  const { socket, port, tokenFile } = configuration?.server ?? {};
  const stateFile = configuration?.stateFile ??
    `${FOLDERS.state}/supervisor.json`;
  const module = program.at(-1) ?? "";
  const ownSocket = socket ?? `${FOLDERS.run}/socket`;
  return {
    denoPath: program[0] ?? "",
    reads: [
      folderOf(path),
      // The sources that drivers are bundled from, ours and others'.
      ...[module, ...drivers.map(({ driver }) => driver)]
        .filter((source) => source.startsWith("/")).map(folderOf),
      ...(tokenFile === undefined ? [] : [tokenFile]),
    ],
    writes: [
      ...Object.values(FOLDERS),
      folderOf(stateFile),
      folderOf(ownSocket),
      ...drivers.flatMap(({ logPath }) =>
        logPath === undefined ? [] : [folderOf(logPath)]
      ),
    ],
    sockets: [ownSocket, `${stateFile}.notify`, NOTIFY_SOCKET],
    ...(port === undefined ? {} : { port }),
  };
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}
