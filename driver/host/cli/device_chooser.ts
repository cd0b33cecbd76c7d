/**
 * The dialog of `requestDevice` for a terminal: a numbered list, and a line of
 * input. It reads and writes a terminal alone; where there is none nobody can
 * choose, and nothing is chosen.
 *
 * @module
 */

import { formatIds } from "../../usb.ts";
import { columns, harmless } from "./text.ts";

/** What the list shows of a device; a `USBDevice` has all of it. */
export interface ChoosableDevice {
  /** `idVendor`. */
  readonly vendorId: number;
  /** `idProduct`. */
  readonly productId: number;
  /** Null where the device names none. */
  readonly manufacturerName: string | null;
  /** Null where the device names none. */
  readonly productName: string | null;
  /** Null where the device has none. */
  readonly serialNumber: string | null;
}

/** Where the dialog is held. */
export interface ChooserIo {
  /** Whether somebody is there to answer. */
  readonly isTerminal: boolean;
  /** Shows text. */
  print(text: string): void;
  /** The next line of input without its end; `undefined` at the end of input. */
  readLine(): Promise<string | undefined>;
}

/** How often somebody may answer what is not in the list. */
const ATTEMPTS_MAX = 5;

/**
 * A chooser for WebUSB. Enter, or the end of input, chooses none.
 *
 * ```ts ignore
 * const usb = createWebUsb({ port, chooser: terminalChooser() });
 * ```
 */
export function terminalChooser(
  io: ChooserIo = standardIo(),
): <Device extends ChoosableDevice>(
  devices: readonly Device[],
) => Promise<Device | undefined> {
  return async <Device extends ChoosableDevice>(
    devices: readonly Device[],
  ): Promise<Device | undefined> => {
    if (devices.length === 0) {
      io.print("There is no USB device to choose from.\n");
      return undefined;
    }
    io.print(`Which USB device may this program use?\n${list(devices)}\n`);
    if (!io.isTerminal) {
      io.print("Nobody can answer: standard input is no terminal.\n");
      return undefined;
    }
    return await ask(devices, io);
  };
}

async function ask<Device extends ChoosableDevice>(
  devices: readonly Device[],
  io: ChooserIo,
): Promise<Device | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    io.print(`1 to ${devices.length}, or Enter for none: `);
    const answer = (await io.readLine())?.trim() ?? "";
    if (answer === "") return undefined;
    const found = /^\d{1,4}$/.test(answer)
      ? devices[Number(answer) - 1]
      : undefined;
    if (found !== undefined) return found;
    io.print(`${harmless(answer, 40)} is not in the list.\n`);
  }
  return undefined;
}

/** Names come from devices, and may hold anything. */
function list(devices: readonly ChoosableDevice[]): string {
  const rows = devices.map((device, at) => [
    `  ${at + 1}`,
    formatIds(device.vendorId, device.productId),
    harmless(
      [device.manufacturerName, device.productName].filter((t) => t !== null)
        .join(" ") || "(no name)",
      60,
    ),
    harmless(device.serialNumber ?? "", 40),
  ]);
  return columns(rows).join("\n");
}

/** Standard input, and standard error: output may be piped elsewhere. */
function standardIo(): ChooserIo {
  return {
    isTerminal: Deno.stdin.isTerminal(),
    print: (text) => {
      Deno.stderr.writeSync(new TextEncoder().encode(text));
    },
    readLine: readStandardLine,
  };
}

/** A terminal gives a line at a time. */
async function readStandardLine(): Promise<string | undefined> {
  const bytes = new Uint8Array(1024);
  const count = await Deno.stdin.read(bytes);
  if (count === null) return undefined;
  const [line] = new TextDecoder().decode(bytes.subarray(0, count)).split("\n");
  return line;
}
