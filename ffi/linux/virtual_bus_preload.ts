/**
 * Transport A of the virtual bus: umockdev's preload library, loaded into a
 * client with LD_PRELOAD, forwards its system calls on device nodes to us over
 * Unix sockets. Needs neither root nor a compiler, and reaches every client
 * that calls the C library dynamically.
 *
 * @module
 */

import { assert } from "../../driver/assert.ts";
import type { BusNode } from "../../driver/sim/usbfs_contract.ts";
import {
  type Libc,
  O,
  openLibc,
  reduceTimerSlack,
} from "./virtual_bus_libc.ts";
import type { NodeKind } from "./virtual_bus_nodes.ts";
import {
  PreloadClient,
  type PreloadRoot,
} from "./virtual_bus_preload_client.ts";
import { PreloadNode, serveDefault } from "./virtual_bus_preload_node.ts";
import {
  type BusTransport,
  type ClientCommand,
  ClientProcess,
  commandOptions,
  type ObservableBus,
  observeAll,
} from "./virtual_bus_process.ts";
import { TemporaryRoot } from "./virtual_bus_root.ts";
import { encodeUevent, type UeventAction } from "./virtual_bus_uevent.ts";

/** How to show a bus through the preload. */
export interface PreloadOptions {
  /** Default `fifo`. */
  readonly node?: NodeKind;
}

/**
 * Client processes at once: each has its own copy of the tree, into which
 * every plug and unplug is written.
 */
const CLIENTS_MAX = 64;
/**
 * Sockets of departed devices that are kept open, oldest closed first. Closing
 * one at once would end a client that is connecting to it at that moment.
 */
const GONE_NODES_MAX = 32;

/** A bus as preloaded clients see it. Closing twice is a no-op. */
export class PreloadTransport implements BusTransport {
  /** Which transport this is. */
  readonly name = "preload";
  readonly #root: TemporaryRoot;
  readonly #libc: Libc;
  readonly #kind: NodeKind;
  readonly #nodes = new Map<string, PreloadNode>();
  readonly #gone: PreloadNode[] = [];
  readonly #clients = new Set<PreloadClient>();
  readonly #processes = new Set<ClientProcess>();
  readonly #default: AsyncDisposable;
  readonly #ueventSocket: number;
  #clientCount = 0;
  #sequence = 0;
  readonly #observation: { stop(): void };
  #isOpen = true;

  /** Shows a bus from now on. @throws {UsbError} `access`, `library`. */
  constructor(bus: ObservableBus, options: PreloadOptions = {}) {
    const [AF_UNIX, SOCK_DGRAM] = [1, 2];
    this.#kind = options.node ?? "fifo";
    this.#libc = openLibc();
    this.#root = TemporaryRoot.create();
    Deno.mkdirSync(`${this.#root.path}/node`);
    Deno.mkdirSync(`${this.#root.path}/ioctl`);
    this.#default = serveDefault(`${this.#root.path}/ioctl/_default`);
    // SAFETY: numbers only.
    this.#ueventSocket = this.#libc.symbols.socket(
      AF_UNIX,
      SOCK_DGRAM | O.CLOEXEC,
      0,
    );
    reduceTimerSlack(this.#libc);
    this.#observation = observeAll(bus, this);
  }

  /**
   * Makes a root for one client process that somebody else starts, this one
   * among them. Give it its environment, and close it when it ended.
   *
   * @throws {RangeError} When there are too many.
   */
  addClient(): PreloadRoot {
    assert(this.#isOpen, "The transport is closed");
    if (this.#clients.size >= CLIENTS_MAX) {
      throw new RangeError(`A bus shows itself to ${CLIENTS_MAX} clients`);
    }
    const client: PreloadClient = new PreloadClient(
      `${this.#root.path}/${++this.#clientCount}`,
      () => this.#clients.delete(client),
    );
    this.#clients.add(client);
    for (const node of this.#nodes.values()) client.add(node);
    return client;
  }

  /** Starts a client. */
  spawn(command: ClientCommand): Promise<ClientProcess> {
    return this.#start((client) => [command, client.environment]);
  }

  /**
   * Starts a program that becomes a client later, as a launcher does: it is
   * told its root by its command line, and nothing is preloaded into itself.
   */
  spawnLater(
    commandFor: (root: PreloadRoot) => ClientCommand,
  ): Promise<ClientProcess> {
    return this.#start((client) => [commandFor(client), {}]);
  }

  /** The folder of all its nodes, sockets and roots. */
  get folder(): string {
    return this.#root.path;
  }

  #start(
    describe: (
      client: PreloadRoot,
    ) => [command: ClientCommand, environment: Record<string, string>],
  ): Promise<ClientProcess> {
    const client = this.addClient();
    try {
      const [command, environment] = describe(client);
      const child = new Deno.Command(command.program, {
        args: [...command.args ?? []],
        ...commandOptions(command, environment),
      }).spawn();
      const process = new ClientProcess(child, () => {
        this.#processes.delete(process);
        client.close();
      });
      this.#processes.add(process);
      return Promise.resolve(process);
    } catch (error) {
      client.close();
      return Promise.reject(error);
    }
  }

  /** A device came. */
  plugged(busNode: BusNode): void {
    if (!this.#isOpen) return;
    assert(!this.#nodes.has(busNode.nodePath), `${busNode.nodePath} is there`);
    const node = new PreloadNode(busNode, {
      directory: this.#root.path,
      kind: this.#kind,
      libc: this.#libc,
    });
    this.#nodes.set(busNode.nodePath, node);
    for (const client of this.#clients) client.add(node);
    this.#announce("add", busNode);
  }

  /** A device goes. */
  unplugged(busNode: BusNode, killTransfers: () => void): void {
    if (!this.#isOpen) {
      killTransfers();
      return;
    }
    const node = this.#nodes.get(busNode.nodePath);
    assert(node !== undefined, `${busNode.nodePath} is not there`);
    this.#nodes.delete(busNode.nodePath);
    for (const client of this.#clients) client.hide(busNode);
    node.leave(`${this.#root.path}/node/gone${this.#sequence}`);
    killTransfers();
    for (const client of this.#clients) client.remove(busNode);
    this.#announce("remove", busNode);
    this.#forget(node);
  }

  /** An attribute changed. */
  changed(path: string, content: string): void {
    for (const client of this.#clients) client.change(path, content);
  }

  /** Ends all connections and removes every file. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#observation.stop();
    await Promise.all(
      [...this.#processes].map((process) => process[Symbol.asyncDispose]()),
    );
    const nodes = [...this.#nodes.values(), ...this.#gone];
    await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
    await this.#default[Symbol.asyncDispose]();
    for (const client of this.#clients) client.close();
    this.#libc.symbols.close(this.#ueventSocket);
    this.#root.close();
    this.#libc.close();
  }

  /** Closes the transport at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #announce(action: UeventAction, node: BusNode): void {
    const sequence = ++this.#sequence;
    const { properties } = node;
    const message = encodeUevent({ action, properties, sequence });
    for (const client of this.#clients) {
      client.send(message, this.#ueventSocket, this.#libc);
    }
  }

  #forget(node: PreloadNode): void {
    this.#gone.push(node);
    if (this.#gone.length <= GONE_NODES_MAX) return;
    const index = this.#gone.findIndex((gone) => gone.connections === 0);
    const [oldest] = this.#gone.splice(Math.max(index, 0), 1);
    void oldest?.[Symbol.asyncDispose]();
  }
}
