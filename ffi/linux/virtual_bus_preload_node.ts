/**
 * A device node for preloaded clients: the file they poll, and the socket over
 * which their calls on it come.
 *
 * @module
 */

import type {
  Answer,
  BusNode,
  Session,
} from "../../driver/sim/usbfs_contract.ts";
import { ERRNO, type Libc } from "./virtual_bus_libc.ts";
import {
  type DeviceNode,
  makeNode,
  type NodeKind,
} from "./virtual_bus_nodes.ts";
import { tryOpen } from "./virtual_bus_open_files.ts";
import {
  ClientError,
  type PreloadRequest,
  PreloadWire,
} from "./virtual_bus_preload_wire.ts";

/** More than all descriptors of a device; a larger count of a client is cut to it. */
const READ_BYTES_MAX = 1024 * 1024;
/** Open files of one node. The preload ends a client with 50; this is for several of them. */
const CONNECTIONS_MAX = 1024;

/** A call that takes longer waits for its device; then the client may go without a word. */
const LONG_CALL_MS = 50;

/** Where and of what a node is made. */
export interface PreloadNodeOptions {
  /** Has the folders `node` and `ioctl`. */
  readonly directory: string;
  readonly kind: NodeKind;
  readonly libc: Libc;
}

/** One plugged device. */
export class PreloadNode implements AsyncDisposable {
  readonly busNode: BusNode;
  readonly #node: DeviceNode;
  readonly #server: SocketServer;
  #isGone = false;

  /** Makes the node and listens. */
  constructor(busNode: BusNode, options: PreloadNodeOptions) {
    const { directory, kind, libc } = options;
    this.busNode = busNode;
    const node = makeNode(kind, `${directory}/node/${busNode.minor}`, libc);
    this.#node = node;
    const path = `${directory}/ioctl/${busNode.nodePath}`;
    this.#server = new SocketServer(path, {
      serve: (wire) => this.#serve(wire),
      ended: () => this.#closeWhenUnused(),
    });
    busNode.setNodeReadiness({
      setReady: (on) => node.setReady(on),
      hangup: () => node.hangup(),
      // Not yet: a client that still polls a FIFO without us would spin.
      close: () => {},
    });
  }

  /** Open files of clients. */
  get connections(): number {
    return this.#server.connections;
  }

  /** Puts the node into a client's root. */
  linkInto(path: string): void {
    this.#node.link(path);
    // Root opens it nevertheless, as modes do not bind it.
    if (this.busNode.isAccessible === false) Deno.chmodSync(path, 0);
  }

  /**
   * The device leaves: nobody finds the socket any more. Open files stay, as
   * the preload ends a client whose connection breaks.
   */
  leave(away: string): void {
    this.#isGone = true;
    this.#server.moveTo(away);
    this.#closeWhenUnused();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    this.#node.close();
  }

  async #serve(wire: PreloadWire): Promise<void> {
    const session = tryOpen(this.busNode);
    if (session === undefined) throw new ClientError("Too many open files");
    let isOpen = true;
    const end = (): void => {
      if (isOpen) session.closed();
      isOpen = false;
    };
    try {
      for (
        let request = await wire.next();
        request !== undefined;
        request = await wire.next()
      ) {
        const watch = setTimeout(() => wire.watchEnd(end), LONG_CALL_MS);
        const result = await answer(session, request, wire)
          .finally(() => clearTimeout(watch));
        await wire.answer(result);
      }
    } finally {
      end();
    }
  }

  #closeWhenUnused(): void {
    if (this.#isGone && this.connections === 0) this.#node.close();
  }
}

/** Listens for files in /dev that are not ours; without it the preload leaks a descriptor for each. */
export function serveDefault(path: string): AsyncDisposable {
  return new SocketServer(path, {
    serve: async (wire) => {
      while (await wire.next() !== undefined) await wire.runInClient();
    },
    ended: () => {},
  });
}

async function answer(
  session: Session,
  request: PreloadRequest,
  wire: PreloadWire,
): Promise<Answer> {
  const { kind, first, second } = request;
  if (kind === "ioctl") {
    return await session.ioctl(Number(first & 0xffffffffn), second, wire);
  }
  if (kind === "write") return [-1, ERRNO.EINVAL];
  const count = second > READ_BYTES_MAX ? READ_BYTES_MAX : Number(second);
  const data = session.read(count);
  wire.poke(first, data);
  return [data.length, 0];
}

interface SocketHandlers {
  /** Serves one connection to its end. */
  serve(wire: PreloadWire): Promise<void>;
  /** One connection is over. */
  ended(): void;
}

/** A Unix socket and its connections. What a client does wrong ends its connection only. */
class SocketServer implements AsyncDisposable {
  readonly #listener: Deno.UnixListener;
  readonly #wires = new Map<PreloadWire, Promise<void>>();
  readonly #accepting: Promise<void>;
  readonly #handlers: SocketHandlers;
  #path: string;

  constructor(path: string, handlers: SocketHandlers) {
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    this.#path = path;
    this.#handlers = handlers;
    this.#listener = Deno.listen({ transport: "unix", path });
    this.#accepting = this.#accept();
  }

  get connections(): number {
    return this.#wires.size;
  }

  moveTo(path: string): void {
    Deno.renameSync(this.#path, path);
    this.#path = path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    for (const wire of this.#wires.keys()) wire.close();
    await Promise.all(this.#wires.values());
  }

  async #accept(): Promise<void> {
    try {
      for await (const connection of this.#listener) {
        const wire = new PreloadWire(connection);
        if (this.#wires.size >= CONNECTIONS_MAX) wire.close();
        else this.#wires.set(wire, this.#run(wire));
      }
    } catch (error) {
      if (!isEnd(error)) throw error;
    }
  }

  async #run(wire: PreloadWire): Promise<void> {
    try {
      await this.#handlers.serve(wire);
    } catch (error) {
      if (!isEnd(error)) throw error;
    } finally {
      const isOurs = this.#wires.delete(wire);
      if (isOurs) closeQuietly(wire);
      this.#handlers.ended();
    }
  }
}

/** Whether an error only says that the other side, or we, ended the connection. */
function isEnd(error: unknown): boolean {
  return [
    ClientError,
    Deno.errors.BadResource,
    Deno.errors.BrokenPipe,
    Deno.errors.ConnectionReset,
    Deno.errors.Interrupted,
    Deno.errors.UnexpectedEof,
  ].some((known) => error instanceof known);
}

function closeQuietly(wire: PreloadWire): void {
  try {
    wire.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
