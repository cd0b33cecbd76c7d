/**
 * What one client process of the preload sees: a root of its own with the
 * trees, and the sockets it receives uevents on. Each process needs its own
 * root, as the names of those sockets are made from descriptor numbers.
 *
 * @module
 */

import type { BusNode } from "../../driver/sim/usbfs_contract.ts";
import { cString, type Libc } from "./virtual_bus_libc.ts";
import type { PreloadNode } from "./virtual_bus_preload_node.ts";
import { BusTree } from "./virtual_bus_tree.ts";

/** File name of the preload library; the loader finds it. */
export const PRELOAD_LIBRARY = "libumockdev-preload.so.0";

/** What a client process sees the bus through. Closing twice is a no-op. */
export interface PreloadRoot extends Disposable {
  /** Its directory: `UMOCKDEV_DIR` of the process. */
  readonly root: string;
  /** Environment variables the process needs, from its start on. */
  readonly environment: Readonly<Record<string, string>>;
  /** Removes the directory, when the process ended. */
  close(): void;
}

/** A root for one client process. Closing twice is a no-op. */
export class PreloadClient implements PreloadRoot {
  /** The root: `UMOCKDEV_DIR` of the process. */
  readonly root: string;
  readonly #tree: BusTree;
  readonly #onClose: () => void;
  #isOpen = true;

  /** Makes the root. */
  constructor(root: string, onClose: () => void) {
    this.root = root;
    this.#onClose = onClose;
    this.#tree = new BusTree(root);
    Deno.mkdirSync(`${root}/dev/bus/usb`, { recursive: true });
    Deno.mkdirSync(`${root}/dev/.node`);
    Deno.symlinkSync("../ioctl", `${root}/ioctl`);
  }

  /** Environment variables the process needs, from its start on. */
  get environment(): Record<string, string> {
    return { UMOCKDEV_DIR: this.root, LD_PRELOAD: PRELOAD_LIBRARY };
  }

  /** Shows a device. */
  add(node: PreloadNode): void {
    const { nodePath, properties } = node.busNode;
    const path = this.root + nodePath;
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    node.linkInto(path);
    const { MAJOR: major, MINOR: minor } = properties;
    Deno.symlinkSync(`${major}:${minor}`, this.root + numbersPath(nodePath));
    this.#tree.add(node.busNode);
  }

  /** Takes the node away: it cannot be opened any more. */
  hide(node: BusNode): void {
    Deno.removeSync(this.root + node.nodePath);
    Deno.removeSync(this.root + numbersPath(node.nodePath));
  }

  /** Takes the rest of a device away. */
  remove(node: BusNode): void {
    this.#tree.remove(node);
  }

  /** Writes an attribute anew. */
  change(path: string, content: string): void {
    this.#tree.change(path, content);
  }

  /** Sends a uevent to each monitor of the process. One that does not read loses it, as with netlink. */
  send(message: Uint8Array<ArrayBuffer>, socket: number, libc: Libc): void {
    const MSG_DONTWAIT = 0x40;
    for (const { name } of Deno.readDirSync(this.root)) {
      if (!/^event\d+$/.test(name)) continue;
      const address = unixAddress(`${this.root}/${name}`);
      // SAFETY: both buffers are ours, their lengths are passed.
      libc.symbols.sendto(
        socket,
        message,
        BigInt(message.length),
        MSG_DONTWAIT,
        address,
        address.length,
      );
    }
  }

  /** Removes the root. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#onClose();
    Deno.removeSync(this.root, { recursive: true });
  }

  /** Removes the root at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** Where the preload looks for a node's device numbers. */
function numbersPath(nodePath: string): string {
  return "/dev/.node/" +
    nodePath.slice("/dev/".length).replaceAll("/", "_");
}

/** `struct sockaddr_un`. */
export function unixAddress(path: string): Uint8Array<ArrayBuffer> {
  const ADDRESS_BYTES = 110;
  const AF_UNIX = 1;
  const name = cString(path);
  if (name.length > ADDRESS_BYTES - 2) {
    throw new RangeError(`${path} is too long for a Unix socket's address`);
  }
  const address = new Uint8Array(new ArrayBuffer(ADDRESS_BYTES));
  address[0] = AF_UNIX;
  address.set(name, 2);
  return address;
}
