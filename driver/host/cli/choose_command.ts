/**
 * `driverspace choose`: a person picks a device from a list; its name for
 * `--device` goes to standard output.
 *
 * @module
 */

import type { DeviceInfo } from "../../port.ts";
import { formatIds } from "../../usb.ts";
import type { Command, CommandCall } from "./command.ts";
import { type ChoosableDevice, terminalChooser } from "./device_chooser.ts";
import { EXIT, type ExitCode } from "./exit_codes.ts";
import { connectedDevices } from "./list_command.ts";
import { LIBRARY_FLAG, libraryOf } from "./run_plan.ts";

/** The command. */
export const chooseCommand: Command = {
  name: "choose",
  summary: "Pick a device from a list, for --device of other commands",
  usage: "[--library PATH]",
  details: "The list and the question go to standard error, the answer to " +
    "standard output: VID:PID with the serial number, else with the port. " +
    "Ends with 69 when none was chosen.",
  flags: { ...LIBRARY_FLAG },
  examples: [
    "driverspace choose",
    'driverspace run usbtmc --device "$(driverspace choose)"',
  ],
  positionals: [0, 0],
  run: choose,
};

interface Choice extends ChoosableDevice {
  readonly info: DeviceInfo;
}

async function choose(call: CommandCall): Promise<ExitCode> {
  const { io, toolbox } = call;
  const devices = await connectedDevices(toolbox, libraryOf(call));
  const chosen = await terminalChooser()(devices.map(asChoice));
  if (chosen === undefined) return EXIT.unavailable;
  io.out(`${selectorOf(chosen.info)}\n`);
  return EXIT.done;
}

function asChoice(info: DeviceInfo): Choice {
  return {
    info,
    vendorId: info.descriptor.vendorId,
    productId: info.descriptor.productId,
    manufacturerName: info.manufacturer ?? null,
    productName: info.product ?? null,
    serialNumber: info.serialNumber ?? null,
  };
}

/** The text that `--device` takes: by serial number, else by port. */
export function selectorOf(
  { descriptor, serialNumber, portPath }: DeviceInfo,
): string {
  const ids = formatIds(descriptor.vendorId, descriptor.productId);
  if (serialNumber !== undefined) return `${ids}:${serialNumber}`;
  return portPath === "" ? ids : `${ids}@${portPath}`;
}
