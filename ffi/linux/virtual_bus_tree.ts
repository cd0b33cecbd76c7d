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

/**
 * Settings of the kernel that a C library reads when a program starts: a client
 * has them as any program of the machine.
 */
const KERNEL_SETTINGS = [
  "/sys/kernel/mm/transparent_hugepage/enabled",
  "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size",
];

/** The tree of one root. */
export class BusTree {
  readonly #root: string;
  /** As they were written: a device's entries follow its configuration. */
  readonly #entries = new Map<string, readonly TreeEntry[]>();

  /** Makes the directories every root has, below `root`. */
  constructor(root: string) {
    this.#root = root;
    for (const path of FIXED_DIRECTORIES) {
      Deno.mkdirSync(root + path, { recursive: true });
    }
    for (const path of KERNEL_SETTINGS) copyIfThere(path, root);
  }

  /** Writes the entries of a device that is plugged in. */
  add(node: BusNode): void {
    const entries = node.tree;
    this.#entries.set(node.nodePath, entries);
    for (const entry of entries) writeEntry(this.#root, entry);
  }

  /** Removes the entries of a device that is gone. */
  remove(node: BusNode): void {
    const entries = this.#entries.get(node.nodePath) ?? [];
    this.#entries.delete(node.nodePath);
    const { DEVPATH: devicePath } = node.properties;
    for (const entry of entries.toReversed()) {
      const path = this.#root + entry.path;
      if (entry.kind !== "directory") removeIfThere(path);
      else if (entry.path === `/sys${devicePath}`) {
        // Whole: attributes may have come after the device.
        removeIfThere(path, { recursive: true });
      } else removeIfEmpty(path);
    }
  }

  /** Writes an attribute anew; nothing happens when its device is gone. */
  change(path: string, content: string): void {
    try {
      const create = false;
      Deno.writeTextFileSync(rooted(this.#root, path), content, { create });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
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

/** Not there: a kernel without it, or a runtime that may not look. */
function copyIfThere(path: string, root: string): void {
  let content: string;
  try {
    content = Deno.readTextFileSync(path);
  } catch {
    return;
  }
  writeEntry(root, { path, kind: "file", content });
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
