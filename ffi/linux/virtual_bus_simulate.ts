/**
 * Runs any libusb program against virtual devices.
 *
 * @module
 */

import { UsbError } from "../../driver/errors.ts";
import type { Clock } from "../../driver/loop/clock.ts";
import { seededRandom, VirtualBus } from "../../driver/sim/virtual_bus.ts";
import type { VirtualDevice } from "../../driver/sim/virtual_device.ts";
import {
  isNotifyAvailable,
  isPreloadAvailable,
} from "./virtual_bus_available.ts";
import { SystemClock } from "./virtual_bus_clock.ts";
import { type NotifyOptions, NotifyTransport } from "./virtual_bus_notify.ts";
import type { NodeKind } from "./virtual_bus_nodes.ts";
import { PreloadTransport } from "./virtual_bus_preload.ts";
import type {
  BusTransport,
  ClientProcess,
  ObservableBus,
} from "./virtual_bus_process.ts";

/** How real programs reach a bus. */
export type TransportName = "preload" | "notify";

/** Which transport, and its options. */
export interface TransportOptions {
  /**
   * `preload` works wherever umockdev is installed, for programs that call the
   * C library dynamically; `notify` needs user namespaces and reaches all.
   * Default: `preload` where it is available, else `notify`.
   */
  readonly transport?: TransportName;
  /** Kind of the nodes of `preload`; default `fifo`. */
  readonly node?: NodeKind;
  /** For `notify`. */
  readonly notify?: NotifyOptions;
}

/** What to simulate. */
export interface SimulateOptions extends TransportOptions {
  /** Devices to plug in, to ports 1, 2, and so on. */
  readonly devices: readonly VirtualDevice[];
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Seed of the devices' chance; default 1. */
  readonly seed?: number;
}

/**
 * Runs a program that uses libusb, on a bus with these devices, with our
 * standard streams. Gives its exit code, 128 plus the number for a signal.
 * SIGTERM and SIGHUP are passed on to it; SIGINT too, unless a terminal sends
 * it to both of us anyway.
 *
 * @throws {RangeError} When there is no command.
 * @throws {UsbError} `notSupported` with the reason, when the transport cannot
 *   be had here; `notFound` when the program is not there.
 */
export async function simulate(options: SimulateOptions): Promise<number> {
  const [program, ...args] = options.command;
  if (program === undefined) throw new RangeError("Which program to run?");
  const bus = new VirtualBus({
    clock: options.clock ?? new SystemClock(),
    random: seededRandom(options.seed ?? 1),
  });
  for (const device of options.devices) bus.plug(device);
  try {
    await using transport = await showBus(bus, options);
    await using client = await spawned(transport, program, args);
    using _signals = passSignals(client);
    return (await client.status).code;
  } finally {
    bus.close();
  }
}

/**
 * Shows a bus to real programs until the transport is closed.
 *
 * @throws {UsbError} `notSupported`, with the reason in words.
 */
export async function showBus(
  bus: ObservableBus,
  options: TransportOptions = {},
): Promise<BusTransport> {
  const { transport, node, notify } = options;
  const preload = transport === "notify"
    ? undefined
    : await isPreloadAvailable();
  if (preload?.isAvailable) {
    return new PreloadTransport(bus, node === undefined ? {} : { node });
  }
  const other = transport === "preload" ? undefined : await isNotifyAvailable();
  if (other?.isAvailable) return new NotifyTransport(bus, notify);
  const reasons = [preload, other].flatMap((answer) =>
    answer === undefined || answer.isAvailable ? [] : [answer.reason]
  );
  throw new UsbError({
    code: "notSupported",
    operation: "show a virtual bus to programs",
    reason: reasons.join(" "),
  });
}

async function spawned(
  transport: BusTransport,
  program: string,
  args: readonly string[],
): Promise<ClientProcess> {
  try {
    return await transport.spawn({ program, args });
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new UsbError({
      code: "notFound",
      operation: `run ${program}`,
      reason: "there is no such program",
      cause,
    });
  }
}

/** Passes signals of ours on to a client until it is disposed of. */
function passSignals(client: ClientProcess): Disposable {
  const isFromTerminal = Deno.stdin.isTerminal();
  const listeners = (["SIGTERM", "SIGHUP", "SIGINT"] as const)
    .map((signal) => {
      const listener = (): void => {
        if (signal !== "SIGINT" || !isFromTerminal) client.kill(signal);
      };
      Deno.addSignalListener(signal, listener);
      return { signal, listener };
    });
  return {
    [Symbol.dispose](): void {
      for (const { signal, listener } of listeners) {
        Deno.removeSignalListener(signal, listener);
      }
    },
  };
}
