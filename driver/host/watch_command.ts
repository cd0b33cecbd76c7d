/**
 * The command line of the process that watches the bus: FFI to libusb, and
 * nothing else.
 *
 * @module
 */

import { flagPath, RUN_FLAGS } from "./permissions.ts";

/** How to start it. */
export interface WatchCommandOptions {
  /** `Deno.execPath()`. */
  readonly denoPath: string;
  /** The program: its module, or a bundle of it. */
  readonly program: string;
  /** Where libusb may be: it looks there, and loads one of them. */
  readonly libraries: readonly string[];
}

/**
 * The command. What it looks at below `/sys` it reads by libc, as libusb itself
 * does: the runtime grants that to no one without granting everything.
 */
export function watchCommand(options: WatchCommandOptions): string[] {
  const { denoPath, program, libraries } = options;
  const paths = libraries.map(flagPath).join(",");
  return [
    denoPath,
    ...RUN_FLAGS,
    `--allow-ffi=${paths}`,
    `--allow-read=${paths}`,
    program,
  ];
}
