/**
 * `driverspace serve`: several drivers from a configuration, for months.
 *
 * @module
 */

import { ListenError } from "../http/server.ts";
import { LogFileError } from "../log_rotation.ts";
import { logFolder } from "../own_folders.ts";
import {
  ConfigurationError,
  type DriverEntry,
} from "../supervisor/configuration.ts";
import { readConfiguration } from "../supervisor/read_configuration.ts";
import {
  type RunningService,
  startService,
} from "../supervisor/running_supervisor.ts";
import { openTelemetryAsked } from "../metrics/open_telemetry.ts";
import { LockedError } from "../supervisor/whole_file.ts";
import { watchdogMs } from "../systemd/service_notifier.ts";
import type { CliIo, Command, CommandCall } from "./command.ts";
import { CliError, EXIT, type ExitCode } from "./exit_codes.ts";
import { watchBusFor } from "./serve_bus.ts";
import { checkConfiguration, prepareConfiguration } from "./serve_check.ts";
import { prepareEntry } from "./serve_prepare.ts";

/** The command. */
export const serveCommand: Command = {
  name: "serve",
  summary: "Run the drivers of a configuration under supervision",
  usage: "CONFIG [--check|--prepare] [--direct]",
  details: "CONFIG is a TOML file; docs/operations.md describes it. Programs " +
    "reach the supervisor at its Unix socket, as driverspace status does. " +
    "SIGHUP reads CONFIG again and touches only what changed; Ctrl-C stops " +
    "every driver in order.",
  flags: {
    check: { description: "Only check CONFIG and say what it names" },
    prepare: {
      description: "Only bundle its drivers, for a first start without network",
    },
    direct: { description: "No sandbox: drivers open their nodes themselves" },
  },
  examples: [
    "driverspace serve /etc/driverspace/lab.toml",
    "driverspace serve lab.toml --check",
  ],
  positionals: [1, 1],
  run: serve,
};

/** Where programs find a supervisor that was given no socket. */
export function defaultSocket(
  variable: (name: string) => string | undefined = (name) => Deno.env.get(name),
): string {
  const service = variable("RUNTIME_DIRECTORY")?.split(":")[0];
  if (service !== undefined && service !== "") return `${service}/socket`;
  const session = variable("XDG_RUNTIME_DIR");
  if (session?.startsWith("/") === true) return `${session}/driverspace.sock`;
  return `${logFolder(variable)}/driverspace.sock`;
}

async function serve(call: CommandCall): Promise<ExitCode> {
  const path = absolute(call.positionals[0] ?? "");
  try {
    if (call.has("check")) return await checkConfiguration(call, path);
    if (call.has("prepare")) return await prepareConfiguration(call, path);
    return await run(call, path);
  } catch (error) {
    throw asCliError(error);
  }
}

async function run(call: CommandCall, path: string): Promise<ExitCode> {
  const { io } = call;
  const folder = logFolder();
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  // What is wrong with it is told before anything is started.
  readConfiguration(path);
  const { clock } = io;
  const random = (): number => io.random();
  await using bus = await watchBusFor(call.toolbox, { clock, random });
  const { toolbox, watcher, hello } = bus;
  const isDirect = call.has("direct");
  const { boot } = hello;
  const start = { boot };
  const parts = { toolbox, io, logFolder: folder, isDirect, start };
  const service = await startService({
    clock,
    random,
    configurationPath: path,
    defaults: {
      socket: defaultSocket(),
      stateFile: `${folder}/supervisor.json`,
      logPath: `${folder}/supervisor.log`,
    },
    devices: () => watcher.devices(),
    busChanges: (changed) => watcher.subscribe(changed),
    prepare: (entry: DriverEntry) => prepareEntry(entry, parts),
    versions: {
      driverspace: toolbox.version,
      deno: Deno.version.deno,
      libusb: hello.libraryVersion,
    },
    boot,
    exportsTelemetry: openTelemetryAsked((name) => Deno.env.get(name)),
    systemd: {
      notifySocket: Deno.env.get("NOTIFY_SOCKET"),
      watchdogMs: watchdogMs((name) => Deno.env.get(name), Deno.pid),
    },
  });
  await untilInterrupted(service, io);
  return EXIT.done;
}

async function untilInterrupted(
  service: RunningService,
  io: CliIo,
): Promise<void> {
  for (const warning of service.warnings) say(io, `driverspace: ${warning}`);
  say(
    io,
    `Serving at ${service.socket}; driverspace status or dashboard shows how it is`,
  );
  if (service.port !== undefined) {
    say(io, `Dashboard: http://127.0.0.1:${service.port}/, asks for the token`);
  }
  const asked = Promise.withResolvers<void>();
  const stop = (): void => asked.resolve();
  const reload = (): void =>
    void service.reload().then((told) => say(io, told));
  // At a terminal SIGHUP says that it is gone; a service is told to read again.
  const ignore = listenTo({ stop, hangUp: io.isTerminal ? stop : reload });
  await asked.promise;
  say(io, "Stopping: safe state, drain, release");
  await service.stop("asked to stop");
  ignore();
}

/** Signals of our own, since `CliIo.onInterrupt` takes SIGHUP as an end. */
function listenTo(
  { stop, hangUp }: { readonly stop: () => void; readonly hangUp: () => void },
): () => void {
  const listeners: [Deno.Signal, () => void][] = [["SIGINT", stop]];
  if (Deno.build.os !== "windows") {
    listeners.push(["SIGTERM", stop], ["SIGHUP", hangUp]);
  }
  for (const [signal, listener] of listeners) {
    Deno.addSignalListener(signal, listener);
  }
  return () => {
    for (const [signal, listener] of listeners) {
      Deno.removeSignalListener(signal, listener);
    }
  };
}

/** Nobody has to be there to read it: the log has all that matters. */
function say(io: CliIo, text: string): void {
  try {
    io.err(`${text}\n`);
  } catch {
    // The terminal is gone.
  }
}

/** What goes wrong before anything runs. */
function asCliError(error: unknown): unknown {
  if (error instanceof ConfigurationError) {
    return new CliError(EXIT.config, error.message);
  }
  if (error instanceof LockedError || error instanceof ListenError) {
    return new CliError(EXIT.busy, error.message);
  }
  if (error instanceof LogFileError) {
    return new CliError(EXIT.cannotCreateLog, error.message);
  }
  return error;
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
}
