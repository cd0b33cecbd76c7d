/**
 * Direct mode: libusb opens the node itself, past the runtime. So that what a
 * program may do still stands on its command line, we ask the runtime first.
 * It states intent and is no boundary.
 *
 * @module
 */

import { UsbError } from "../driver/errors.ts";

/**
 * Asks for read and write permission on exactly that node.
 *
 * @throws {UsbError} `access` with the flags that are missing.
 */
export function checkNodePermission(nodePath: string, label: string): void {
  const missing = (["read", "write"] as const).filter((name) =>
    Deno.permissions.querySync({ name, path: nodePath }).state !== "granted"
  );
  if (missing.length === 0) return;
  const flags = missing.map((name) => `--allow-${name}=${nodePath}`);
  throw new UsbError({
    code: "access",
    operation: `open ${label}`,
    device: label,
    reason: `the program may not ${missing.join(" and ")} ${nodePath}`,
    advice: `Run with ${flags.join(" ")}`,
  });
}
