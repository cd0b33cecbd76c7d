/**
 * What a supervisor runs: one TOML file that names drivers and their devices.
 * Checked whole on load; every mistake is told with its line and column.
 *
 * @module
 */

import type { Json, LogLevel } from "../../driver.ts";
import type { DeviceMatch } from "../../match.ts";
import { parseToml } from "../../std.ts";
import { BUNDLES_KEPT } from "../crash/bundle_shelf.ts";
import { type MqttSettings, readMqttSettings } from "../mqtt/settings.ts";
import {
  DEFAULT_RESTART_POLICY,
  type RestartPolicy,
} from "../restart_policy.ts";
import { type Problem, Problems, TableReader } from "./table_reader.ts";
import { TomlPositions } from "./toml_positions.ts";

/** Where programs reach the supervisor. */
export interface ServerConfiguration {
  /** Absolute path of the Unix socket. Absent: the default place. */
  readonly socket?: string;
  /** A port of the loopback address besides; then a token file is needed. */
  readonly port?: number;
  /** File whose first line every request over TCP must bear. */
  readonly tokenFile?: string;
}

/** One driver that is wanted. */
export interface DriverEntry {
  /** Name of this instance in logs, metrics and paths. */
  readonly name: string;
  /** Name of a driver, or the absolute path or URL of its module. */
  readonly driver: string;
  /** Which device; or the name of a virtual one. */
  readonly device: DeviceMatch | { readonly virtual: string };
  /** Whether `/readyz` depends on it. */
  readonly isRequired: boolean;
  readonly options: { readonly [name: string]: Json };
  readonly logPath?: string;
  readonly logLevel?: LogLevel;
  /** Absent: the driver's own. */
  readonly profile?: "default" | "jitless";
  readonly restart: RestartPolicy;
  /** Whether its next process waits while it serves. */
  readonly hasStandby: boolean;
  /** Its crash bundles hold every byte of the device, and can be replayed. */
  readonly recordsPayloads: boolean;
}

/** Where failures are kept. */
export interface CrashBundleConfiguration {
  /** Absolute. Absent: the default place. */
  readonly folder?: string;
  /** Of each driver. */
  readonly keep: number;
}

/** A checked configuration. */
export interface SupervisorConfiguration {
  readonly server: ServerConfiguration;
  /** Absolute path; absent: the default place. */
  readonly stateFile?: string;
  /** For the bridge, a process of its own. Absent: there is none. */
  readonly mqtt?: MqttSettings;
  readonly crashBundles: CrashBundleConfiguration;
  /** By name, in the order of the file. */
  readonly drivers: ReadonlyMap<string, DriverEntry>;
}

/** A configuration that cannot be used: every mistake, each on a line of its own. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  /** In the order of the file. */
  readonly problems: readonly Problem[];

  /** `where` is the file's name. */
  constructor(where: string, problems: readonly Problem[]) {
    super(
      problems.map(({ line, column, message }) =>
        `${where}:${line}:${column}: ${message}`
      ).join("\n"),
    );
    this.problems = problems;
  }
}

/** Far above any configuration of ours; bounds what a wrong path makes us read. */
export const CONFIGURATION_BYTES_MAX = 256 * 1024;
/** Drivers of one supervisor, each a process of 45 MB. */
export const DRIVERS_MAX = 64;

/**
 * Reads a configuration. `where` names it in messages.
 *
 * @throws {ConfigurationError} With every mistake.
 */
export function parseConfiguration(
  source: string,
  where: string,
): SupervisorConfiguration {
  const value = parseSource(source, where);
  const problems = new Problems(new TomlPositions(source));
  const top = new TableReader(value, [], problems);
  const server = readServer(top.table("server"));
  const stateFile = top.filePath("state_file");
  const mqtt = top.raw("mqtt") === undefined
    ? undefined
    : readMqttSettings(top.table("mqtt"));
  const crashBundles = readCrashBundles(top.table("crash_bundles"));
  const drivers = readDrivers(top.table("drivers"));
  top.finish();
  const { list } = problems;
  if (list.length > 0) {
    list.sort((a, b) => a.line - b.line || a.column - b.column);
    throw new ConfigurationError(where, list);
  }
  return {
    server,
    ...(stateFile === undefined ? {} : { stateFile }),
    ...(mqtt === undefined ? {} : { mqtt }),
    crashBundles,
    drivers,
  };
}

function parseSource(source: string, where: string): unknown {
  if (source.length > CONFIGURATION_BYTES_MAX) {
    throw new ConfigurationError(where, [{
      line: 1,
      column: 1,
      message: `The file is longer than ${CONFIGURATION_BYTES_MAX} characters`,
    }]);
  }
  try {
    return parseToml(source);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ConfigurationError(where, [syntaxProblem(error.message)]);
  }
}

/** The parser says `Parse error on line 2, column 8: …`. */
function syntaxProblem(text: string): Problem {
  const found = /line (\d+), column (\d+): (.*)$/s.exec(text);
  const message = (found?.[3] ?? text).replaceAll(/\s+/g, " ").slice(0, 200);
  return {
    line: Math.max(1, Number(found?.[1] ?? 1)),
    column: Math.max(1, Number(found?.[2] ?? 1)),
    message: `This is no TOML: ${message}`,
  };
}

function readServer(table: TableReader): ServerConfiguration {
  const socket = table.filePath("socket");
  const port = table.integer("port", { minimum: 1, maximum: 65_535 });
  const tokenFile = table.filePath("token_file");
  if (socket !== undefined && socket.length > SOCKET_PATH_MAX) {
    table.complain("socket", `must have at most ${SOCKET_PATH_MAX} characters`);
  }
  if (port !== undefined && table.raw("token_file") === undefined) {
    table.complain(
      "port",
      "needs a token_file: whoever reaches a port must show the token",
    );
  }
  table.finish();
  return {
    ...(socket === undefined ? {} : { socket }),
    ...(port === undefined ? {} : { port }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
  };
}

function readCrashBundles(table: TableReader): CrashBundleConfiguration {
  const folder = table.filePath("folder");
  const keep = table.integer("keep", { minimum: 1, maximum: 1_000 });
  if (table.raw("payloads") !== undefined) {
    table.complain(
      "payloads",
      "is said of each driver: [drivers.NAME.crash_bundles]",
    );
  }
  table.finish();
  return {
    ...(folder === undefined ? {} : { folder }),
    keep: keep ?? BUNDLES_KEPT,
  };
}

/** `sun_path` with its NUL byte. unix(7). */
const SOCKET_PATH_MAX = 107;

function readDrivers(table: TableReader): Map<string, DriverEntry> {
  const drivers = new Map<string, DriverEntry>();
  if (table.names.length === 0) {
    table.problems.add(["drivers"], "names no driver: add [drivers.NAME]");
  }
  if (table.names.length > DRIVERS_MAX) {
    table.problems.add(["drivers"], `has more than ${DRIVERS_MAX} entries`);
    return drivers;
  }
  for (const name of table.names) {
    const entry = table.table(name);
    if (/^[a-z][a-z0-9-]{0,31}$/.test(name)) {
      const read = readDriver(name, entry);
      if (read !== undefined) drivers.set(name, read);
    } else {
      table.complain(
        name,
        "must be lower case letters, digits and dashes, at most 32",
      );
    }
  }
  return drivers;
}

function readDriver(
  name: string,
  table: TableReader,
): DriverEntry | undefined {
  const driver = table.text("driver", 4096);
  if (table.raw("driver") === undefined) {
    table.complain("driver", "is missing: which driver is it?");
  }
  const device = readDevice(table);
  const isRequired = table.flag("required") ?? true;
  const logPath = table.filePath("log");
  const logLevel = table.choice("log_level", LOG_LEVELS);
  const profile = table.choice("profile", ["default", "jitless"]);
  const options = readOptions(table.table("options"));
  const hasStandby = table.flag("standby") ?? true;
  const restart = readRestart(table.table("restart"));
  const crashBundles = table.table("crash_bundles");
  const recordsPayloads = crashBundles.flag("payloads") ?? false;
  crashBundles.finish();
  table.finish();
  if (driver === undefined || device === undefined) return undefined;
  return {
    name,
    driver,
    device,
    isRequired,
    options,
    ...(logPath === undefined ? {} : { logPath }),
    ...(logLevel === undefined ? {} : { logLevel }),
    ...(profile === undefined ? {} : { profile }),
    restart,
    hasStandby,
    recordsPayloads,
  };
}

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

function readDevice(parent: TableReader): DriverEntry["device"] | undefined {
  const isMissing = parent.raw("device") === undefined;
  const table = parent.table("device");
  const virtual = table.text("virtual", 32);
  const match = readMatch(table);
  table.finish();
  const isEmpty = virtual === undefined && Object.keys(match).length === 0;
  if (isMissing || (isEmpty && table.names.length === 0)) {
    parent.complain(
      "device",
      "is missing: say which by vendor and product, serial, port, " +
        "interface_class, or virtual",
    );
    return undefined;
  }
  if (isEmpty) return undefined;
  if (virtual === undefined) return match;
  if (Object.keys(match).length > 0) {
    table.complain("virtual", "stands alone: a virtual device has no ids");
  }
  return { virtual };
}

function readMatch(table: TableReader): DeviceMatch {
  const byte = { minimum: 0, maximum: 0xff };
  return defined({
    vendorId: readId(table, "vendor"),
    productId: readId(table, "product"),
    serialNumber: table.text("serial", 126),
    portPath: readPort(table),
    interfaceClass: table.integer("interface_class", byte),
    interfaceSubclass: table.integer("interface_subclass", byte),
    interfaceProtocol: table.integer("interface_protocol", byte),
  });
}

/** `"0957"` or `0x0957`. */
function readId(table: TableReader, name: string): number | undefined {
  const value = table.raw(name);
  if (value === undefined) return undefined;
  if (typeof value === "string" && /^(0x)?[0-9a-fA-F]{4}$/.test(value)) {
    return parseInt(value, 16);
  }
  const isId = typeof value === "number" && Number.isInteger(value) &&
    value >= 0 && value <= 0xffff;
  if (isId) return value;
  table.complain(name, 'must be four hexadecimal digits, as "0957"');
  return undefined;
}

function readPort(table: TableReader): string | undefined {
  const port = table.text("port", 64);
  if (port === undefined || /^\d+-\d+(\.\d+)*$/.test(port)) return port;
  table.complain("port", 'must be a port path, as "1-4.2"');
  return undefined;
}

function readOptions(table: TableReader): Record<string, Json> {
  const options: Record<string, Json> = Object.create(null);
  for (const name of table.names) {
    const value = table.raw(name);
    const isScalar = ["string", "number", "boolean"].includes(typeof value);
    if (isScalar) options[name] = value as Json;
    else table.complain(name, "must be text, a number, true or false");
  }
  return { ...options };
}

function readRestart(table: TableReader): RestartPolicy {
  const day = { minimum: 0, maximum: 86_400_000 };
  const given = defined({
    backoffMsBase: table.integer("backoff_ms_base", day),
    backoffMsMax: table.integer("backoff_ms_max", day),
    failuresMax: table.integer("failures_max", { minimum: 1, maximum: 1_000 }),
    windowMs: table.integer("window_ms", day),
    quarantineMs: table.integer("quarantine_ms", {
      minimum: 1_000,
      maximum: day.maximum,
    }),
    healthyMs: table.integer("healthy_ms", day),
  });
  table.finish();
  return { ...DEFAULT_RESTART_POLICY, ...given };
}

type Defined<T> = { readonly [Name in keyof T]?: Exclude<T[Name], undefined> };

function defined<T extends object>(members: T): Defined<T> {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined),
  ) as Defined<T>;
}
