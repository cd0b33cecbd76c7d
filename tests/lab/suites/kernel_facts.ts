/** A real kernel's usbfs answers as `tests/sim/usbfs_facts.ts` says. */

import { LOOPBACK_REQUEST } from "../../../driver/sim/devices/loopback.ts";
import { USBDEVFS } from "../../../driver/sim/usbfs_constants.ts";
import { assertEquals } from "../../../driver/std.ts";
import { USBFS_FACTS } from "../../sim/usbfs_facts.ts";
import {
  Probe,
  type UsbfsFileUnderTest,
  type UsbfsUnderTest,
} from "../../sim/usbfs_probe.ts";
import { cstring, Libc } from "../../../ffi/linux/libc.ts";
import { ExportedBus } from "./exported_bus.ts";
import { findDevice, until, waitForDevice } from "./sysfs_devices.ts";

const LOOPBACK = "1209:0001";
const AT_FDCWD = -100;
const O_RDWR_CLOEXEC = 0o2000002;
/** How long a look at the kernel waits before the next. */
const PAUSE_MS = 5;

/** An open device node. */
class KernelFile implements UsbfsFileUnderTest {
  readonly #libc: Libc;
  readonly #fd: number;

  constructor(libc: Libc, nodePath: string) {
    this.#libc = libc;
    this.#fd = libc.check("openat", [
      AT_FDCWD,
      cstring(nodePath),
      O_RDWR_CLOEXEC,
      0,
    ]);
  }

  place(bytes: Uint8Array<ArrayBuffer>): bigint {
    return this.#libc.allocate(bytes);
  }

  look(
    address: bigint,
    lengthBytes: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(lengthBytes);
    this.#libc.peek(address, bytes);
    return Promise.resolve(bytes);
  }

  ioctl(
    request: number,
    argument: bigint,
  ): Promise<readonly [number, number]> {
    // May wait for the device, which answers from a worker's thread.
    const result = this.#libc.call("ioctl", [this.#fd, request, argument]);
    return Promise.resolve(result < 0 ? [-1, -result] : [result, 0]);
  }

  pause(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }

  close(): Promise<void> {
    this.#libc.call("close", [this.#fd]);
    return Promise.resolve();
  }
}

const bus = await ExportedBus.start();
Deno.test.afterAll(() => bus.stop());

/** Plugging in takes a second, so a device that is still there is used again. */
let plugged: { readonly id: string; readonly nodePath: string } | undefined;

async function loopback(
  libc: Libc,
): Promise<{ readonly id: string; readonly nodePath: string }> {
  if (plugged !== undefined) {
    const { nodePath } = plugged;
    const file = new KernelFile(libc, nodePath);
    // Selecting the configuration anew ends halts and alternate settings.
    const first = file.place(new Uint8Array([1, 0, 0, 0]));
    await file.ioctl(USBDEVFS.SETCONFIGURATION, first);
    await new Probe(file).vendor(LOOPBACK_REQUEST.restart);
    await file.close();
    return plugged;
  }
  const id = await bus.control.plug("loopback");
  const { nodePath } = await waitForDevice(LOOPBACK);
  return plugged = { id, nodePath };
}

async function ask(
  question: (bus: UsbfsUnderTest) => Promise<unknown>,
): Promise<unknown> {
  using libc = Libc.open("libc.so.6");
  const { id, nodePath } = await loopback(libc);
  return await question({
    open: () => Promise.resolve(new KernelFile(libc, nodePath)),
    unplug: async () => {
      plugged = undefined;
      await bus.control.unplug(id);
      await until("departure", () => findDevice(LOOPBACK) === undefined);
    },
  });
}

for (const { name, ask: question, answer } of USBFS_FACTS) {
  Deno.test(`usbfs, kernel: ${name}`, async () => {
    assertEquals<unknown>(await ask(question), answer);
  });
}
