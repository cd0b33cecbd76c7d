/** What the tests of the virtual bus's transports share. */

import { VirtualBus } from "../../driver/sim/virtual_bus.ts";
import { seededRandom } from "../../driver/sim/virtual_bus.ts";
import type { VirtualDevice } from "../../driver/sim/virtual_device.ts";
import {
  type Availability,
  type BusTransport,
  type ClientProcess,
  isNotifyAvailable,
  isPreloadAvailable,
  showBus,
  SystemClock,
  type TransportName,
  type TransportOptions,
} from "../../ffi/linux/testing.ts";

/** Debian's, which has the packages. */
export const PYTHON = "/usr/bin/python3";

const AVAILABLE: Readonly<Record<TransportName, Availability>> = {
  preload: await isPreloadAvailable(),
  notify: await isNotifyAvailable(),
};

/** Registers a test of one transport; ignored, with the reason in its name, where that cannot be had. */
export function testOn(
  transport: TransportName,
  name: string,
  run: () => Promise<void>,
): void {
  const answer = AVAILABLE[transport];
  Deno.test({
    name: answer.isAvailable
      ? `Virtual bus (${transport}): ${name}`
      : `Virtual bus (${transport}): ${name} [not run: ${answer.reason}]`,
    ignore: !answer.isAvailable,
    fn: run,
  });
}

/** A bus that real programs see. */
export interface ShownBus extends AsyncDisposable {
  readonly bus: VirtualBus;
  readonly transport: BusTransport;
  /** Starts a command of `peer_client.py`, its streams piped. */
  peer(...args: string[]): Promise<ClientProcess>;
}

/** Shows a bus with devices. */
export async function shownBus(
  options: TransportOptions,
  ...devices: VirtualDevice[]
): Promise<ShownBus> {
  const clock = new SystemClock();
  const bus = new VirtualBus({ clock, random: seededRandom(1) });
  for (const device of devices) bus.plug(device);
  const transport = await showBus(bus, options);
  const script = new URL("./peer_client.py", import.meta.url).pathname;
  return {
    bus,
    transport,
    peer: (...args) =>
      transport.spawn({
        program: PYTHON,
        args: [script, ...args],
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }),
    async [Symbol.asyncDispose](): Promise<void> {
      await transport.close();
      bus.close();
    },
  };
}

/** Lines a process prints, one at a time. */
export class Lines {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #rest = "";

  /** Takes the stream over. */
  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The next line; `undefined` at the end. */
  async next(): Promise<string | undefined> {
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#reader.read();
      if (done) return undefined;
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return line;
  }
}
