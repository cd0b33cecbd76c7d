/**
 * From what was typed and what is there to the plan of an installation: the
 * configuration, its devices, the program, and what a service could not see.
 *
 * @module
 */

import { readProblem } from "../read_problem.ts";
import { UsbError } from "../../errors.ts";
import type { InstallDisk } from "../install/install_disk.ts";
import {
  type InstallOptions,
  type InstallPlan,
  installPlan,
} from "../install/install_plan.ts";
import type { SampleDevice } from "../install/sample.ts";
import {
  CONFIGURATION_BYTES_MAX,
  ConfigurationError,
  parseConfiguration,
  type SupervisorConfiguration,
} from "../supervisor/configuration.ts";
import { bridgeService } from "./bridge_service.ts";
import type { CommandCall } from "./command.ts";
import { CliError, EXIT } from "./exit_codes.ts";
import { connectedDevices } from "./list_command.ts";
import { hiddenFromService, ownProgram } from "./own_program.ts";
import { serviceCommand } from "./service_command.ts";
import { matches } from "../../match.ts";

/** The configuration of an installation that names none. */
export const INSTALLED_CONFIGURATION = "/etc/driverspace/driverspace.toml";

/** A plan, and what a person should know of it. */
export interface PlannedInstall {
  readonly plan: InstallPlan;
  readonly notes: readonly string[];
}

/**
 * Makes the plan.
 *
 * @throws {CliError} `config` when the configuration is wrong, or the service
 *   could see neither it nor the program; `usage` for a wrong name.
 */
export async function planInstall(
  call: CommandCall,
  disk: InstallDisk,
): Promise<PlannedInstall> {
  const given = call.positionals[0];
  const path = given ?? INSTALLED_CONFIGURATION;
  const program = programOf(call);
  checkVisible([...program, path]);
  const text = given === undefined
    ? await disk.text(path)
    : await readGiven(given);
  const configuration = text === undefined ? undefined : parse(text, path);
  const sample = text === undefined ? await sampleDevices(call) : undefined;
  const rules = configuration === undefined
    ? { devices: sample ?? [], notes: [] }
    : rulesOf(configuration);
  const isEmpty = configuration === undefined && (sample ?? []).length === 0;
  if (isEmpty && call.has("start")) throw nothingToStart(path);
  const hasOwnProgram = call.value("program") === undefined;
  const bridge = hasOwnProgram
    ? await bridgeService(path, configuration)
    : undefined;
  checkVisible(bridge?.command ?? []);
  const notes = [
    ...rules.notes,
    ...(hasOwnProgram || configuration?.mqtt === undefined
      ? []
      : [noBridge(path)]),
    ...(configuration === undefined ? [] : outsideNotes(configuration)),
    ...(isEmpty ? [nextStep(path)] : []),
  ];
  return {
    plan: make({
      program,
      service: serviceCommand({ program, path, configuration }),
      configuration: path,
      devices: rules.devices,
      user: call.value("user") ?? "driverspace",
      seat: call.has("seat"),
      isEmpty,
      ...(sample === undefined ? {} : { sample }),
      ...(bridge === undefined ? {} : { bridge }),
    }),
    notes,
  };
}

function nextStep(path: string): string {
  return `Name a driver and its device in ${path}, then install again: that ` +
    "writes the udev rule, and with --start it starts the service";
}

/** The bridge is a program beside ours, which we can name only where it is ours. */
function noBridge(path: string): string {
  return `${path} has a table [mqtt]: with --program no unit of the bridge is ` +
    `written; driverspace unit ${path} prints it, from where it is installed`;
}

function nothingToStart(path: string): CliError {
  return new CliError(
    EXIT.config,
    `Cannot start a service: ${path} names no driver`,
    "Install without --start, name a driver and its device there, and " +
      "install again",
  );
}

function make(options: InstallOptions): InstallPlan {
  try {
    return installPlan(options);
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) {
      throw new CliError(EXIT.usage, error.message);
    }
    throw error;
  }
}

function programOf({ value }: CommandCall): readonly string[] {
  const program = value("program");
  if (program === undefined) return ownProgram();
  if (program.startsWith("/")) return [program];
  throw new CliError(
    EXIT.usage,
    `Cannot use ${JSON.stringify(program)} as the program of a service: ` +
      "give its absolute path",
  );
}

/** A service that cannot see its program or configuration never starts. */
function checkVisible(words: readonly string[]): void {
  const [hidden] = hiddenFromService(words);
  if (hidden === undefined) return;
  throw new CliError(
    EXIT.config,
    `The service would not see ${hidden}: homes and temporary folders are ` +
      "hidden from it",
    hidden.endsWith(".toml")
      ? "Put the configuration below /etc/driverspace"
      : "Put Deno and this program where everybody may run them, as " +
        "/usr/local/bin and /opt/driverspace, and start it from there",
  );
}

async function readGiven(path: string): Promise<string> {
  if (!path.startsWith("/")) {
    throw new CliError(
      EXIT.usage,
      `Cannot install a service for ${path}: give the absolute path of CONFIG`,
    );
  }
  try {
    const { size } = await Deno.stat(path);
    if (size > CONFIGURATION_BYTES_MAX) throw new Error("it is too long");
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new CliError(
        EXIT.permission,
        `Cannot read ${path}: permission denied`,
        "Run it with sudo",
      );
    }
    throw new CliError(
      EXIT.config,
      `Cannot read ${path}: ${readProblem(error)}`,
    );
  }
}

/** A sample that nobody has filled yet names no driver; that is no mistake here. */
function parse(
  text: string,
  path: string,
): SupervisorConfiguration | undefined {
  const isEmpty = text.split("\n").every((line) => /^\s*(#|$)/.test(line));
  if (isEmpty) return undefined;
  try {
    return parseConfiguration(text, path);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new CliError(EXIT.config, error.message);
  }
}

interface Rules {
  readonly devices: InstallOptions["devices"];
  readonly notes: readonly string[];
}

/** A rule is for one kind of device. Whoever names less gets none, and is told. */
function rulesOf({ drivers }: SupervisorConfiguration): Rules {
  const devices: { vendorId: number; productId: number }[] = [];
  const notes: string[] = [];
  for (const { name, device } of drivers.values()) {
    if ("virtual" in device) {
      notes.push(
        `${name} drives a virtual device, which the unit's confinement does ` +
          "not allow: it is for driverspace serve at a terminal",
      );
      continue;
    }
    const { vendorId, productId } = device;
    if (vendorId !== undefined && productId !== undefined) {
      devices.push({ vendorId, productId });
    } else {
      notes.push(
        `${name} does not name vendor and product, so it gets no udev rule; ` +
          "driverspace udev VID:PID prints one",
      );
    }
  }
  return { devices, notes };
}

const WRITABLE = /^\/(var\/(lib|log|cache)|run)\/driverspace\//;

/** The unit's ProtectSystem=strict leaves these folders alone to be written. */
function outsideNotes(configuration: SupervisorConfiguration): string[] {
  const { stateFile, server: { socket }, drivers } = configuration;
  const paths = [
    ["state_file", stateFile],
    ["server.socket", socket],
    ...[...drivers.values()].map(({ name, logPath }) =>
      [`drivers.${name}.log`, logPath] as const
    ),
  ] as const;
  return paths.flatMap(([what, path]) =>
    path === undefined || WRITABLE.test(path) ? [] : [
      `${what} is ${path}, which the service may not write: use ` +
      "/var/lib/driverspace, /var/log/driverspace or /run/driverspace, or " +
      "add ReadWritePaths= by systemctl edit driverspace",
    ]
  );
}

/** What is plugged in and has a driver; none where the bus cannot be seen. */
async function sampleDevices(call: CommandCall): Promise<SampleDevice[]> {
  const { toolbox } = call;
  try {
    const devices = await connectedDevices(toolbox);
    return devices.flatMap((device) => {
      const found = toolbox.drivers.find(({ driver }) =>
        driver.match.some((match) => matches(device, match))
      );
      if (found === undefined) return [];
      const { descriptor, serialNumber, product, manufacturer } = device;
      const name = [manufacturer, product].filter(Boolean).join(" ");
      return [{
        driver: found.driver.name,
        vendorId: descriptor.vendorId,
        productId: descriptor.productId,
        ...(serialNumber === undefined ? {} : { serialNumber }),
        ...(name === "" ? {} : { name }),
      }];
    });
  } catch (error) {
    if (error instanceof UsbError) return [];
    throw error;
  }
}
