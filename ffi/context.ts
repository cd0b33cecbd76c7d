/**
 * A libusb context, with or without device discovery.
 *
 * @module
 */

import { UsbError } from "../driver/errors.ts";
import { LIBUSB_OPTION_NO_DEVICE_DISCOVERY } from "./libusb_constants.ts";
import { libusbError } from "./libusb_errors.ts";
import { INIT_OPTION_BYTES } from "./libusb_structs.ts";
import type { Library } from "./library.ts";
import { nativeBytes, type Pointer } from "./memory.ts";

/**
 * Up to 1.0.26 the switch is the process's, not the context's, and cannot be
 * turned back.
 */
let isDiscoveryOffForGood = false;

/**
 * Makes a context. Without discovery it lists and watches nothing, starts no
 * thread and opens no socket: for an inherited descriptor in a sandbox.
 *
 * @throws {UsbError} When libusb cannot start.
 */
export async function createContext(
  library: Library,
  options: { readonly hasDiscovery: boolean },
): Promise<Pointer> {
  const out = nativeBytes(8);
  const result = options.hasDiscovery
    ? await initWithDiscovery(library, out)
    : await initWithoutDiscovery(library, out);
  if (result < 0) throw libusbError(result, { operation: "start libusb" });
  const context = library.memory.out(out);
  if (context === null) {
    throw new UsbError({
      code: "library",
      operation: "start libusb",
      reason: `${library.path} gave no context`,
    });
  }
  return context;
}

function initWithDiscovery(
  library: Library,
  out: Uint8Array<ArrayBuffer>,
): Promise<number> {
  if (isDiscoveryOffForGood) {
    throw new UsbError({
      code: "state",
      operation: "look for devices",
      reason:
        `libusb ${library.version.text} was told in this process not to look`,
      advice: "Use another process, or libusb 1.0.27 or later",
    });
  }
  // SAFETY: `out` is referenced by the caller until the call is back.
  return library.symbols.libusb_init(out);
}

async function initWithoutDiscovery(
  library: Library,
  out: Uint8Array<ArrayBuffer>,
): Promise<number> {
  const { symbols } = library;
  if (symbols.libusb_init_context !== null) {
    const option = nativeBytes(INIT_OPTION_BYTES);
    new DataView(option.buffer).setInt32(
      0,
      LIBUSB_OPTION_NO_DEVICE_DISCOVERY,
      true,
    );
    // SAFETY: buffers of ours, used during the call only.
    return symbols.libusb_init_context(out, option, 1);
  }
  isDiscoveryOffForGood = true;
  // SAFETY: null means the default of the process. The function is variadic;
  // a fixed call is right where numbers travel in the same registers, which
  // is so on Linux.
  const result = symbols.libusb_set_option(
    null,
    LIBUSB_OPTION_NO_DEVICE_DISCOVERY,
  );
  return result < 0 ? result : await symbols.libusb_init(out);
}
