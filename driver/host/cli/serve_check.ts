/**
 * What can be done with a configuration without serving it: looking whether
 * every driver could be started, and getting everything ready for that.
 *
 * @module
 */

import { UsbError } from "../../errors.ts";
import type { DeviceMatch } from "../../match.ts";
import { formatIds } from "../../usb.ts";
import { checkLogPlace } from "../log_place.ts";
import { LogFileError } from "../log_rotation.ts";
import { logFolder } from "../own_folders.ts";
import type { DriverEntry } from "../supervisor/configuration.ts";
import { readConfiguration } from "../supervisor/read_configuration.ts";
import type { CommandCall } from "./command.ts";
import { CliError, EXIT, type ExitCode } from "./exit_codes.ts";
import { codeFiles } from "./log_choice.ts";
import { watchProgram } from "./serve_bus.ts";
import { checkEntry, prepareEntry } from "./serve_prepare.ts";
import { harmless, harmlessLines } from "./text.ts";

/**
 * `--check`: every driver, its device and whether it is there with these options,
 * and whether its log could lie where it is wanted. A service's user may be
 * another than ours, and what we may not see is not looked at.
 *
 * @throws {ConfigurationError} When the file itself has mistakes.
 */
export async function checkConfiguration(
  call: CommandCall,
  path: string,
): Promise<ExitCode> {
  return await forEach(call, path, async (entry) => {
    await checkEntry(entry, call.toolbox);
    if (entry.logPath !== undefined) {
      const code = codeFiles(call.toolbox);
      checkLogPlace(entry.logPath, { code, isForAnother: true });
    }
    return `${entry.driver} for ${deviceText(entry.device)}`;
  });
}

/**
 * `--prepare`: bundles every driver, as a start would. What is fetched for it,
 * the first start of a service without network then has.
 *
 * @throws {ConfigurationError} When the file itself has mistakes.
 */
export async function prepareConfiguration(
  call: CommandCall,
  path: string,
): Promise<ExitCode> {
  const { toolbox, io } = call;
  const folder = logFolder();
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const parts = { toolbox, io, logFolder: folder, isDirect: false };
  await watchProgram(toolbox);
  return await forEach(call, path, async (entry) => {
    const prepared = await prepareEntry(entry, parts);
    await prepared.dispose?.();
    return "can be started";
  });
}

/** A mistake in one entry hides none of the others. */
async function forEach(
  { io }: CommandCall,
  path: string,
  work: (entry: DriverEntry) => Promise<string>,
): Promise<ExitCode> {
  const { drivers } = readConfiguration(path);
  let code: ExitCode = EXIT.done;
  for (const entry of drivers.values()) {
    try {
      io.out(`${entry.name}: ${await work(entry)}\n`);
    } catch (error) {
      const sentence = sentenceOf(error);
      if (sentence === undefined) throw error;
      io.err(`driverspace: ${entry.name}: ${harmlessLines(sentence)}\n`);
      code = error instanceof CliError
        ? error.code
        : error instanceof LogFileError
        ? EXIT.cannotCreateLog
        : EXIT.config;
    }
  }
  return code;
}

/** What is wrong with an entry or this machine; anything else is a bug of ours. */
function sentenceOf(error: unknown): string | undefined {
  const isWrong = error instanceof CliError || error instanceof UsbError ||
    error instanceof LogFileError || error instanceof TypeError ||
    error instanceof RangeError;
  return isWrong ? error.message : undefined;
}

/** A device as people write it: `0957:1755, serial MY47000001, port 1-4`. */
function deviceText(device: DriverEntry["device"]): string {
  if ("virtual" in device) return `virtual ${harmless(device.virtual, 40)}`;
  return matchTexts(device).join(", ");
}

function matchTexts(match: DeviceMatch): string[] {
  const { vendorId, productId, serialNumber, portPath } = match;
  const hex = (value: number, digits: number): string =>
    value.toString(16).padStart(digits, "0");
  const ids = vendorId !== undefined && productId !== undefined
    ? [formatIds(vendorId, productId)]
    : [
      ...(vendorId === undefined ? [] : [`vendor ${hex(vendorId, 4)}`]),
      ...(productId === undefined ? [] : [`product ${hex(productId, 4)}`]),
    ];
  const classes = [
    match.interfaceClass,
    match.interfaceSubclass,
    match.interfaceProtocol,
  ].map((code) => code === undefined ? "*" : hex(code, 2));
  const isOfClass = classes.some((code) => code !== "*");
  return [
    ...ids,
    ...(serialNumber === undefined
      ? []
      : [`serial ${harmless(serialNumber, 80)}`]),
    ...(portPath === undefined ? [] : [`port ${portPath}`]),
    ...(isOfClass ? [`class ${classes.join("/")}`] : []),
  ];
}
