/**
 * Client processes of a virtual bus, the same for both transports.
 *
 * @module
 */

import type { BusNode, BusObserver } from "../../driver/sim/usbfs_contract.ts";

/** A program to run as a client of a bus. */
export interface ClientCommand {
  /** Looked up in PATH. */
  readonly program: string;
  /** Its arguments. */
  readonly args?: readonly string[];
  /** Added to our own environment, or all of it with `clearEnv`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Leaves our own environment out. */
  readonly clearEnv?: boolean;
  /** Working directory; default: ours. */
  readonly cwd?: string;
  /** Default `inherit`. */
  readonly stdin?: "inherit" | "piped" | "null";
  /** Default `inherit`. */
  readonly stdout?: "inherit" | "piped" | "null";
  /** Default `inherit`. */
  readonly stderr?: "inherit" | "piped" | "null";
}

/** A bus as transports see it: a `VirtualBus`, or a stand-in of a test. */
export interface ObservableBus {
  /** What is plugged in now, root hub first. */
  readonly nodes: readonly BusNode[];
  /** Tells an observer what happens from now on. */
  observe(observer: BusObserver): { stop(): void };
}

/** Shows an observer all that is on a bus, then what happens; gives the way to stop it. */
export function observeAll(
  bus: ObservableBus,
  observer: BusObserver,
): { stop(): void } {
  for (const node of bus.nodes) observer.plugged(node);
  return bus.observe(observer);
}

/** Shows a bus to client processes. */
export interface BusTransport extends BusObserver, AsyncDisposable {
  /** Which one it is. */
  readonly name: "preload" | "notify";
  /** Starts a client. @throws {UsbError} When the transport cannot be had here. */
  spawn(command: ClientCommand): Promise<ClientProcess>;
  /** Ends the clients that still run and removes everything. Twice is a no-op. */
  close(): Promise<void>;
}

/** A running client. Disposing of it kills it. */
export class ClientProcess implements AsyncDisposable {
  /** The process itself, for its streams and id. */
  readonly child: Deno.ChildProcess;
  /** How it ended, when what the bus kept for it is gone as well. */
  readonly status: Promise<Deno.CommandStatus>;

  /** `cleanUp` runs once the process ended. */
  constructor(
    child: Deno.ChildProcess,
    cleanUp: () => void | Promise<void>,
  ) {
    this.child = child;
    this.status = child.status.then(async (status) => {
      await cleanUp();
      return status;
    });
  }

  /** Sends a signal; a no-op when the process ended. */
  kill(signal: Deno.Signal = "SIGTERM"): void {
    try {
      this.child.kill(signal);
    } catch (error) {
      const isGone = error instanceof Deno.errors.NotFound ||
        error instanceof TypeError;
      if (!isGone) throw error;
    }
  }

  /** Everything it prints, and how it ended. Its output streams must be `piped`. */
  async output(): Promise<
    { readonly status: Deno.CommandStatus; readonly text: string }
  > {
    const [stdout, stderr] = await Promise.all([
      new Response(this.child.stdout).text(),
      new Response(this.child.stderr).text(),
    ]);
    return { status: await this.status, text: stdout + stderr };
  }

  /** Kills it and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.status;
  }
}

/** Deno's options for a client, with variables the transport adds. */
export function commandOptions(
  command: ClientCommand,
  environment: Readonly<Record<string, string>>,
): Deno.CommandOptions {
  return {
    env: { ...command.env, ...environment },
    clearEnv: command.clearEnv ?? false,
    stdin: command.stdin ?? "inherit",
    stdout: command.stdout ?? "inherit",
    stderr: command.stderr ?? "inherit",
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
  };
}
