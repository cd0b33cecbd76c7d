/**
 * Transport B of the virtual bus: a client runs in namespaces that show it the
 * bus's `/sys`, under a seccomp filter that hands its opens of device nodes,
 * and what it does with them, to us. Reaches static programs, raw system calls
 * and a sandboxed driver on an inherited descriptor. Needs unprivileged user
 * namespaces and Linux 5.14.
 *
 * @module
 */

import { assert } from "../../driver/assert.ts";
import { UsbError } from "../../driver/errors.ts";
import { START_TIMEOUT_MS } from "../../driver/limits.ts";
import { within } from "../../driver/loop/within.ts";
import type { BusNode } from "../../driver/sim/usbfs_contract.ts";
import { type Abi, abiOf } from "./virtual_bus_abi.ts";
import { adoptDescriptors } from "./virtual_bus_adoption.ts";
import { ERRNO, errnoName } from "./errno.ts";
import { HELLO_BYTES, REFUSAL_BYTES } from "./virtual_bus_launch.ts";
import { SystemClock } from "./virtual_bus_clock.ts";
import { type Libc, openLibc } from "./virtual_bus_libc.ts";
import { NotificationListener } from "./virtual_bus_listener.ts";
import { Notifier } from "./virtual_bus_notifier.ts";
import {
  type BusTransport,
  type ClientCommand,
  ClientProcess,
  commandOptions,
  type ObservableBus,
  observeAll,
} from "./virtual_bus_process.ts";
import { TemporaryRoot } from "./virtual_bus_root.ts";
import { BusTree } from "./virtual_bus_tree.ts";
import { encodeUevent, type UeventAction } from "./virtual_bus_uevent.ts";

/** How to show a bus by seccomp notification. */
export interface NotifyOptions {
  /**
   * How long to wait for the next call on the event loop's own thread after
   * each answer, in microseconds. Trades processor time of this process for a
   * third of the latency. 0 to LINGER_US_MAX, default 100.
   */
  readonly lingerUs?: number;
  /**
   * The command that calls `becomeClient` with its arguments DOOR, SYS and the
   * client's command; for programs that do not run from source.
   */
  readonly launcher?: readonly string[];
  /** From the start of a launcher to its client's. Default START_TIMEOUT_MS. */
  readonly launchTimeoutMs?: number;
}

/** Longer, and timers of this process would be late. */
export const LINGER_US_MAX = 1000;
const LINGER_US = 100;

/** A client and what the bus has of it. */
interface Peer {
  readonly notifier: Notifier;
  readonly netlink: number;
  readonly process: ClientProcess;
}

/** A bus as clients under a seccomp filter see it. Closing twice is a no-op. */
export class NotifyTransport implements BusTransport {
  /** Which transport this is. */
  readonly name = "notify";
  readonly #abi: Abi;
  readonly #libc: Libc;
  readonly #root: TemporaryRoot;
  readonly #tree: BusTree;
  readonly #lingerUs: number;
  readonly #launcher: readonly string[];
  readonly #launchTimeoutMs: number;
  readonly #nodes = new Map<string, BusNode>();
  readonly #peers = new Set<Peer>();
  #doors = 0;
  #sequence = 0;
  readonly #observation: { stop(): void };
  #isOpen = true;

  /**
   * Shows a bus from now on.
   *
   * @throws {RangeError} When `lingerUs` is out of range.
   * @throws {UsbError} `notSupported`, `access`, `library`.
   */
  constructor(bus: ObservableBus, options: NotifyOptions = {}) {
    const lingerUs = options.lingerUs ?? LINGER_US;
    if (!(lingerUs >= 0 && lingerUs <= LINGER_US_MAX)) {
      throw new RangeError(
        `Cannot linger for ${lingerUs} us: it must be 0 to ${LINGER_US_MAX}`,
      );
    }
    this.#abi = abiOf(Deno.build.arch);
    this.#lingerUs = lingerUs;
    this.#launcher = options.launcher ?? sourceLauncher();
    this.#launchTimeoutMs = options.launchTimeoutMs ?? START_TIMEOUT_MS;
    this.#libc = openLibc();
    this.#root = TemporaryRoot.create();
    this.#tree = new BusTree(this.#root.path);
    this.#observation = observeAll(bus, this);
  }

  /** Open files of all clients. */
  get openFiles(): number {
    return [...this.#peers]
      .reduce((sum, peer) => sum + peer.notifier.openFiles, 0);
  }

  /**
   * Starts a client in its namespaces.
   *
   * @throws {UsbError} `notSupported`, `access`, with the reason; `timedOut` for a
   *   launcher that hangs, which is killed.
   */
  async spawn(command: ClientCommand): Promise<ClientProcess> {
    assert(this.#isOpen, "The transport is closed");
    const path = `${this.#root.path}/door${++this.#doors}`;
    const door = Deno.listen({ transport: "unix", path });
    const [program = "", ...launcher] = this.#launcher;
    const sys = `${this.#root.path}/sys`;
    const args = ["-rmn", program, ...launcher, path, sys, command.program];
    const environment = {
      // Without it libudev discards uevents of devices it cannot check.
      SYSTEMD_DEVICE_VERIFY_SYSFS: "0",
      // Nodes can be opened here and not looked at; whoever explains them asks for it.
      DRIVERSPACE_VIRTUAL_BUS: "notify",
    };
    const child = new Deno.Command("unshare", {
      args: [...args, ...(command.args ?? [])],
      ...commandOptions(command, environment),
    }).spawn();
    const timeoutMs = this.#launchTimeoutMs;
    const promise = this.#welcome(door, child, command.program);
    try {
      const client = await within(new SystemClock(), { timeoutMs, promise });
      if (client !== undefined) return client;
      throw launchTimedOut(command.program, timeoutMs);
    } catch (error) {
      // Not waited for: what hangs may hang even when it is killed.
      new ClientProcess(child, () => {}).kill("SIGKILL");
      throw error;
    } finally {
      door.close();
    }
  }

  /** A device came. */
  plugged(node: BusNode): void {
    if (!this.#isOpen) return;
    this.#nodes.set(node.nodePath, node);
    this.#tree.add(node);
    this.#announce("add", node);
  }

  /** A device goes. */
  unplugged(node: BusNode, killTransfers: () => void): void {
    this.#nodes.delete(node.nodePath);
    killTransfers();
    if (!this.#isOpen) return;
    this.#tree.remove(node);
    this.#announce("remove", node);
  }

  /** An attribute changed. */
  changed(path: string, content: string): void {
    if (this.#isOpen) this.#tree.change(path, content);
  }

  /** Ends the clients that still run and removes everything. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#observation.stop();
    const processes = [...this.#peers].map((peer) => peer.process);
    await Promise.all(
      processes.map((process) => process[Symbol.asyncDispose]()),
    );
    this.#root.close();
    this.#libc.close();
  }

  /** Closes the transport at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #welcome(
    door: Deno.UnixListener,
    child: Deno.ChildProcess,
    program: string,
  ): Promise<ClientProcess> {
    using connection = await firstOf(door, child, program);
    return await this.#adopt(child, connection);
  }

  /** Takes the client's descriptors, begins to serve it and lets it start. */
  async #adopt(
    child: Deno.ChildProcess,
    connection: Deno.UnixConn,
  ): Promise<ClientProcess> {
    const hello = new DataView(await readExactly(connection, HELLO_BYTES));
    let hasEnded = false;
    void child.status.then(() => hasEnded = true);
    const taken = await adoptDescriptors(this.#libc, {
      process: hello.getInt32(0, true),
      netlink: hello.getInt32(4, true),
      hasEnded: () => hasEnded,
    });
    if (taken === "no-listener") throw await filterRefused(connection);
    if (taken === "not-ours") {
      throw refused(
        "the kernel does not let us take the listener over",
        "Where ptrace is restricted, allow it of one's own processes",
      );
    }
    const notifier = new Notifier({
      abi: this.#abi,
      libc: this.#libc,
      listener: new NotificationListener(
        this.#libc,
        taken.listener,
        this.#lingerUs,
      ),
      nodeAt: (path) => this.#nodes.get(path),
      lingers: this.#lingerUs > 0,
    });
    const running = notifier.run();
    const peer: Peer = {
      notifier,
      netlink: taken.netlink,
      process: new ClientProcess(child, async () => {
        notifier.stop();
        await running;
        this.#peers.delete(peer);
        this.#libc.symbols.close(taken.netlink);
      }),
    };
    this.#peers.add(peer);
    await connection.write(new Uint8Array(1));
    return peer.process;
  }

  /** Multicasts in the network namespace of each client, as udevd does. */
  #announce(action: UeventAction, node: BusNode): void {
    const sequence = ++this.#sequence;
    const { properties } = node;
    const message = encodeUevent({ action, properties, sequence });
    const [AF_NETLINK, UDEV_GROUP, MSG_DONTWAIT] = [16, 2, 0x40];
    const address = new Uint8Array(new ArrayBuffer(12)); // struct sockaddr_nl
    address[0] = AF_NETLINK;
    address[8] = UDEV_GROUP;
    for (const { netlink } of this.#peers) {
      // SAFETY: both buffers are ours, with their lengths.
      this.#libc.symbols.sendto(
        netlink,
        message,
        BigInt(message.length),
        MSG_DONTWAIT,
        address,
        address.length,
      );
    }
  }
}

/** The launching half as a program of its own, run from source. */
function sourceLauncher(): string[] {
  const script = new URL("./virtual_bus_launch.ts", import.meta.url);
  const flags = ["--quiet", "--no-prompt", "--no-config", "--no-lock"];
  return [
    Deno.execPath(),
    "run",
    ...flags,
    "--cached-only",
    "--allow-all",
    script.href,
  ];
}

/** The launcher's connection. Without namespaces it ends before it connects. */
async function firstOf(
  door: Deno.UnixListener,
  child: Deno.ChildProcess,
  program: string,
): Promise<Deno.UnixConn> {
  const connection = door.accept();
  const first = await Promise.race([connection, child.status]);
  if ("code" in first) {
    connection.catch(() => {});
    throw notSupported(
      `the launcher of ${program} ended with exit code ${first.code}`,
    );
  }
  return first;
}

async function readExactly(
  connection: Deno.Conn,
  lengthBytes: number,
): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(lengthBytes);
  for (let at = 0; at < lengthBytes;) {
    const count = await connection.read(bytes.subarray(at));
    if (count === null) throw notSupported("the launcher ended");
    at += count;
  }
  return bytes.buffer;
}

const START = "start a client of the virtual bus by seccomp notification";

/** What a launcher that ended without a filter said of it last, if it could. */
async function filterRefused(connection: Deno.Conn): Promise<UsbError> {
  let errno = 0;
  try {
    const word = new DataView(await readExactly(connection, REFUSAL_BYTES));
    errno = word.getInt32(0, true);
  } catch {
    // It was killed, say: no word of it either.
  }
  const why = errno === 0 ? "" : `: ${errnoName(errno)}`;
  return refused(
    `the kernel refused a filter with a listener${why}`,
    errno === ERRNO.EBUSY
      ? "A client of such a bus cannot show another one: start it outside of that"
      : "Use a kernel with CONFIG_SECCOMP_FILTER; in a container, one whose own profile allows seccomp",
  );
}

function refused(reason: string, advice: string): UsbError {
  return new UsbError({ code: "access", operation: START, reason, advice });
}

function launchTimedOut(program: string, timeoutMs: number): UsbError {
  return new UsbError({
    code: "timedOut",
    operation: `start ${program} as a client of the virtual bus`,
    reason: `its launcher did not report within ${timeoutMs} ms`,
    advice: "Try again; the machine may be too busy",
  });
}

function notSupported(reason: string): UsbError {
  return new UsbError({
    code: "notSupported",
    operation: START,
    reason,
    advice:
      "It needs unprivileged user namespaces and Linux 5.14; use the preload transport otherwise",
  });
}
