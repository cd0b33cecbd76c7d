/** The emulation answers as a Linux kernel does: `deno task lab` asks that one. */

import type { ClientMemory, Session } from "../../driver/sim/usbfs_contract.ts";
import { assertEquals } from "../../driver/std.ts";
import { makeBench, type UsbfsBench } from "./usbfs_client.ts";
import { USBFS_FACTS } from "./usbfs_facts.ts";
import type { UsbfsFileUnderTest, UsbfsUnderTest } from "./usbfs_probe.ts";

/** Addresses of the client's memory begin here. */
const BASE = 0x1000n;

/** An open file of the emulation, and a client's memory. */
class EmulatedFile implements UsbfsFileUnderTest, ClientMemory {
  readonly #session: Session;
  readonly #bench: UsbfsBench;
  readonly #blocks = new Map<bigint, Uint8Array<ArrayBuffer>>();
  #next = BASE;

  constructor(session: Session, bench: UsbfsBench) {
    this.#session = session;
    this.#bench = bench;
  }

  place(bytes: Uint8Array<ArrayBuffer>): bigint {
    const address = this.#next;
    this.#next += BigInt(bytes.length + 64);
    this.#blocks.set(address, bytes);
    return address;
  }

  look(
    address: bigint,
    lengthBytes: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    return this.peek(address, lengthBytes);
  }

  peek(
    address: bigint,
    lengthBytes: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const [bytes, at] = this.#find(address);
    return Promise.resolve(bytes.slice(at, at + lengthBytes));
  }

  poke(address: bigint, data: Uint8Array): void {
    const [bytes, at] = this.#find(address);
    bytes.set(data, at);
  }

  async ioctl(
    request: number,
    argument: bigint,
  ): Promise<readonly [number, number]> {
    return await this.#session.ioctl(request, argument, this);
  }

  async pause(): Promise<void> {
    await this.#bench.clock.advance(10);
  }

  close(): Promise<void> {
    this.#session.closed();
    return Promise.resolve();
  }

  #find(address: bigint): [Uint8Array<ArrayBuffer>, number] {
    for (const [start, bytes] of this.#blocks) {
      const at = Number(address - start);
      if (at >= 0 && at < Math.max(1, bytes.length)) return [bytes, at];
    }
    throw new Error(`Bad address ${address}`);
  }
}

function emulated(): UsbfsUnderTest {
  const bench = makeBench();
  const plugged = bench.bus.find(bench.device);
  return {
    open: () => {
      if (plugged === undefined) throw new Error("Not plugged in");
      return Promise.resolve(new EmulatedFile(plugged.open(), bench));
    },
    unplug: () => {
      bench.bus.unplug(bench.device);
      return Promise.resolve();
    },
  };
}

for (const { name, ask, answer } of USBFS_FACTS) {
  Deno.test(`usbfs, emulated: ${name}`, async () => {
    assertEquals(await ask(emulated()), answer);
  });
}
