/**
 * The Deno permissions of the bridge, exactly: one broker, one socket, and until
 * it has read them the files of its configuration. It loads no native library,
 * so these hold whatever JavaScript runs in it; not what a bug of the runtime
 * would let in.
 *
 * @module
 */

import type { PermissionQuery, PermissionReport } from "../permissions.ts";
import { brokerAddress, type MqttSettings } from "./settings.ts";

/** What a bridge touches. */
export interface BridgeGrants {
  readonly settings: MqttSettings;
  /** The supervisor's Unix socket. */
  readonly socket: string;
  /** The configuration. */
  readonly configuration: string;
}

/** Flags of the bridge's process, in order. */
export function bridgeFlags(grants: BridgeGrants): string[] {
  const { settings, socket } = grants;
  if (socket.includes(",")) {
    // Deno divides its list of hosts at commas, and knows no way to write one.
    throw new TypeError(`Cannot use the socket ${socket}: it bears a comma`);
  }
  const files = [socket, ...filesOf(grants)];
  return [
    // Asked for by libraries; to be told nothing is no error to them.
    "--ignore-env",
    `--allow-net=${brokerAddress(settings)},unix:${socket}`,
    `--allow-read=${files.map(flagPath).join(",")}`,
    `--allow-write=${flagPath(socket)}`,
  ];
}

/** Compares what the runtime grants with what the bridge needs, as far as the runtime tells. */
export function checkBridgePermissions(
  grants: BridgeGrants,
  isGranted: PermissionQuery,
): PermissionReport {
  const { settings, socket } = grants;
  const address = brokerAddress(settings);
  const needed: readonly [Deno.PermissionDescriptor, string][] = [
    [{ name: "net", host: address }, `--allow-net=${address}`],
    [{ name: "net", host: `unix:${socket}` }, `--allow-net=unix:${socket}`],
    [{ name: "write", path: socket }, `--allow-write=${flagPath(socket)}`],
    ...[socket, ...filesOf(grants)].map((
      path,
    ): [Deno.PermissionDescriptor, string] => [
      { name: "read", path },
      `--allow-read=${flagPath(path)}`,
    ]),
  ];
  return {
    missing: needed.filter(([descriptor]) => !isGranted(descriptor))
      .map(([, flag]) => flag),
    excess: excessOf(grants).filter(([descriptor]) => isGranted(descriptor))
      .map(([, flag]) => flag),
  };
}

/** Takes back what was needed to begin: afterwards there are the broker and the socket. */
export function giveUpFiles(
  grants: BridgeGrants,
  revoke: (descriptor: Deno.PermissionDescriptor) => void,
): void {
  for (const path of filesOf(grants)) revoke({ name: "read", path });
}

function filesOf({ settings, configuration }: BridgeGrants): string[] {
  const { passwordFile, caFile } = settings;
  return [configuration, passwordFile, caFile].filter((path) =>
    path !== undefined
  );
}

/**
 * Asked without a place, each means: everything. A folder around a place means
 * more than the place, and a host without a port every port of it. The runtime
 * does not tell of single strangers.
 */
function excessOf(
  grants: BridgeGrants,
): readonly [Deno.PermissionDescriptor, string][] {
  const { settings: { host }, socket } = grants;
  const folders = new Set(
    [socket, ...filesOf(grants)].flatMap((path) => ["/", folderOf(path)]),
  );
  const bare = host.includes(":") ? `[${host}]` : host;
  return [
    ...EVERYTHING.map((name): [Deno.PermissionDescriptor, string] => [
      { name },
      `--allow-${name}`,
    ]),
    [{ name: "net", host: bare }, `--allow-net=${bare}`],
    ...[...folders].flatMap((path): [Deno.PermissionDescriptor, string][] => [
      [{ name: "read", path }, `--allow-read=${flagPath(path)}`],
      [{ name: "write", path }, `--allow-write=${flagPath(path)}`],
    ]),
    ...filesOf(grants).map((path): [Deno.PermissionDescriptor, string] => [
      { name: "write", path },
      `--allow-write=${flagPath(path)}`,
    ]),
  ];
}

/** Not `import`: the runtime grants some hosts by itself, and `--cached-only` fetches from none. */
const EVERYTHING = [
  "net",
  "read",
  "write",
  "env",
  "run",
  "sys",
  "ffi",
] as const;

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function flagPath(path: string): string {
  return path.replaceAll(",", ",,");
}
