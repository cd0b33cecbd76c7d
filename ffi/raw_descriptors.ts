/**
 * Raw descriptors and names of devices that are not open: from sysfs where it
 * can be read, else put together again from libusb's parsed tree.
 *
 * @module
 */

import {
  CONFIGURATION_DESCRIPTOR_BYTES,
  DEVICE_DESCRIPTOR_BYTES,
} from "../driver/descriptors.ts";
import {
  MAX_CONFIGURATION_BYTES,
  MAX_CONFIGURATIONS,
} from "../driver/limits.ts";
import { O_RDONLY_CLOEXEC } from "./libusb_constants.ts";
import {
  CONFIG_DESCRIPTOR,
  ENDPOINT_DESCRIPTOR,
  INTERFACE,
  INTERFACE_DESCRIPTOR,
} from "./libusb_structs.ts";
import type { Library } from "./library.ts";
import { type Memory, nativeBytes, type Pointer } from "./memory.ts";

const SYSFS_DEVICES = "/sys/bus/usb/devices";
/** Strings are at most 126 characters of at most 3 bytes. */
const MAX_ATTRIBUTE_BYTES = 384;
const MAX_DESCRIPTORS_BYTES = DEVICE_DESCRIPTOR_BYTES +
  MAX_CONFIGURATIONS * MAX_CONFIGURATION_BYTES;
/** Reads in pieces of this size: nearly every device's descriptors fit in one. */
const READ_BYTES = 4096;

/**
 * A device's directory in sysfs. The runtime reads below /sys only with all
 * permissions; without them libc does, through the library we may use.
 */
export class SysfsDevice {
  readonly #library: Library;
  readonly #path: string;

  /** `name` is the port path, `1-4.2`. */
  constructor(library: Library, name: string) {
    this.#library = library;
    this.#path = `${SYSFS_DEVICES}/${name}`;
  }

  /** Device descriptor and configurations as the kernel has them; `undefined` where not readable. */
  descriptors(): Uint8Array | undefined {
    return this.#read("descriptors", MAX_DESCRIPTORS_BYTES);
  }

  /** A text attribute without its newline; `undefined` where there is none. */
  attribute(name: string): string | undefined {
    const bytes = this.#read(name, MAX_ATTRIBUTE_BYTES);
    return bytes && new TextDecoder().decode(bytes).replace(/\n$/, "");
  }

  #read(name: string, maxBytes: number): Uint8Array | undefined {
    const path = `${this.#path}/${name}`;
    try {
      return Deno.readFileSync(path).subarray(0, maxBytes);
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) {
        return readFile(this.#library, path, maxBytes);
      }
      return undefined;
    }
  }
}

/** Reads a file by libc. `undefined` when it cannot be opened or read. */
export function readFile(
  library: Library,
  path: string,
  maxBytes: number,
): Uint8Array | undefined {
  const { symbols } = library;
  const text = new TextEncoder().encode(`${path}\0`);
  const name = nativeBytes(text.length);
  name.set(text);
  // SAFETY: a path that ends in NUL, used during the call only.
  const descriptor = symbols.open(name, O_RDONLY_CLOEXEC);
  if (descriptor < 0) return undefined;
  try {
    return readDescriptor(library, { descriptor, maxBytes });
  } finally {
    symbols.close(descriptor);
  }
}

/** Reads an open descriptor from its start, by libc. */
export function readFromStart(
  library: Library,
  source: { readonly descriptor: number; readonly maxBytes?: number },
): Uint8Array | undefined {
  const { symbols } = library;
  // SAFETY: numbers only. 0 is SEEK_SET.
  if (symbols.lseek(source.descriptor, 0n, 0) !== 0n) return undefined;
  return readDescriptor(library, {
    maxBytes: MAX_DESCRIPTORS_BYTES,
    ...source,
  });
}

function readDescriptor(
  library: Library,
  source: { readonly descriptor: number; readonly maxBytes: number },
): Uint8Array | undefined {
  const pieces: Uint8Array[] = [];
  let total = 0;
  while (total < source.maxBytes) {
    const piece = nativeBytes(Math.min(READ_BYTES, source.maxBytes - total));
    const count = Number(
      // SAFETY: the buffer is as long as said, and used during the call only.
      library.symbols.read(
        source.descriptor,
        piece,
        BigInt(piece.length),
      ),
    );
    if (count < 0) return undefined;
    if (count === 0) break;
    pieces.push(piece.subarray(0, count));
    total += count;
  }
  const whole = new Uint8Array(total);
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}

/**
 * The configurations of a device, one after the other, from libusb's tree. It
 * keeps every descriptor it does not know, in order, so nothing is lost but
 * what it took for broken.
 */
export function configurationsFromTree(
  library: Library,
  device: Pointer,
  count: number,
): Uint8Array {
  const bytes: number[] = [];
  for (let index = 0; index < Math.min(count, MAX_CONFIGURATIONS); index++) {
    const out = nativeBytes(8);
    // SAFETY: the tree is ours until freed below.
    const result = library.symbols.libusb_get_config_descriptor(
      device,
      index,
      out,
    );
    const tree = result === 0 ? library.memory.out(out) : null;
    if (tree === null) continue;
    bytes.push(...new TreeReader(library.memory).configuration(tree));
    // SAFETY: everything was copied.
    library.symbols.libusb_free_config_descriptor(tree);
  }
  return new Uint8Array(bytes);
}

/**
 * Walks libusb's tree. Counts are libusb's hints: where a pointer is null, up
 * to 1.0.29 in spite of a count, there is nothing.
 */
class TreeReader {
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  configuration(tree: Pointer): Uint8Array {
    const { fields } = CONFIG_DESCRIPTOR;
    const view = this.#memory.readView(tree, CONFIG_DESCRIPTOR.sizeBytes);
    const bytes = this.#head(view, CONFIGURATION_DESCRIPTOR_BYTES);
    bytes.push(...this.#extra(view, fields.extra[0], fields.extra_length[0]));
    const interfaces = view.getUint8(fields.bNumInterfaces[0]);
    const array = view.getBigUint64(fields.interface[0], true);
    for (const one of this.#array(array, INTERFACE.sizeBytes, interfaces)) {
      bytes.push(...this.#interface(one));
    }
    const whole = new Uint8Array(bytes.slice(0, MAX_CONFIGURATION_BYTES));
    new DataView(whole.buffer).setUint16(2, whole.length, true);
    return whole;
  }

  #interface(view: DataView): number[] {
    const { altsetting, num_altsetting } = INTERFACE.fields;
    return this.#array(
      view.getBigUint64(altsetting[0], true),
      INTERFACE_DESCRIPTOR.sizeBytes,
      view.getInt32(num_altsetting[0], true),
    ).flatMap((setting) => this.#alternate(setting));
  }

  #alternate(view: DataView): number[] {
    const { endpoint, bNumEndpoints, extra, extra_length } =
      INTERFACE_DESCRIPTOR.fields;
    return [
      ...this.#head(view, 9),
      ...this.#extra(view, extra[0], extra_length[0]),
      ...this.#array(
        view.getBigUint64(endpoint[0], true),
        ENDPOINT_DESCRIPTOR.sizeBytes,
        view.getUint8(bNumEndpoints[0]),
      ).flatMap((one) => this.#endpoint(one)),
    ];
  }

  #endpoint(view: DataView): number[] {
    const { bLength, extra, extra_length } = ENDPOINT_DESCRIPTOR.fields;
    const lengthBytes = view.getUint8(bLength[0]) === 9 ? 9 : 7;
    return [
      ...this.#head(view, lengthBytes),
      ...this.#extra(view, extra[0], extra_length[0]),
    ];
  }

  /** The first bytes of a struct are the bytes sent; `bLength` is set to what we take. */
  #head(view: DataView, lengthBytes: number): number[] {
    const bytes = [...new Uint8Array(view.buffer, 0, lengthBytes)];
    bytes[0] = lengthBytes;
    return bytes;
  }

  #extra(view: DataView, pointer: number, length: number): Uint8Array {
    const source = this.#memory.pointer(view.getBigUint64(pointer, true));
    const lengthBytes = view.getInt32(length, true);
    if (source === null || lengthBytes <= 0) return new Uint8Array();
    // SAFETY: libusb allocated that much, from a configuration of 64 KiB at most.
    return this.#memory.read(
      source,
      Math.min(lengthBytes, MAX_CONFIGURATION_BYTES),
    );
  }

  #array(address: bigint, sizeBytes: number, count: number): DataView[] {
    if (address === 0n) return [];
    return Array.from({ length: Math.max(0, Math.min(count, 256)) }, (_, n) => {
      const pointer = this.#memory.pointer(address + BigInt(n * sizeBytes));
      // SAFETY: an element of an array that libusb allocated with `count` of them.
      return pointer === null
        ? new DataView(new ArrayBuffer(sizeBytes))
        : this.#memory.readView(pointer, sizeBytes);
    });
  }
}
