/**
 * A supervisor as a service: configuration, lock, log, state file, interface for
 * programs and systemd around it, taken in order and given back in reverse.
 *
 * @module
 */

import type { Clock } from "../../loop/clock.ts";
import type { DeviceInfo } from "../../port.ts";
import { servePage } from "../dashboard/serve_page.ts";
import { BundleShelf } from "../crash/bundle_shelf.ts";
import { type CrashKeeperOptions, systemFacts } from "../crash/crash_keeper.ts";
import { HttpHandler } from "../http/handler.ts";
import { listen, readToken, type RunningServer } from "../http/server.ts";
import type { Log } from "../log.ts";
import { FAMILIES } from "../metrics/families.ts";
import {
  exportMetrics,
  type OpenTelemetryExport,
} from "../metrics/open_telemetry.ts";
import { MetricRegistry } from "../metrics/registry.ts";
import { type ManagerSocket, openManagerSocket } from "../systemd/notify.ts";
import { ServiceNotifier } from "../systemd/service_notifier.ts";
import {
  ConfigurationError,
  type DriverEntry,
  type SupervisorConfiguration,
} from "./configuration.ts";
import { EventRing } from "./event_ring.ts";
import { openOwnLog, type OwnLog } from "./own_log.ts";
import { readConfiguration } from "./read_configuration.ts";
import { Supervisor } from "./supervisor.ts";
import type { PreparedDriver } from "./supervisor_words.ts";
import { FileLock, wholeFile } from "./whole_file.ts";

/** What a service is made of. */
export interface ServiceOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** The configuration's file, absolute. */
  readonly configurationPath: string;
  /** Places where the configuration names none. */
  readonly defaults: {
    readonly socket: string;
    readonly stateFile: string;
    readonly logPath: string;
  };
  readonly devices: () => Promise<readonly DeviceInfo[]>;
  /** Calls back at each change on the bus, until the result is called. Absent: it is looked at now and then only. */
  readonly busChanges?: (changed: () => void) => () => void;
  readonly prepare: (entry: DriverEntry) => Promise<PreparedDriver>;
  /** Component to version: `driverspace`, `deno`, `libusb`. */
  readonly versions: Readonly<
    Record<"driverspace" | "deno" | "libusb", string>
  >;
  /** Id of this boot of the system, for lines of the log. */
  readonly boot: string;
  /** Whether metrics leave by OpenTelemetry, too. */
  readonly exportsTelemetry?: boolean;
  /** NOTIFY_SOCKET, and WATCHDOG_USEC in milliseconds. */
  readonly systemd?: {
    readonly notifySocket: string | undefined;
    readonly watchdogMs: number | undefined;
  };
}

/** A service that runs. */
export interface RunningService {
  readonly supervisor: Supervisor;
  /** Where programs reach it. */
  readonly socket: string;
  readonly port: number | undefined;
  /** What is not as it should be, yet no reason not to run. */
  readonly warnings: readonly string[];
  /** Reads the configuration again, and opens the log anew if it was moved; a wrong one is told and changes nothing. Gives what was told. */
  reload(): Promise<string>;
  /** Ends everything in order. */
  stop(reason: string): Promise<void>;
}

/**
 * Starts a service. Resolves when every driver was told to start; devices may be away.
 *
 * @throws {ConfigurationError} {LockedError} {LogFileError} {ListenError} With nothing left behind.
 */
export async function startService(
  options: ServiceOptions,
): Promise<RunningService> {
  const configuration = readConfiguration(options.configurationPath);
  using stack = new DisposableStack();
  const { defaults, clock } = options;
  const statePath = configuration.stateFile ?? defaults.stateFile;
  stack.use(new FileLock(`${statePath}.lock`));
  const events = new EventRing(clock);
  const ownLog = stack.use(openOwnLog({
    clock,
    random: options.random,
    path: defaults.logPath,
    boot: options.boot,
    redactor: events.logs.redactor,
  }));
  const { log } = ownLog;
  const { manager, notifier } = openSystemd(options, statePath);
  stack.defer(() => manager.close());
  const registry = new MetricRegistry(FAMILIES);
  registry.set("driverspace_build_info", versionLabels(options), 1);
  const supervisor = new Supervisor({
    clock,
    random: options.random,
    devices: options.devices,
    prepare: options.prepare,
    registry,
    events,
    log,
    stateFile: wholeFile(statePath),
    crashes: crashesOf(configuration, options),
    onLook: (states) => {
      notifier.evaluated(states);
      countDropped(registry, log);
    },
  });
  const handler = new HttpHandler({
    clock,
    supervisor,
    registry,
    events,
    version: options.versions.driverspace,
    logPath: defaults.logPath,
    isLogWritable: () => log.counters.queued === 0 && !log.isTorn,
    onBug: (error) => log.write("error", "http.bug", String(error)),
  });
  const exported = await openExport(options, registry);
  stack.use(exported);
  const server = await open(configuration, options, handler);
  const deaf = options.busChanges?.(() => supervisor.look());
  if (deaf !== undefined) stack.defer(deaf);
  await supervisor.start(configuration);
  notifier.ready();
  const owned = stack.move();
  return service({
    options,
    configuration,
    supervisor,
    handler,
    server,
    notifier,
    ownLog,
    owned,
    warnings: [manager.problem, exported.problem]
      .filter((problem) => problem !== undefined),
  });
}

interface ServiceParts {
  readonly options: ServiceOptions;
  readonly configuration: SupervisorConfiguration;
  readonly supervisor: Supervisor;
  readonly handler: HttpHandler;
  readonly server: RunningServer;
  readonly notifier: ServiceNotifier;
  readonly ownLog: OwnLog;
  readonly owned: DisposableStack;
  readonly warnings: readonly string[];
}

function service(parts: ServiceParts): RunningService {
  const { options, supervisor, handler, server, notifier } = parts;
  let stopping: Promise<void> | undefined;
  async function end(reason: string): Promise<void> {
    notifier.stopping();
    await supervisor.stop(reason);
    handler.close();
    await server.close();
    parts.owned.dispose();
  }
  return {
    supervisor,
    socket: parts.configuration.server.socket ?? options.defaults.socket,
    port: server.port,
    warnings: parts.warnings,
    reload: () => reload(parts),
    stop: (reason) => stopping ??= end(reason),
  };
}

async function reload(parts: ServiceParts): Promise<string> {
  const { options, supervisor, notifier, ownLog } = parts;
  notifier.reloading();
  // Whoever rotates logs sends the same signal.
  ownLog.renew();
  try {
    const diff = await supervisor.reload(
      readConfiguration(options.configurationPath),
    );
    const names = (what: string, list: readonly string[]): string =>
      list.length === 0 ? "" : ` ${what} ${list.join(", ")};`;
    return [
      "Reloaded:",
      names("added", diff.added.map(({ name }) => name)),
      names("changed", diff.changed.map(({ name }) => name)),
      names("removed", diff.removed),
      names("untouched", diff.unchanged),
      names("only with a new supervisor", diff.needsRestart),
      names("only with a new bridge", diff.isBridgeStale ? ["mqtt"] : []),
    ].join("").replace(/;$/, "");
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const message = `Not reloaded, nothing changed:\n${error.message}`;
    ownLog.log.record("error", "supervisor.not_reloaded", message);
    return message;
  } finally {
    notifier.ready();
  }
}

/** Of our own log; a driver counts its own in its own. */
function countDropped(registry: MetricRegistry, log: Log): void {
  const dropped = Object.values(log.counters.dropped)
    .reduce((sum, count) => sum + count, 0);
  const labels = { driver: "supervisor", reason: "queue" };
  registry.set("driverspace_log_dropped_total", labels, dropped);
}

async function openExport(
  { exportsTelemetry, versions }: ServiceOptions,
  registry: MetricRegistry,
): Promise<OpenTelemetryExport> {
  if (exportsTelemetry !== true) return { [Symbol.dispose]: () => {} };
  return await exportMetrics({ registry, version: versions.driverspace });
}

function crashesOf(
  { crashBundles }: SupervisorConfiguration,
  { clock, versions, boot, defaults }: ServiceOptions,
): CrashKeeperOptions {
  const ownFolder = defaults.logPath.replace(/\/[^/]*$/, "");
  const { folder = `${ownFolder}/bundles`, keep } = crashBundles;
  return {
    shelf: new BundleShelf(folder, { keep }),
    clock,
    versions,
    system: systemFacts(boot),
  };
}

function openSystemd(
  options: ServiceOptions,
  statePath: string,
): {
  readonly manager: ManagerSocket;
  readonly notifier: ServiceNotifier;
} {
  const { notifySocket, watchdogMs } = options.systemd ?? {};
  const manager = openManagerSocket(notifySocket, `${statePath}.notify`);
  const notifier = new ServiceNotifier({
    clock: options.clock,
    send: manager.send,
    ...(watchdogMs === undefined ? {} : { watchdogMs }),
  });
  return { manager, notifier };
}

function open(
  configuration: SupervisorConfiguration,
  options: ServiceOptions,
  handler: HttpHandler,
): Promise<RunningServer> {
  const { socket, port, tokenFile } = configuration.server;
  return listen(handler.handle, {
    socket: socket ?? options.defaults.socket,
    page: servePage,
    ...(port === undefined ? {} : { port }),
    ...(tokenFile === undefined ? {} : { token: readToken(tokenFile) }),
  });
}

function versionLabels(
  { versions }: ServiceOptions,
): Readonly<Record<string, string>> {
  const { driverspace: version, deno, libusb } = versions;
  return { version, deno, libusb };
}
