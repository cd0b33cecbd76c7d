/**
 * `driverspace drivers`: the drivers and virtual devices that come along.
 *
 * @module
 */

import type { DriverCommand, ParameterSpec } from "../../driver.ts";
import type { DeviceMatch } from "../../match.ts";
import { hex } from "../../usb.ts";
import type { Command, CommandCall } from "./command.ts";
import { EXIT, type ExitCode } from "./exit_codes.ts";
import { printJson } from "./output.ts";
import type { BundledDriver } from "./toolbox.ts";

/** The command. */
export const driversCommand: Command = {
  name: "drivers",
  summary: "Show the drivers and virtual devices that come along",
  usage: "[--json]",
  flags: { json: { description: "One JSON object for machines" } },
  examples: ["driverspace drivers"],
  positionals: [0, 0],
  run: ({ io, toolbox, has }: CommandCall): Promise<ExitCode> => {
    if (has("json")) {
      printJson(io, {
        drivers: toolbox.drivers.map(jsonDriver),
        virtual_devices: toolbox.virtualDevices,
      });
      return Promise.resolve(EXIT.done);
    }
    const lines = [
      ...toolbox.drivers.flatMap(describe),
      "Virtual devices, for --virtual and simulate:",
      ...toolbox.virtualDevices.flatMap((kind) => [
        `  ${kind.name}  ${kind.description}`,
        ...(kind.variants === undefined
          ? []
          : [`    as ${kind.name}:KIND: ${kind.variants.join(", ")}`]),
      ]),
    ];
    io.out(lines.join("\n") + "\n");
    return Promise.resolve(EXIT.done);
  },
};

function describe({ driver }: BundledDriver): string[] {
  const commands = Object.entries(driver.commands ?? {});
  const options = Object.entries(driver.options ?? {});
  return [
    `${driver.name}  ${driver.description}`,
    `  for: ${driver.match.map(describeMatch).join("; ")}`,
    ...options.map(([name, spec]) =>
      `  --set ${describeParameter(name, spec)}`
    ),
    ...commands.map(([name, command]) => `  ${describeCommand(name, command)}`),
    "",
  ];
}

/** `query message=STRING [timeout=INTEGER]  Sends …`. */
export function describeCommand(
  name: string,
  command: Pick<DriverCommand<unknown, never>, "description" | "params">,
): string {
  const params = Object.entries(command.params ?? {}).map(([key, spec]) => {
    const text = `${key}=${spec.type.toUpperCase()}`;
    return spec.optional === true ? `[${text}]` : text;
  });
  return `${[name, ...params].join(" ")}  ${command.description}`;
}

function describeParameter(name: string, spec: ParameterSpec): string {
  return `${name}=${spec.type.toUpperCase()}  ${spec.description}`;
}

function describeMatch(match: DeviceMatch): string {
  const parts: string[] = [];
  const { vendorId, productId, interfaceClass } = match;
  if (vendorId !== undefined) parts.push(`vendor ${hex(vendorId, 4)}`);
  if (productId !== undefined) parts.push(`product ${hex(productId, 4)}`);
  if (interfaceClass !== undefined) {
    const codes = [
      interfaceClass,
      match.interfaceSubclass,
      match.interfaceProtocol,
    ].filter((code) => code !== undefined);
    parts.push(`class ${codes.map((code) => hex(code).slice(2)).join("/")}`);
  }
  if (match.serialNumber !== undefined) {
    parts.push(`serial ${match.serialNumber}`);
  }
  if (match.portPath !== undefined) parts.push(`port ${match.portPath}`);
  return parts.join(", ") || "any device";
}

function jsonDriver({ driver }: BundledDriver): unknown {
  return {
    name: driver.name,
    description: driver.description,
    match: driver.match,
    options: driver.options ?? {},
    commands: Object.fromEntries(
      Object.entries(driver.commands ?? {}).map(([name, command]) => [name, {
        description: command.description,
        params: command.params ?? {},
        idempotent: command.idempotent ?? false,
      }]),
    ),
  };
}
