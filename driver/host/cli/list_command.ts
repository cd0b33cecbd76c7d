/**
 * `driverspace list`: the devices on the bus. Opens none.
 *
 * @module
 */

import type { DeviceInfo } from "../../port.ts";
import { type DeviceRow, deviceRow } from "../device_rows.ts";
import { readUsbNames } from "../usb_ids.ts";
import type { Command, CommandCall } from "./command.ts";
import { EXIT, type ExitCode } from "./exit_codes.ts";
import { printJson } from "./output.ts";
import { LIBRARY_FLAG, libraryOf } from "./run_plan.ts";
import { columns, harmless } from "./text.ts";
import type { Toolbox } from "./toolbox.ts";

/** The command. */
export const listCommand: Command = {
  name: "list",
  summary: "Show the devices on the bus, their driver, and what is in the way",
  usage: "[--json] [--library PATH]",
  details: "Opens no device, so that a busy or failing one is shown as well. " +
    "Names come from the device, else from usb.ids where it is installed.",
  flags: {
    json: { description: "One JSON array for machines" },
    ...LIBRARY_FLAG,
  },
  examples: ["driverspace list", "driverspace list --json"],
  positionals: [0, 0],
  run: list,
};

/** Every device as a row, hubs left out. */
export async function deviceRows(
  toolbox: Toolbox,
  libraryPath?: string,
): Promise<DeviceRow[]> {
  return (await connectedDevices(toolbox, libraryPath)).map((device) =>
    deviceRow(device, {
      names: readUsbNames(),
      drivers: toolbox.drivers.map((bundled) => bundled.driver),
      system: toolbox.system,
    })
  );
}

/** Every device, hubs left out. @throws {UsbError} `library`. */
export async function connectedDevices(
  toolbox: Toolbox,
  libraryPath?: string,
): Promise<readonly DeviceInfo[]> {
  await using port = await toolbox.openPort(libraryPath);
  return await port.devices();
}

async function list(call: CommandCall): Promise<ExitCode> {
  const { io, toolbox, has } = call;
  const rows = await deviceRows(toolbox, libraryOf(call));
  if (has("json")) printJson(io, rows.map(jsonRow));
  else io.out(table(rows));
  return EXIT.done;
}

function table(rows: readonly DeviceRow[]): string {
  if (rows.length === 0) return "No devices besides hubs.\n";
  const lines = columns([
    ["PORT", "ID", "DEVICE", "SERIAL", "SPEED", "DRIVER", "HELD BY", "ACCESS"],
    ...rows.map((row) => [
      row.portPath,
      row.ids,
      harmless([row.vendor, row.product].filter(Boolean).join(" "), 48) || "-",
      harmless(row.serialNumber ?? "-", 24),
      row.speed,
      row.drivers.join(",") || "-",
      [...new Set(row.interfaces.map((entry) => entry.kernelDriver))]
        .filter(Boolean).join(",") || "-",
      row.access === undefined ? "yes" : "no",
    ]),
  ]);
  const problems = rows.flatMap((row) =>
    row.access === undefined
      ? []
      : [`${row.ids}: ${row.access.problem}. ${row.access.advice}.`]
  );
  return [...lines, ...problems, ""].join("\n");
}

function jsonRow(row: DeviceRow): unknown {
  return {
    vendor_id: row.ids.slice(0, 4),
    product_id: row.ids.slice(5),
    port: row.portPath,
    vendor: row.vendor ?? null,
    product: row.product ?? null,
    serial: row.serialNumber ?? null,
    speed: row.speed,
    node: row.nodePath ?? null,
    interfaces: row.interfaces.map((entry) => ({
      number: entry.number,
      class: entry.class,
      kernel_driver: entry.kernelDriver ?? null,
    })),
    drivers: row.drivers,
    access: row.access === undefined ? { granted: true } : {
      granted: false,
      problem: row.access.problem,
      next: row.access.advice,
    },
  };
}
