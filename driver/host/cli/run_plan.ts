/**
 * From what was typed to what is run: which driver, which device, confined how,
 * logged where. Everything that can be wrong is found here, before anything is
 * opened.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import {
  deviceLabel,
  type DeviceSelector,
  matches,
  parseDeviceSelector,
} from "../../match.ts";
import type { DeviceInfo } from "../../port.ts";
import { DriverModuleError, loadManifest } from "../load_manifest.ts";
import { type DriverManifest, manifestOf } from "../manifest.ts";
import { nearestConfig } from "../module_config.ts";
import { parseParameters } from "../parameters.ts";
import type { SandboxProfile } from "../sandbox_policy.ts";
import type { CommandCall, FlagSpec } from "./command.ts";
import { CliError, EXIT } from "./exit_codes.ts";
import { absolutePath, prepareLog } from "./log_choice.ts";
import { namedProfile } from "./profile_choice.ts";
import { suggestion } from "./suggest.ts";
import { harmless, parseDuration } from "./text.ts";
import type { Toolbox } from "./toolbox.ts";

/** For whoever has a libusb where nobody would look for it. */
export const LIBRARY_FLAG: Readonly<Record<"library", FlagSpec>> = {
  library: { description: "Use this libusb and no other", value: "PATH" },
};

/** Flags of every command that starts a driver. */
export const DRIVER_FLAGS: Readonly<Record<string, FlagSpec>> = {
  device: {
    description: "Drive this device; SERIAL or @PORT where several are alike",
    value: "VID:PID[:SERIAL|@PORT]",
  },
  virtual: {
    description: "Drive a virtual device, no hardware needed",
    value: "NAME",
  },
  set: {
    description: "Set an option of the driver",
    value: "NAME=VALUE",
    many: true,
  },
  direct: {
    description: "No sandbox: the driver process opens the node itself",
  },
  profile: {
    description: "Sandbox profile: default, jitless (tighter and slower), or " +
      "virtual (weaker); else the driver's own",
    value: "NAME",
  },
  "start-timeout": {
    description: "From start to ready, default 10s: more on a slow machine",
    value: "TIME",
  },
  ...LIBRARY_FLAG,
};

/** A driver that can be run. */
export interface ChosenDriver {
  readonly manifest: DriverManifest;
  readonly moduleUrl: string;
  /** The `deno.json` of a driver that does not come along. */
  readonly configPath?: string;
}

/** Where the device is looked for. */
export type DeviceChoice =
  | { readonly kind: "device"; readonly selector: DeviceSelector }
  | { readonly kind: "virtual"; readonly name: string };

/** What is to be run. */
export interface RunPlan {
  readonly driver: ChosenDriver;
  readonly choice: DeviceChoice;
  readonly options: Readonly<Record<string, Json>>;
  readonly isDirect: boolean;
  readonly profile: SandboxProfile;
  /** By whoever runs it: nothing else will do. */
  readonly isProfileNamed: boolean;
  /** Absolute. */
  readonly logPath: string;
  /** From spawn to READY; absent: START_TIMEOUT_MS. */
  readonly startTimeoutMs?: number;
  /** Absolute; absent: the one that is found. */
  readonly libraryPath?: string;
}

/**
 * Makes the plan. The log file exists when this returns.
 *
 * @throws {CliError} `usage`, `config`, `cannotCreateLog`.
 */
export async function planRun(
  call: CommandCall,
  options: { readonly takesSuggestions: boolean },
): Promise<RunPlan> {
  const choice = chooseDevice(call);
  // What was named is looked at before a driver is loaded for its own.
  const named = namedProfile(call);
  const driver = await chooseDriver(call.toolbox, call.positionals[0] ?? "");
  const texts = options.takesSuggestions
    ? optionTexts(call, driver, choice)
    : call.values("set");
  const libraryPath = libraryOf(call);
  const startTimeout = call.value("start-timeout");
  return {
    driver,
    choice,
    options: readOptions(driver.manifest, texts),
    isDirect: call.has("direct"),
    profile: named ?? driver.manifest.profile ?? "default",
    isProfileNamed: named !== undefined,
    logPath: prepareLog(call, { name: driver.manifest.name, libraryPath }),
    ...(libraryPath === undefined ? {} : { libraryPath }),
    ...(startTimeout === undefined ? {} : {
      startTimeoutMs: parseDuration(startTimeout, "start-timeout"),
    }),
  };
}

/** The limit of a start, as an option of a driver process. */
export function startLimit(
  { startTimeoutMs }: RunPlan,
): { startTimeoutMs?: number } {
  return startTimeoutMs === undefined ? {} : { startTimeoutMs };
}

/** The libusb that was named, absolute; `undefined` where none was. */
export function libraryOf({ value }: CommandCall): string | undefined {
  const path = value("library");
  return path === undefined ? undefined : absolutePath(path);
}

/**
 * Finds a driver by its name, or loads it from a path or URL.
 *
 * @throws {CliError} `config`, with a suggestion.
 */
export async function chooseDriver(
  toolbox: Toolbox,
  text: string,
): Promise<ChosenDriver> {
  const bundled = toolbox.drivers.find(({ driver }) => driver.name === text);
  if (bundled !== undefined) {
    const { driver, moduleUrl } = bundled;
    return { manifest: manifestOf(driver), moduleUrl };
  }
  if (!/[/\\]|\.[jt]s$/.test(text)) {
    const names = toolbox.drivers.map(({ driver }) => driver.name);
    throw new CliError(
      EXIT.config,
      `There is no driver ${quote(text)}.${suggestion(text, names)}`,
      `Drivers: ${names.join(", ")}, or a path such as ./my_driver.ts`,
    );
  }
  return await loadDriver(text);
}

/**
 * The one device that was asked for, or `undefined` while it is away.
 *
 * @throws {CliError} `unavailable` when several fit, `config` when the driver is not for it.
 */
export function pickDevice(
  plan: Pick<RunPlan, "driver" | "choice">,
  devices: readonly DeviceInfo[],
): DeviceInfo | undefined {
  const { driver: { manifest }, choice } = plan;
  const isWanted = (device: DeviceInfo): boolean =>
    choice.kind === "virtual" || matches(device, choice.selector);
  const wanted = devices.filter(isWanted);
  const fitting = wanted.filter((device) =>
    manifest.match.some((match) => matches(device, match))
  );
  const [found, second] = fitting;
  if (found !== undefined && second === undefined) return found;
  if (found !== undefined) throw severalFit(manifest, fitting);
  const other = wanted[0];
  if (other === undefined) return undefined;
  throw new CliError(
    EXIT.config,
    `Driver ${manifest.name} is not for ${deviceLabel(other)}`,
    `driverspace explain ${manifest.name} says what it matches`,
  );
}

/** The sentence for a device that is not there. */
export function absentError(choice: DeviceChoice): CliError {
  const text = choice.kind === "virtual"
    ? `virtual ${choice.name}`
    : describeSelector(choice.selector);
  return new CliError(
    EXIT.unavailable,
    `There is no device ${text} on the bus`,
    "driverspace list shows what is there; run --wait waits for it",
  );
}

/** Reads a `--set` or a command's `NAME=VALUE`s, with the code that a wrong one ends with. */
export function readOptions(
  manifest: DriverManifest,
  texts: readonly string[],
): Record<string, Json> {
  try {
    return parseParameters(manifest.options, texts, { what: manifest.name });
  } catch (error) {
    throw parameterError(error, EXIT.config);
  }
}

/** Turns a wrong parameter into an error of this call; a bug of ours stays one. */
export function parameterError(
  error: unknown,
  code: typeof EXIT.config | typeof EXIT.usage,
): unknown {
  const isWrong = error instanceof TypeError || error instanceof RangeError;
  return isWrong ? new CliError(code, error.message) : error;
}

/** What was set, over what a virtual device suggests to be shown off with. */
function optionTexts(
  call: CommandCall,
  driver: ChosenDriver,
  choice: DeviceChoice,
): readonly string[] {
  const given = call.values("set");
  if (choice.kind === "device") return given;
  const kind = call.toolbox.virtualDevices.find(({ name }) =>
    name === baseName(choice.name)
  );
  const isSet = (text: string): boolean =>
    given.some((other) => baseName(other, "=") === baseName(text, "="));
  const suggested = kind?.suggests?.[driver.manifest.name] ?? [];
  return [...suggested.filter((text) => !isSet(text)), ...given];
}

function baseName(text: string, separator = ":"): string {
  return text.split(separator)[0] ?? text;
}

/** @throws {CliError} `usage` or `config`. */
export function chooseDevice({ value, toolbox }: CommandCall): DeviceChoice {
  const device = value("device");
  const name = value("virtual");
  if ((device === undefined) === (name === undefined)) {
    throw new CliError(
      EXIT.usage,
      device === undefined
        ? "Which device? Give --device VID:PID or --virtual NAME"
        : "Give --device or --virtual, not both",
    );
  }
  if (name !== undefined) {
    checkVirtualName(toolbox, name);
    return { kind: "virtual", name };
  }
  try {
    return { kind: "device", selector: parseDeviceSelector(device ?? "") };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new CliError(EXIT.usage, error.message);
  }
}

/** @throws {CliError} `config`, with a suggestion. */
export function checkVirtualName(toolbox: Toolbox, name: string): void {
  const names = toolbox.virtualDevices.map((kind) => kind.name);
  const [base = "", ...rest] = name.split(":");
  const kind = toolbox.virtualDevices.find((entry) => entry.name === base);
  if (kind === undefined) {
    throw new CliError(
      EXIT.config,
      `There is no virtual device ${quote(base)}.${suggestion(base, names)}`,
      `Virtual devices: ${names.join(", ")}`,
    );
  }
  const variant = rest.join(":");
  const { variants = [] } = kind;
  if (rest.length === 0 || variants.includes(variant)) return;
  throw new CliError(
    EXIT.config,
    `There is no ${base} of the kind ${quote(variant)}.${
      suggestion(variant, variants)
    }`,
    variants.length === 0
      ? `There is one kind: --virtual ${base}`
      : `Kinds of ${base}: ${variants.join(", ")}`,
  );
}

async function loadDriver(text: string): Promise<ChosenDriver> {
  const isUrl = /^(https?|file|jsr|npm):/.test(text);
  const base = new URL(`file://${Deno.cwd()}/`);
  const moduleUrl = isUrl ? text : new URL(text, base).href;
  try {
    const manifest = await loadManifest(moduleUrl);
    const configPath = await nearestConfig(moduleUrl);
    return {
      manifest,
      moduleUrl,
      ...(configPath === undefined ? {} : { configPath }),
    };
  } catch (error) {
    if (!(error instanceof DriverModuleError)) throw error;
    throw new CliError(EXIT.config, error.message);
  }
}

function severalFit(
  manifest: DriverManifest,
  devices: readonly DeviceInfo[],
): CliError {
  const names = devices.map((device) => {
    const serial = device.serialNumber;
    return serial === undefined
      ? deviceLabel(device)
      : `${deviceLabel(device)} (${harmless(serial, 40)})`;
  });
  const serials = devices.map(({ serialNumber }) => serialNumber);
  const isDistinct = !serials.includes(undefined) &&
    new Set(serials).size === serials.length;
  const [first] = devices;
  return new CliError(
    EXIT.unavailable,
    `${devices.length} devices fit driver ${manifest.name}: ${
      names.join(", ")
    }`,
    isDistinct || first === undefined
      ? "Name one of them by its serial number: --device VID:PID:SERIAL"
      : "Their serial numbers do not tell them apart. Name one of them by " +
        `its port: --device ${deviceLabel(first)}`,
  );
}

function describeSelector(selector: DeviceSelector): string {
  const hex = (id: number): string => id.toString(16).padStart(4, "0");
  const ids = `${hex(selector.vendorId)}:${hex(selector.productId)}`;
  const { serialNumber, portPath } = selector;
  if (portPath !== undefined) return `${ids}@${portPath}`;
  return serialNumber === undefined ? ids : `${ids}:${harmless(serialNumber)}`;
}

function quote(text: string): string {
  return JSON.stringify(harmless(text, 80));
}
