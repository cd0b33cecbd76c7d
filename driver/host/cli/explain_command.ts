/**
 * `driverspace explain` and `driverspace permissions`: what a driver matches,
 * every right its process will have and why, before anything is started.
 *
 * @module
 */

import { deviceLabel, matches } from "../../match.ts";
import type { DeviceInfo } from "../../port.ts";
import { policyOf } from "../driver_command.ts";
import { cacheFolder, logFolder } from "../own_folders.ts";
import { directFlags, directPermissionSet, runFlags } from "../permissions.ts";
import {
  explainPolicy,
  type Explanation,
  hasFilters,
  SECCOMP_ACTIONS,
} from "../sandbox_policy_explain.ts";
import type { VirtualBusAccess } from "../sandbox_policy.ts";
import { chooseBus } from "./bus_choice.ts";
import type { Command, CommandCall } from "./command.ts";
import { EXIT, type ExitCode } from "./exit_codes.ts";
import { connectedDevices } from "./list_command.ts";
import { printJson } from "./output.ts";
import {
  absentError,
  chooseDevice,
  chooseDriver,
  type ChosenDriver,
  type DeviceChoice,
  DRIVER_FLAGS,
  LIBRARY_FLAG,
  libraryOf,
  pickDevice,
} from "./run_plan.ts";
import { configFor } from "./run_start.ts";
import { namedProfile } from "./profile_choice.ts";
import { columns, harmless } from "./text.ts";
import type { BusTransport, Toolbox } from "./toolbox.ts";

const CHOICE_FLAGS = {
  device: DRIVER_FLAGS["device"] ?? { description: "" },
  virtual: DRIVER_FLAGS["virtual"] ?? { description: "" },
  ...LIBRARY_FLAG,
};

/** `driverspace explain`. */
export const explainCommand: Command = {
  name: "explain",
  summary: "Say what a driver matches, and every right it will have and why",
  usage: "DRIVER [--device VID:PID[:SERIAL|@PORT] | --virtual NAME] [--json]",
  details: "Without a device: which devices on the bus it is for. With one: " +
    "each descriptor, interface, USB request, path and system call that the " +
    "sandbox leaves it, which layers hold on this machine, and what none of " +
    "them protects.",
  flags: {
    ...CHOICE_FLAGS,
    profile: DRIVER_FLAGS["profile"] ?? { description: "" },
    json: { description: "One JSON object for machines" },
  },
  examples: [
    "driverspace explain usbtmc",
    "driverspace explain usbtmc --virtual multimeter",
    "driverspace explain usbtmc --device 0957:1755 --json",
  ],
  positionals: [1, 1],
  run: explain,
};

/** `driverspace permissions`. */
export const permissionsCommand: Command = {
  name: "permissions",
  summary: "Print the exact Deno permissions of a driver in direct mode",
  usage:
    "DRIVER (--device VID:PID[:SERIAL|@PORT] | --virtual NAME) [--log PATH]",
  details: "They state intent and hold JavaScript; they confine no native " +
    "code. The sandbox does: run without --direct.",
  flags: {
    ...CHOICE_FLAGS,
    log: { description: "The log it will write", value: "PATH" },
    json: { description: "One JSON array of flags" },
    set: {
      description: "As a permission set for deno.json and deno run -P=NAME",
      value: "NAME",
    },
  },
  examples: [
    "driverspace permissions usbtmc --device 0957:1755 --log dmm.log",
    "driverspace permissions usbtmc --device 0957:1755 --set dmm",
  ],
  positionals: [1, 1],
  run: permissions,
};

async function explain(call: CommandCall): Promise<ExitCode> {
  const { toolbox, io } = call;
  const named = namedProfile(call);
  const driver = await chooseDriver(toolbox, call.positionals[0] ?? "");
  const isNamed = call.value("device") !== undefined ||
    call.value("virtual") !== undefined;
  if (!isNamed) return await explainMatches(call, driver);
  const choice = chooseDevice(call);
  const facts = await toolbox.sandboxFacts();
  const wanted = {
    isDirect: false,
    profile: named ?? driver.manifest.profile ?? "default",
    isProfileNamed: named !== undefined,
  };
  const shown = choice.kind === "virtual"
    ? chooseBus(wanted, facts)
    : undefined;
  const { device, access } = await findDevice(call, driver, {
    choice,
    ...(shown === undefined ? {} : { transport: shown.transport }),
  });
  const { profile } = shown ?? wanted;
  const policy = policyOf({
    manifest: driver.manifest,
    device,
    config: configFor({
      plan: {
        driver,
        choice,
        options: {},
        ...wanted,
        logPath: "",
      },
      device,
      library: toolbox.findLibrary(libraryOf(call)),
      options: {},
      isDirect: false,
    }),
    bundlePath: `${cacheFolder()}/HASH.js`,
    logPath: `${logFolder()}/${driver.manifest.name}.log`,
    profile,
    ...(profile === "virtual" && access !== undefined
      ? { virtualBus: access }
      : {}),
    ...(choice.kind === "device" || profile === "virtual"
      ? { parentProcessId: Deno.pid }
      : {}),
  });
  const { landlockAbi, seccomp } = facts;
  const release = toolbox.system.readText("/proc/sys/kernel/osrelease");
  const explanation = explainPolicy(policy, {
    denoPath: Deno.execPath(),
    architecture: Deno.build.arch === "aarch64" ? "aarch64" : "x86_64",
    landlockAbi,
    hasSeccomp: seccomp === "" &&
      hasFilters(toolbox.system.readText(SECCOMP_ACTIONS)),
    isRoot: toolbox.system.identity().uid === 0,
    ...(release === undefined ? {} : { kernelRelease: release.trim() }),
    exists: (path) => toolbox.system.fileFacts(path) !== undefined,
  });
  if (call.has("json")) printJson(io, explanation);
  else io.out(explanationText(driver, device, explanation));
  return EXIT.done;
}

async function explainMatches(
  call: CommandCall,
  driver: ChosenDriver,
): Promise<ExitCode> {
  const { toolbox, io, has } = call;
  const { manifest } = driver;
  const devices = (await connectedDevices(toolbox, libraryOf(call))).map((
    device,
  ) => ({
    device: deviceLabel(device),
    product: device.product ?? null,
    matches: manifest.match.some((match) => matches(device, match)),
  }));
  if (has("json")) {
    printJson(io, { driver: manifest.name, match: manifest.match, devices });
    return EXIT.done;
  }
  io.out([
    `${manifest.name}: ${harmless(manifest.description)}`,
    "Matches a device that meets any of:",
    ...manifest.match.map((match) => `  ${matchText(match)}`),
    devices.length === 0 ? "No device is on the bus." : "On the bus:",
    ...devices.map((entry) =>
      `  ${entry.matches ? "matches " : "does not"}  ${entry.device}  ${
        harmless(entry.product ?? "")
      }`.trimEnd()
    ),
    "",
  ].join("\n"));
  return EXIT.done;
}

/** Numbers as the specification writes them. */
function matchText(match: object): string {
  return Object.entries(match).map(([name, value]) =>
    typeof value === "number"
      ? `${name} 0x${value.toString(16).padStart(2, "0")}`
      : `${name} ${harmless(String(value))}`
  ).join(", ");
}

function explanationText(
  driver: ChosenDriver,
  device: DeviceInfo,
  explanation: Explanation,
): string {
  const { rights, layers, limits, profile } = explanation;
  return [
    `${driver.manifest.name} with ${deviceLabel(device)}, profile ${profile}${
      profile === "virtual" ? ", which is WEAKER: see below" : ""
    }`,
    "",
    "Rights:",
    ...columns(rights.map(({ kind, what, reason }) => [
      `  ${kind}`,
      harmless(`${what}: ${reason}`, 400),
    ])),
    "",
    "Layers on this machine:",
    ...columns(layers.map(({ name, isActive, detail }) => [
      `  ${isActive ? "yes" : "no "}  ${name}`,
      harmless(detail, 400),
    ])),
    "",
    "What none of it protects:",
    ...limits.map((limit) => `  ${limit}.`),
    "",
    "When it fails, a crash bundle keeps names, sizes and times of what happened:",
    "  No byte of the device, no serial number. With run --record-payloads, or",
    "  payloads = true for serve, EVERY byte that the device sends and is sent.",
    "",
  ].join("\n");
}

async function permissions(call: CommandCall): Promise<ExitCode> {
  const { toolbox, io } = call;
  const driver = await chooseDriver(toolbox, call.positionals[0] ?? "");
  const choice = chooseDevice(call);
  const { device } = await findDevice(call, driver, { choice });
  const grants = {
    library: toolbox.findLibrary(libraryOf(call)).path,
    nodePath: device.nodePath ?? "",
    logPath: call.value("log"),
  };
  const flags = directFlags(grants);
  const set = call.value("set");
  if (set !== undefined) {
    printJson(io, { permissions: { [set]: directPermissionSet(grants) } });
  } else if (call.has("json")) printJson(io, flags);
  else {
    const all = [...runFlags(driver.configPath), ...flags];
    io.out(`deno ${all.join(" \\\n  ")}\n`);
    io.err(
      "These hold JavaScript. They confine no native code: the sandbox does.\n",
    );
  }
  return EXIT.done;
}

/** A device, and what a driver of the profile `virtual` needs of its bus. */
interface Found {
  readonly device: DeviceInfo;
  readonly access?: VirtualBusAccess;
}

async function findDevice(
  call: CommandCall,
  driver: ChosenDriver,
  where: { readonly choice: DeviceChoice; readonly transport?: BusTransport },
): Promise<Found> {
  const { toolbox } = call;
  const { choice, transport } = where;
  const found = choice.kind === "virtual"
    ? await virtualDevices(toolbox, choice.name, transport)
    : { devices: await connectedDevices(toolbox, libraryOf(call)) };
  const device = pickDevice({ driver, choice }, found.devices);
  if (device === undefined) throw absentError(choice);
  return { ...found, device };
}

async function virtualDevices(
  toolbox: Toolbox,
  name: string,
  transport: BusTransport | undefined,
): Promise<
  {
    readonly devices: readonly DeviceInfo[];
    readonly access?: VirtualBusAccess;
  }
> {
  const { transports } = await toolbox.sandboxFacts();
  const usual = transports.preload === "" ? "preload" : "notify";
  await using bus = await toolbox.startBus([name], transport ?? usual);
  const { access } = bus;
  return {
    devices: await bus.devices(),
    ...(access === undefined ? {} : { access }),
  };
}
