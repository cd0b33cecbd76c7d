/**
 * What WebUSB promises, with the real libusb: run beside a loopback device, whose
 * own vendor requests make it stall, babble and leave. Prints one line of JSON
 * for each check: its name, and why it failed if it did.
 */

import { LibusbPort } from "../../../ffi/libusb_port.ts";
import { pattern } from "../../../driver/sim/devices/loopback.ts";
import type { FaultRule } from "../../../driver/sim/faults.ts";
import { USBDEVFS } from "../../../driver/sim/usbfs_constants.ts";
import { assert, assertEquals, fail } from "../../../driver/std.ts";
import {
  createWebUsb,
  type USB,
  type USBDevice,
} from "../../../driver/web/webusb.ts";
import { bytesIn, nameOf, sample, vendor } from "../bench.ts";

const filters = [{ vendorId: 0x1209, productId: 1 }];

type Check = (device: USBDevice, usb: USB) => Promise<void>;

const CHECKS: Readonly<Record<string, Check>> = {
  "control, bulk and interrupt transfers carry their data": async (device) => {
    await device.controlTransferOut(vendor("memory", 9), sample(40));
    const memory = await device.controlTransferIn(vendor("memory", 9), 40);
    assertEquals(bytesIn(memory.data), sample(40));
    assertEquals(memory.data?.buffer.byteLength, 40, "a buffer of its own");
    await device.transferOut(1, sample(700));
    const bulk = await device.transferIn(1, 1024);
    assertEquals(bytesIn(bulk.data), sample(700));
    await device.controlTransferOut(vendor("report"));
    assertEquals((await device.transferIn(2, 8)).data?.byteLength, 8);
  },
  "a stall resolves; clearHalt recovers": async (device) => {
    const control = await device.controlTransferIn(vendor("memory", 0xfff0), 9);
    assertEquals([control.status, control.data?.byteLength], ["stall", 0]);
    await device.controlTransferOut(vendor("halt", 0, 0x81));
    assertEquals((await device.transferIn(1, 64)).status, "stall");
    await device.clearHalt("in", 1);
    await device.transferOut(1, sample(3));
    assertEquals((await device.transferIn(1, 64)).data?.byteLength, 3);
  },
  "babble resolves; a bus error is NetworkError": async (device) => {
    await inject(device, { endpoint: 0x83, fault: { kind: "babble" } });
    assertEquals((await device.transferIn(3, 64)).status, "babble");
    const fault = { kind: "status", errno: "PROTO" } as const;
    await inject(device, { endpoint: 0x83, fault });
    assertEquals(await endingOf(device.transferIn(3, 64)), "NetworkError");
  },
  "zero-length and short transfers resolve ok": async (device) => {
    for (const lengthBytes of [0, 1, 512]) {
      await device.transferOut(1, sample(lengthBytes));
      const { status, data } = await device.transferIn(1, 512);
      assertEquals([status, data?.byteLength], ["ok", lengthBytes]);
    }
  },
  "64 queued reads complete in order": async (device) => {
    const done: number[] = [];
    const reads = Array.from({ length: 64 }, async (_, at) => {
      const { data } = await device.transferIn(3, 1024);
      done.push(at);
      return [...bytesIn(data)];
    });
    const all = await Promise.all(reads);
    assertEquals(done, [...all.keys()]);
    assertEquals(Uint8Array.from(all.flat()), pattern(0, 64 * 1024));
  },
  "isochronous both ways, more packets than the kernel takes": async (
    device,
  ) => {
    await device.claimInterface(1);
    await device.selectAlternateInterface(1, 1);
    const lengths = Array<number>(150).fill(32);
    const read = await device.isochronousTransferIn(4, lengths);
    assertEquals(read.packets.length, 150);
    assertEquals(read.data?.byteLength, 150 * 32);
    assert(read.packets.every((p) => p.status === "ok"));
    const sent = await device.isochronousTransferOut(
      4,
      sample(150 * 32),
      lengths,
    );
    assertEquals(sent.packets.length, 150);
  },
  "close() aborts what is in flight; open() works again": async (device) => {
    const reads = [1, 2, 3].map(() => endingOf(device.transferIn(1, 512)));
    const unheard = device.transferIn(2, 8);
    await later(50);
    await device.close();
    assertEquals(await Promise.all(reads), Array(3).fill("AbortError"));
    assert(unheard instanceof Promise);
    assertEquals(device.opened, false);
    await device.open();
    await device.claimInterface(0);
    assertEquals((await device.transferIn(3, 8)).status, "ok");
  },
  "release, alternate, configuration and reset abort": async (device) => {
    const changes: readonly (() => Promise<unknown>)[] = [
      () => device.releaseInterface(0),
      () => device.selectAlternateInterface(0, 0),
      () => device.reset(),
      () => device.selectConfiguration(2),
    ];
    for (const change of changes) {
      await device.claimInterface(0);
      const read = endingOf(device.transferIn(1, 512));
      await later(20);
      await change();
      assertEquals(await read, "AbortError");
    }
    await device.claimInterface(0);
    await device.transferOut(1, sample(4));
    assertEquals((await device.transferIn(1, 64)).data?.byteLength, 4);
    await device.selectConfiguration(1);
  },
  "a signal and a time limit end one transfer": async (device) => {
    const stop = new AbortController();
    const stopped = endingOf(
      device.transferIn(1, 64, { signal: stop.signal }),
    );
    const limited = endingOf(device.transferIn(2, 8, { timeoutMs: 40 }));
    await later(20);
    stop.abort();
    assertEquals([await stopped, await limited], [
      "AbortError",
      "TimeoutError",
    ]);
  },
  "what the system refuses is NetworkError, and can be tried again": async (
    device,
  ) => {
    const calls: readonly [number[], () => Promise<unknown>][] = [
      [
        [USBDEVFS.CLAIMINTERFACE, USBDEVFS.DISCONNECT_CLAIM],
        () => device.claimInterface(1),
      ],
      [[USBDEVFS.SETINTERFACE], () => device.selectAlternateInterface(0, 1)],
      [[USBDEVFS.CLEAR_HALT], () => device.clearHalt("in", 1)],
      [[USBDEVFS.RESET], () => device.reset()],
      [[USBDEVFS.SETCONFIGURATION], () => device.selectConfiguration(2)],
    ];
    for (const [ioctls, call] of calls) {
      const fault = { kind: "status", errno: "IO" } as const;
      for (const ioctl of ioctls) await inject(device, { ioctl, fault });
      assertEquals(await endingOf(call()), "NetworkError", String(call));
      await device.controlTransferOut(vendor("fault", 1));
      await device.claimInterface(0);
      if (
        device.configuration?.interfaces[0]?.alternate.alternateSetting === 1
      ) {
        await device.selectAlternateInterface(0, 0);
      }
    }
    await device.transferOut(1, sample(4));
    assertEquals((await device.transferIn(1, 64)).data?.byteLength, 4);
  },
  "preconditions hold": async (device) => {
    assertEquals(await endingOf(device.transferIn(9, 8)), "NotFoundError");
    assertEquals(await endingOf(device.transferIn(16, 8)), "IndexSizeError");
    assertEquals(await endingOf(device.claimInterface(7)), "NotFoundError");
    const pending = device.claimInterface(1);
    assertEquals(await endingOf(device.close()), "InvalidStateError");
    await pending;
  },
  "unplug: in flight NetworkError, events, permission over replug": async (
    device,
    usb,
  ) => {
    const heard: string[] = [];
    const back = Promise.withResolvers<USBDevice>();
    usb.ondisconnect = (event) => {
      heard.push(`disconnect ${event.device === device}`);
    };
    usb.onconnect = (event) => {
      heard.push("connect");
      back.resolve(event.device);
    };
    await later(50);
    const reads = [1, 2].map(() => endingOf(device.transferIn(1, 512)));
    await device.controlTransferOut(vendor("leave", 2, 20));
    assertEquals(await Promise.all(reads), ["NetworkError", "NetworkError"]);
    const again = await back.promise;
    assertEquals(heard, ["disconnect true", "connect"]);
    assert(again !== device);
    assertEquals(device.opened, false);
    assertEquals(await endingOf(device.open()), "NotFoundError");
    await again.open();
    await again.claimInterface(0);
    assertEquals((await again.transferIn(3, 8)).status, "ok");
    await again.close();
    usb.onconnect = null;
    usb.ondisconnect = null;
  },
};

/** Checks that open devices of their own. */
const OTHER_CHECKS: Readonly<Record<string, (usb: USB) => Promise<void>>> = {
  "sparse interface and alternate numbers": async (usb) => {
    const device = await usb.requestDevice({
      filters: [{ vendorId: 0x1209, productId: 0xf0 }],
    });
    await device.open();
    assertEquals(device.configuration?.configurationValue, 3);
    await device.claimInterface(2);
    await device.selectAlternateInterface(2, 4);
    assertEquals((await device.transferOut(9, sample(3))).bytesWritten, 3);
    assertEquals(
      await endingOf(device.transferOut(7, sample(3))),
      "NotFoundError",
    );
    const [, second] = device.configuration?.interfaces ?? [];
    assertEquals(second?.alternate.alternateSetting, 4);
  },
  "an interface without setting 0 begins with its first": async (usb) => {
    const device = await usb.requestDevice({
      filters: [{ vendorId: 0x1209, productId: 0xf2 }],
    });
    await device.open();
    await device.claimInterface(0);
    const [one] = device.configuration?.interfaces ?? [];
    assertEquals(one?.alternate.alternateSetting, 1);
    assertEquals((await device.transferOut(1, sample(3))).bytesWritten, 3);
    await device.selectAlternateInterface(0, 3);
    assertEquals((await device.transferOut(2, sample(3))).bytesWritten, 3);
  },
  "names of configurations and interfaces are read at open()": async (usb) => {
    const device = await usb.requestDevice({
      filters: [{ vendorId: 0x1209, productId: 0xf1 }],
    });
    await device.open();
    const { configuration } = device;
    assertEquals(configuration?.configurationName, "Main");
    const [first] = configuration?.interfaces ?? [];
    assertEquals(first?.alternate.interfaceName, "Control");
  },
  "a device no kernel driver gives up is NetworkError to who refuses":
    async () => {
      await using usb = createWebUsb({ port, kernelDriver: "refuse" });
      const device = await usb.requestDevice({
        filters: [{ vendorId: 0x1209, productId: 3 }],
      });
      await device.open();
      assertEquals(await endingOf(device.claimInterface(0)), "NetworkError");
      await device.close();
      await using able = createWebUsb({ port });
      const same = await able.requestDevice({
        filters: [{ vendorId: 0x1209, productId: 3 }],
      });
      await same.open();
      assertEquals(await endingOf(same.claimInterface(0)), "ok");
    },
};

await using port = await LibusbPort.open();
for (const [name, check] of Object.entries(OTHER_CHECKS)) {
  await report(name, async () => {
    await using usb = createWebUsb({ port });
    await check(usb);
  });
}
for (const [name, check] of Object.entries(CHECKS)) {
  await report(name, () => onLoopback(check));
}

async function report(name: string, run: () => Promise<void>): Promise<void> {
  const limit = Promise.withResolvers<never>();
  const timer = setTimeout(() => limit.reject(new Error("too long")), 20_000);
  let failure: string | undefined;
  try {
    await Promise.race([run(), limit.promise]);
  } catch (error) {
    failure = error instanceof Error ? error.stack : String(error);
  } finally {
    clearTimeout(timer);
  }
  console.log(JSON.stringify({ name, failure }));
}

async function onLoopback(check: Check): Promise<void> {
  await using usb = createWebUsb({ port });
  const device = await usb.requestDevice({ filters });
  await device.open();
  await device.controlTransferOut(vendor("restart"));
  await device.controlTransferOut(vendor("fault", 1));
  await device.claimInterface(0);
  await check(device, usb);
}

async function inject(device: USBDevice, rule: FaultRule): Promise<void> {
  const text = new TextEncoder().encode(JSON.stringify(rule));
  const { status } = await device.controlTransferOut(vendor("fault"), text);
  if (status !== "ok") fail("The fault is refused");
}

function endingOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => "ok", nameOf);
}

function later(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
