/** What becomes of a device's settings when something changes: sections 3.3 and 4. */

import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { assert, assertEquals, fail } from "../../driver/std.ts";
import type { USBDevice } from "../../driver/web/webusb.ts";
import { nameOf, type Row, sample, WebBench } from "./bench.ts";
import {
  bulkPair,
  DescribedDevice,
  noSettingZero,
  sparseDevice,
} from "./devices/described_device.ts";

export const LIFE_ROWS: readonly Row[] = [
  row(
    "3.3",
    "close(): interfaces released, alternates 0, opened false; open() again works",
    async () => {
      await using bench = new WebBench();
      const { device } = await bench.loopback([0, 1]);
      await bench.within(device.selectAlternateInterface(0, 1));
      await bench.within(device.close());
      assertEquals([device.opened, settings(device)], [false, "0:0 1:0"]);
      await bench.within(device.open());
      assertEquals([device.opened, settings(device)], [true, "0:0 1:0"]);
      await bench.within(device.claimInterface(0));
      assertEquals(settings(device), "0:0* 1:0");
    },
  ),
  row(
    "3.3",
    "selectConfiguration(): all unclaimed; the current one is left as it is",
    async () => {
      await using bench = new WebBench();
      const virtual = new DescribedDevice({
        configurations: [1, 2].map((value) => ({
          value,
          faces: [{ number: 0, endpoints: bulkPair(1) }, { number: 1 }],
        })),
      });
      const device = await bench.plug(virtual);
      await bench.within(device.open());
      await bench.within(device.claimInterface(0));
      const before = virtual.configurations.length;
      await bench.within(device.selectConfiguration(1));
      assertEquals([virtual.configurations.length, settings(device)], [
        before,
        "0:0* 1:0",
      ]);
      await bench.within(device.selectConfiguration(2));
      assertEquals(virtual.configurations.at(-1), 2);
      assertEquals(settings(device), "0:0 1:0");
    },
  ),
  row(
    "3.3",
    "selectConfiguration() while a kernel driver is bound: NetworkError",
    async () => {
      await using bench = new WebBench();
      const virtual = new Loopback({ kernelDrivers: { 1: "snd-usb-audio" } });
      const device = await bench.plug(virtual);
      await bench.within(device.open());
      assertEquals(
        await bench.ending(device.selectConfiguration(2)),
        "NetworkError",
      );
      assertEquals(device.configuration?.configurationValue, 1);
    },
  ),
  row(
    "3.3",
    "claimInterface(): no-op if claimed; in parallel; NetworkError when held",
    async () => {
      await using bench = new WebBench({ kernelDriver: "refuse" });
      const device = await bench.plug(
        new Loopback({ kernelDrivers: { 1: "snd-usb-audio" } }),
      );
      await bench.within(device.open());
      const endings = await bench.within(
        Promise.all([0, 1].map((n) => bench.ending(device.claimInterface(n)))),
      );
      assertEquals(endings, ["ok", "NetworkError"]);
      assertEquals(await bench.ending(device.claimInterface(0)), "ok");
      assertEquals(settings(device), "0:0* 1:0");
    },
  ),
  row(
    "4",
    "a kernel driver is detached at claim and comes back at release",
    async () => {
      await using bench = new WebBench();
      const virtual = new Loopback({ kernelDrivers: { 1: "snd-usb-audio" } });
      const device = await bench.plug(virtual);
      const driver = (): string | undefined =>
        bench.bus.find(virtual)?.device.claims.driver(1);
      await bench.within(device.open());
      assertEquals(driver(), "snd-usb-audio");
      await bench.within(device.claimInterface(1));
      assertEquals(driver(), "usbfs");
      await bench.within(device.releaseInterface(1));
      assertEquals(driver(), "snd-usb-audio");
      await bench.within(device.claimInterface(1));
      await bench.within(device.close());
      assertEquals(driver(), "snd-usb-audio");
    },
  ),
  row(
    "4",
    "sparse numbers: interfaces 0 and 2, settings 0, 2, 5 and their endpoints",
    checkSparse,
  ),
  row(
    "4",
    "an interface without setting 0 begins with its first",
    checkNoSettingZero,
  ),
  row(
    "3.3",
    "open() refused for lack of rights: SecurityError with our diagnosis",
    async () => {
      await using bench = new WebBench();
      const device = await bench.plug(new Loopback(), { isAccessible: false });
      const error = await bench.within(device.open()).then(
        () => fail("it is refused"),
        (error) => error as DOMException & { cause: { advice: string } },
      );
      assertEquals(nameOf(error), "SecurityError");
      assert(error.cause.advice.includes("udev"));
      assertEquals(device.opened, false);
      assertEquals(await bench.ending(device.open()), "SecurityError");
    },
  ),
  row(
    "3.3",
    "protected classes (web policy): SecurityError in any alternate, neighbours free",
    checkProtected,
  ),
  row(
    "1",
    "change pending: only one change of a device at a time",
    async () => {
      await using bench = new WebBench();
      const device = await bench.plug(new Loopback());
      const first = device.open();
      const others = [device.open(), device.close(), device.reset()];
      const endings = await Promise.all(others.map((p) => bench.ending(p)));
      assertEquals(endings, Array(3).fill("InvalidStateError"));
      assertEquals(await bench.ending(first), "ok");
      const claims = [0, 0, 1].map((n) => device.claimInterface(n));
      const claimed = await Promise.all(claims.map((p) => bench.ending(p)));
      assertEquals(claimed, ["ok", "InvalidStateError", "ok"]);
    },
  ),
  row(
    "4",
    "unplug while open(), close(), claim or reset is in progress",
    async () => {
      const calls: readonly ((device: USBDevice) => Promise<unknown>)[] = [
        (d) => d.close(),
        (d) => d.claimInterface(1),
        (d) => d.reset(),
        (d) => d.selectConfiguration(2),
        (d) => d.selectAlternateInterface(0, 1),
        (d) => d.clearHalt("in", 1),
      ];
      for (const call of calls) {
        await using bench = new WebBench();
        const { device, virtual } = await bench.loopback();
        bench.usb.ondisconnect = () => {};
        const called = call(device);
        bench.bus.unplug(virtual);
        const ending = await bench.ending(called);
        assert(["ok", "NotFoundError"].includes(ending), ending);
        assertEquals([device.opened, settings(device)], [false, "0:0 1:0"]);
        assertEquals(await bench.ending(call(device)), "NotFoundError");
      }
      await using bench = new WebBench();
      const virtual = new Loopback();
      const device = await bench.plug(virtual);
      bench.usb.ondisconnect = () => {};
      const opening = device.open();
      bench.bus.unplug(virtual);
      const ending = await bench.ending(opening);
      assert(["ok", "NotFoundError"].includes(ending), ending);
      assertEquals(device.opened, false);
    },
  ),
  row(
    "4",
    "forget() while open() is in progress leaves nothing open",
    async () => {
      await using bench = new WebBench();
      const virtual = new Loopback();
      const device = await bench.plug(virtual);
      const opening = device.open();
      const forgotten = device.forget();
      assertEquals(await bench.ending(opening), "NotFoundError");
      assertEquals(await bench.ending(forgotten), "ok");
      assertEquals(device.opened, false);
    },
  ),
  row(
    "4",
    "a failure that says the device is gone is taken at its word",
    async () => {
      await using bench = new WebBench();
      const { device, virtual } = await bench.loopback();
      bench.bus.unplug(virtual);
      assertEquals(device.opened, true, "nobody told it yet");
      assertEquals(await bench.ending(device.transferIn(3, 8)), "NetworkError");
      assertEquals([device.opened, settings(device)], [false, "0:0 1:0"]);
      assertEquals(
        await bench.ending(device.transferIn(3, 8)),
        "NotFoundError",
      );
      assertEquals(await bench.ending(device.close()), "NotFoundError");
    },
  ),
  row(
    "4",
    "so is a refusal of a change",
    async () => {
      await using bench = new WebBench();
      const { device, virtual } = await bench.loopback();
      bench.bus.unplug(virtual);
      assertEquals(await bench.ending(device.reset()), "NotFoundError");
      assertEquals([device.opened, settings(device)], [false, "0:0 1:0"]);
    },
  ),
];

function row(section: string, item: string, run: () => Promise<void>): Row {
  return { section, item, run };
}

/** `0:1* 1:0`: interface 0 claimed, in setting 1. */
function settings(device: USBDevice): string {
  const interfaces = device.configuration?.interfaces ?? [];
  return interfaces.map((i) =>
    `${i.interfaceNumber}:${i.alternate.alternateSetting}${
      i.claimed ? "*" : ""
    }`
  ).join(" ");
}

async function checkNoSettingZero(): Promise<void> {
  await using bench = new WebBench();
  const device = await bench.plug(noSettingZero());
  assertEquals(settings(device), "0:1");
  await bench.within(device.open());
  await bench.within(device.claimInterface(0));
  assertEquals(settings(device), "0:1*");
  const sent = await bench.within(device.transferOut(1, sample(3)));
  assertEquals(sent.bytesWritten, 3);
  await bench.within(device.selectAlternateInterface(0, 3));
  await bench.within(device.releaseInterface(0));
  assertEquals(settings(device), "0:1");
}

async function checkSparse(): Promise<void> {
  await using bench = new WebBench();
  const virtual = sparseDevice();
  const device = await bench.plug(virtual);
  await bench.within(device.open());
  assertEquals(await bench.ending(device.claimInterface(1)), "NotFoundError");
  for (const number of [0, 2]) {
    await bench.within(device.claimInterface(number));
  }
  for (const [number, setting] of [[0, 1], [0, 4], [2, 2]] as const) {
    assertEquals(
      await bench.ending(device.selectAlternateInterface(number, setting)),
      "NotFoundError",
    );
  }
  await bench.within(device.selectAlternateInterface(0, 5));
  await bench.within(device.selectAlternateInterface(2, 4));
  assertEquals(virtual.settings.slice(-2), [[0, 5], [2, 4]]);
  assertEquals(settings(device), "0:5* 2:4*");
  for (const endpoint of [2, 9]) {
    const sent = await bench.within(device.transferOut(endpoint, sample(3)));
    assertEquals(sent.bytesWritten, 3);
    virtual.send(0x80 | endpoint, sample(4));
    const { data } = await bench.within(device.transferIn(endpoint, 512));
    assertEquals(data?.byteLength, 4);
  }
  for (const endpoint of [1, 7]) {
    assertEquals(
      await bench.ending(device.transferOut(endpoint, sample(3))),
      "NotFoundError",
      "of a setting that is not selected",
    );
  }
  assertEquals(virtual.written.map((w) => w.endpoint), [2, 9]);
}

async function checkProtected(): Promise<void> {
  const codes = [0x01, 0x03, 0x08, 0x0b, 0x0e, 0x10, 0xe0];
  for (const policy of ["open", "web"] as const) {
    await using bench = new WebBench({ policy });
    const device = await bench.plug(
      new DescribedDevice({
        configurations: [{
          value: 1,
          faces: [
            ...codes.map((code, number) => ({
              number,
              class: [code, 0, 0] as const,
            })),
            { number: 20 },
            { number: 20, alternate: 1, class: [3, 1, 1] },
            { number: 21, class: [0x0a, 0, 0] },
          ],
        }],
      }),
    );
    await bench.within(device.open());
    for (const number of [...codes.keys(), 20]) {
      assertEquals(
        await bench.ending(device.claimInterface(number)),
        policy === "web" ? "SecurityError" : "ok",
      );
    }
    assertEquals(await bench.ending(device.claimInterface(21)), "ok");
  }
}
