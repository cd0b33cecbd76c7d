/**
 * The Deno permissions of a driver process, exactly: as flags to start it with,
 * and as the question it asks before it opens anything. They state intent and
 * hold JavaScript; under FFI they confine nothing, the sandbox does.
 *
 * @module
 */

/** Paths a driver process in direct mode may touch. */
export interface DirectGrants {
  /** The libusb to load, as it will be named to `Deno.dlopen`. */
  readonly library: string;
  /** The device node; absent where libusb finds the device itself (a virtual bus). */
  readonly nodePath: string;
  /** The log file; absent when no log is kept. */
  readonly logPath?: string | undefined;
}

/** What every driver process is started with: no configuration, no network, no questions. */
export const RUN_FLAGS: readonly string[] = [
  "run",
  "--quiet",
  "--no-prompt",
  "--no-config",
  "--no-lock",
  "--cached-only",
];

/** {@linkcode RUN_FLAGS} for a driver whose own configuration resolves its imports. */
export function runFlags(config: string | undefined): readonly string[] {
  return config === undefined
    ? RUN_FLAGS
    : RUN_FLAGS.map((flag) =>
      flag === "--no-config" ? `--config=${config}` : flag
    );
}

/** Flags of direct mode, in order, each path once. A comma in a path is doubled, as Deno wants it. */
export function directFlags(grants: DirectGrants): string[] {
  const writable = [grants.nodePath];
  if (grants.logPath !== undefined) writable.push(grants.logPath);
  return [
    `--allow-ffi=${flagPath(grants.library)}`,
    `--allow-read=${flagPath(grants.nodePath)}`,
    `--allow-write=${writable.map(flagPath).join(",")}`,
  ];
}

/** A permission set of a `deno.json`, for `deno run -P=NAME`. */
export interface PermissionSet {
  readonly ffi: readonly string[];
  readonly read: readonly string[];
  readonly write: readonly string[];
}

/** What {@linkcode directFlags} grants, as a permission set. */
export function directPermissionSet(grants: DirectGrants): PermissionSet {
  const { library, nodePath, logPath } = grants;
  return {
    ffi: [library],
    read: [nodePath],
    write: logPath === undefined ? [nodePath] : [nodePath, logPath],
  };
}

/** Asks the runtime whether something is granted. */
export type PermissionQuery = (
  descriptor: Deno.PermissionDescriptor,
) => boolean;

/** What differs between what is granted and what is needed. */
export interface PermissionReport {
  /** Needed and not granted, as flags. */
  readonly missing: readonly string[];
  /** Granted and not needed, as flags. */
  readonly excess: readonly string[];
}

/** Compares what the runtime grants with what direct mode needs. */
export function checkDirectPermissions(
  grants: DirectGrants,
  isGranted: PermissionQuery,
): PermissionReport {
  const missing: string[] = [];
  const need = (descriptor: Deno.PermissionDescriptor, flag: string): void => {
    if (!isGranted(descriptor)) missing.push(flag);
  };
  const { library, nodePath, logPath } = grants;
  need({ name: "ffi", path: library }, `--allow-ffi=${flagPath(library)}`);
  need({ name: "read", path: nodePath }, `--allow-read=${flagPath(nodePath)}`);
  need(
    { name: "write", path: nodePath },
    `--allow-write=${flagPath(nodePath)}`,
  );
  if (logPath !== undefined) {
    need(
      { name: "write", path: logPath },
      `--allow-write=${flagPath(logPath)}`,
    );
  }
  return {
    missing,
    // Asked without a path, each means: everything.
    excess: NEVER_NEEDED.filter((name) => isGranted({ name })).map((name) =>
      `--allow-${name}`
    ),
  };
}

/** The runtime's own answer, for {@linkcode checkDirectPermissions}. */
export function askRuntime(descriptor: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(descriptor).state === "granted";
}

/** Not `import`: the runtime grants some hosts by itself, and `--cached-only` fetches from none. */
const NEVER_NEEDED = [
  "ffi",
  "read",
  "write",
  "net",
  "env",
  "run",
  "sys",
] as const;

/** A path in a flag: a comma in it is doubled, as Deno wants it. */
export function flagPath(path: string): string {
  return path.replaceAll(",", ",,");
}
