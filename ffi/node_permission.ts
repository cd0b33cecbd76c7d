/**
 * Direct mode: libusb opens the node itself, past the runtime. So that what a
 * program may do still stands on its command line, we ask the runtime first.
 * It states intent and is no boundary.
 *
 * @module
 */

import { UsbError } from "../driver/errors.ts";
import type { DeviceInfo } from "../driver/port.ts";

/**
 * Whether the runtime's permissions let this program read and write a device's
 * node; a device without one is not theirs to refuse. For `isVisible` of
 * WebUSB: what a program may not open it need not see.
 */
export function isNodePermitted(
  device: Pick<DeviceInfo, "nodePath">,
): boolean {
  return device.nodePath === undefined ||
    missingPermissions(device.nodePath).length === 0;
}

/**
 * Asks for read and write permission on exactly that node.
 *
 * @throws {UsbError} `access` with the flags that are missing.
 */
export function checkNodePermission(nodePath: string, label: string): void {
  const missing = missingPermissions(nodePath);
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

function missingPermissions(nodePath: string): readonly ("read" | "write")[] {
  return (["read", "write"] as const).filter((name) =>
    Deno.permissions.querySync({ name, path: nodePath }).state !== "granted"
  );
}
