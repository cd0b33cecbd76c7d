/**
 * Writes what a bus shows of its devices as files: `/sys/...` entries below a
 * root that a client sees instead of the real ones.
 *
 * @module
 */

import { assert } from "../../driver/assert.ts";
import type { BusNode, TreeEntry } from "../../driver/sim/usbfs_contract.ts";

/** What libudev and libusb look for even when nothing is plugged in. */
const FIXED_DIRECTORIES = [
  "/sys/bus/usb/devices",
  "/sys/class",
  "/sys/devices",
];

/** Makes the directories every root has. */
export function makeEmptyTree(root: string): void {
  for (const path of FIXED_DIRECTORIES) {
    Deno.mkdirSync(root + path, { recursive: true });
  }
}

/** Writes the entries of a device that is plugged in. */
export function addToTree(root: string, node: BusNode): void {
  for (const entry of node.tree) writeEntry(root, entry);
}

/** Removes the entries of a device that is gone. */
export function removeFromTree(root: string, node: BusNode): void {
  const { DEVPATH: devicePath } = node.properties;
  for (const entry of node.tree.toReversed()) {
    if (entry.kind !== "directory") removeIfThere(root + entry.path);
    else if (entry.path === `/sys${devicePath}`) {
      // Whole: attributes may have come after the device.
      removeIfThere(root + entry.path, { recursive: true });
    } else removeIfEmpty(root + entry.path);
  }
}

/** Writes an attribute anew; nothing happens when its device is gone. */
export function changeInTree(
  root: string,
  path: string,
  content: string,
): void {
  try {
    Deno.writeTextFileSync(rooted(root, path), content, { create: false });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function writeEntry(root: string, entry: TreeEntry): void {
  const path = rooted(root, entry.path);
  if (entry.kind === "directory") {
    Deno.mkdirSync(path, { recursive: true });
    return;
  }
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  if (entry.kind === "link") Deno.symlinkSync(entry.target, path);
  else if (typeof entry.content === "string") {
    Deno.writeTextFileSync(path, entry.content);
  } else Deno.writeFileSync(path, entry.content);
}

function rooted(root: string, path: string): string {
  assert(
    path.startsWith("/sys/") && !path.split("/").includes(".."),
    `A bus shows files below /sys only, not ${path}`,
  );
  return root + path;
}

function removeIfThere(path: string, options: Deno.RemoveOptions = {}): void {
  try {
    Deno.removeSync(path, options);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Directories that other devices share stay while those are there. */
function removeIfEmpty(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Not empty, or gone already.
  }
}
