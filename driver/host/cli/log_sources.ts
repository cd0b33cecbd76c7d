/**
 * Which logs there are: files that were named, those a running supervisor tells
 * of, those of a configuration, or those that lie in our folders.
 *
 * @module
 */

import type { LogSource } from "../logs/log_file.ts";
import { logFolder } from "../own_folders.ts";
import { UnreachableError } from "../supervisor/client.ts";
import { askSupervisor } from "../supervisor/client.ts";
import { ConfigurationError } from "../supervisor/configuration.ts";
import { readConfiguration } from "../supervisor/read_configuration.ts";
import type { CommandCall } from "./command.ts";
import { CliError, EXIT } from "./exit_codes.ts";
import { missingName } from "./output.ts";
import { suggestion } from "./suggest.ts";
import { socketOf, unreachable } from "./supervisor_access.ts";
import { harmless } from "./text.ts";

/** A log that is to be shown. */
export interface ChosenLog extends LogSource {
  /** Of a log of several drivers: only what is about these. */
  readonly drivers?: readonly string[];
  /** It was named on the command line, so it must be there. */
  readonly isNamed: boolean;
}

/** What is to be shown, and what a person should know of it. */
export interface ChosenLogs {
  readonly logs: readonly ChosenLog[];
  readonly notes: readonly string[];
}

/** The supervisor's own log among those of its drivers. */
export const SUPERVISOR_LOG = "supervisor";
/** Where the unit of `driverspace unit` keeps logs that were given no place. */
const SERVICE_FOLDER = "/var/lib/driverspace";

/**
 * Finds the logs.
 *
 * @throws {CliError} `config` for a name nobody knows, `unavailable`, `permission`.
 */
export async function chooseLogs(call: CommandCall): Promise<ChosenLogs> {
  const paths = call.positionals.filter(isPath);
  const names = call.positionals.filter((text) => !isPath(text));
  const files = paths.map((path) => ({
    name: nameOf(path),
    path,
    isNamed: true,
  }));
  if (paths.length > 0 && names.length === 0) return { logs: files, notes: [] };
  const known = await knownLogs(call);
  const chosen = names.length === 0 ? everything(known) : named(known, names);
  return {
    logs: [...files, ...chosen.logs],
    notes: [...known.notes, ...chosen.notes],
  };
}

/** Names of drivers have neither. */
function isPath(text: string): boolean {
  return /[/.]/.test(text);
}

function nameOf(path: string): string {
  const name = path.split("/").at(-1) ?? path;
  return harmless(name.replace(/\.log$/, "") || name, 40);
}

interface KnownLogs {
  /** By name; `undefined` where a driver has none yet. */
  readonly paths: ReadonlyMap<string, string | undefined>;
  readonly notes: readonly string[];
  /** Where they were looked for, for the sentence when a name is not there. */
  readonly where: string;
  /** Nobody was there to ask. */
  readonly unreachable?: UnreachableError;
}

async function knownLogs(call: CommandCall): Promise<KnownLogs> {
  const config = call.value("config");
  if (config !== undefined) return ofConfiguration(config);
  const socket = socketOf(call);
  try {
    const { body } = await askSupervisor(socket, "/status");
    return ofStatus(JSON.parse(body), socket);
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    const isAsked = call.value("socket") !== undefined;
    if (isAsked || error.kind === "denied") throw unreachable(error);
    return ofFolders(error);
  }
}

interface Status {
  readonly log?: string | null;
  readonly drivers: readonly {
    readonly name: string;
    readonly log?: string | null;
  }[];
}

function ofStatus({ log, drivers }: Status, socket: string): KnownLogs {
  const paths = new Map(
    drivers.map((driver) => [driver.name, driver.log ?? undefined]),
  );
  paths.set(SUPERVISOR_LOG, log ?? undefined);
  return { paths, notes: [], where: `the supervisor at ${socket}` };
}

function ofConfiguration(path: string): KnownLogs {
  try {
    const absolute = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
    const { drivers } = readConfiguration(absolute);
    const paths = new Map<string, string | undefined>();
    for (const { name, logPath } of drivers.values()) {
      paths.set(name, logPath ?? inFolders(name));
    }
    paths.set(SUPERVISOR_LOG, inFolders(SUPERVISOR_LOG));
    return { paths, notes: [], where: path };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new CliError(EXIT.config, error.message);
  }
}

function inFolders(name: string): string {
  const paths = folders().map((folder) => `${folder}/${name}.log`);
  return paths.find(exists) ?? paths[0] ?? name;
}

function ofFolders(error: UnreachableError): KnownLogs {
  const paths = new Map<string, string>();
  const found: string[] = [];
  for (const folder of folders()) {
    for (const file of logFilesIn(folder)) {
      const name = file.slice(0, -".log".length);
      if (paths.has(name)) continue;
      paths.set(name, `${folder}/${file}`);
      if (!found.includes(folder)) found.push(folder);
    }
  }
  const where = found.join(", ") || folders().join(", ");
  return {
    paths,
    where,
    notes: [`No supervisor answers; these are the logs in ${where}`],
    unreachable: error,
  };
}

function folders(): string[] {
  return [...new Set([logFolder(), SERVICE_FOLDER])];
}

function logFilesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)]
      .filter(({ name, isFile }) => isFile && name.endsWith(".log"))
      .map(({ name }) => name).sort();
  } catch {
    return [];
  }
}

function everything(known: KnownLogs): ChosenLogs {
  const logs = [...known.paths].flatMap(([name, path]) =>
    path === undefined ? [] : [{ name, path, isNamed: false }]
  );
  if (logs.length > 0) return { logs, notes: [] };
  throw new CliError(
    EXIT.unavailable,
    `${
      known.unreachable?.message ?? "No driver has a log"
    }; there is no log in ${known.where}`,
    "driverspace logs FILE reads a file, --config CONFIG those it names",
  );
}

/** Of the supervisor's log, what it says about these drivers: a dead one cannot say it. */
function named(known: KnownLogs, names: readonly string[]): ChosenLogs {
  const logs: ChosenLog[] = [];
  const notes: string[] = [];
  for (const name of new Set(names)) {
    if (!known.paths.has(name)) throw unknownName(known, name);
    const path = known.paths.get(name);
    if (path !== undefined) logs.push({ name, path, isNamed: false });
    else notes.push(`${name} has no log yet: it was never started`);
  }
  const path = known.paths.get(SUPERVISOR_LOG);
  if (path !== undefined && !names.includes(SUPERVISOR_LOG)) {
    const drivers = [...new Set(names)];
    logs.push({ name: SUPERVISOR_LOG, path, drivers, isNamed: false });
  }
  return { logs, notes };
}

function unknownName(known: KnownLogs, name: string): CliError {
  const hint = suggestion(name, [...known.paths.keys()]);
  const shown = JSON.stringify(harmless(name, 80));
  if (known.unreachable === undefined) {
    return missingName("driver", harmless(name, 80), `${hint}`);
  }
  return new CliError(
    EXIT.unavailable,
    `${known.unreachable.message}; there is no log of ${shown} ` +
      `in ${known.where}.${hint}`,
    "driverspace logs ./FILE reads a file, --config CONFIG those it names",
  );
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
