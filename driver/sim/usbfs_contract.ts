/**
 * The seams of the usbfs emulation. Below it stand transports that bring a
 * client's system calls (`ffi/linux/virtual_bus_*`), above it virtual devices.
 * The emulation itself knows neither.
 *
 * @module
 */

/** The client's memory, while one of its calls waits for an answer. */
export interface ClientMemory {
  /** Reads; rejects when the client is gone or the address is bad. */
  peek(address: bigint, lengthBytes: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Writes; arrives before the answer does. */
  poke(address: bigint, data: Uint8Array): void;
}

/** What `poll()` on a device node, or on one open file, reports. */
export interface Readiness {
  /** POLLOUT: there are completed transfers to reap. */
  setReady(on: boolean): void;
  /** POLLERR, where the transport can: the device is gone. */
  hangup(): void;
  /** The node, or the file, is no longer needed. */
  close(): void;
}

/** Answer to a system call: its result, and `errno` (0 = success). */
export type Answer = readonly [result: number, errno: number];

/** One `open()` of a device node, as a transport sees it. */
export interface Session {
  /** Character device minor: (bus - 1) * 128 + address - 1. */
  readonly minor: number;
  /** One ioctl; may take as long as the transfer in it. */
  ioctl(
    request: number,
    argument: bigint,
    memory: ClientMemory,
  ): Answer | Promise<Answer>;
  /** The descriptors from the file position on. */
  read(count: number): Uint8Array;
  /** Sets the file position of `read`. */
  seek(offset: number): void;
  /** Set by a transport that gives each `open()` its own file to poll. */
  readiness: Readiness | undefined;
  /** The client closed it, or died. */
  closed(): void;
}

/** One file of the sysfs and /dev trees a bus shows to its clients. */
export type TreeEntry =
  | { readonly kind: "directory"; readonly path: string }
  | {
    readonly kind: "file";
    readonly path: string;
    readonly content: string | Uint8Array;
  }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

/** What a transport is told when something on the bus changes. Order matters and is the caller's. */
export interface BusObserver {
  /** A device came: its node path, its sysfs part, and the uevent to send. */
  plugged(node: BusNode): void;
  /** A device goes: node away first, then its transfers end, then sysfs, then the uevent. */
  unplugged(node: BusNode, killTransfers: () => void): void;
  /** A sysfs attribute changed, `bConfigurationValue` for instance. */
  changed(path: string, content: string): void;
}

/** A device as transports show it. */
export interface BusNode {
  /** `/dev/bus/usb/001/002`. */
  readonly nodePath: string;
  /** Character device minor. */
  readonly minor: number;
  /** `false`: opening the node is refused with EACCES, where the transport can. */
  readonly isAccessible?: boolean;
  /** `/sys/...` entries, parents first. */
  readonly tree: readonly TreeEntry[];
  /** udev properties of its uevents, without ACTION and SEQNUM. */
  readonly properties: Readonly<Record<string, string>>;
  /** Opens a session, as `open(2)` does. */
  open(): Session;
  /** The poll signal of the one node all sessions share (transport A). */
  setNodeReadiness(readiness: Readiness): void;
}
