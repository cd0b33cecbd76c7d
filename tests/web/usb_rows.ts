/** The checklist's section 3.1: who is listed, chosen and permitted. */

import type { DeviceInfo } from "../../driver/port.ts";
import { BootMouse } from "../../driver/sim/devices/boot_mouse.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { assert, assertEquals } from "../../driver/std.ts";
import type { USB, USBDevice, WebUsbOptions } from "../../driver/web/webusb.ts";
import { deviceInfo } from "../../driver/web/webusb.ts";
import { BLOCKLIST } from "../../driver/web/blocklist.ts";
import { isBlocklisted } from "../../driver/web/policy.ts";
import { type Row, WebBench } from "./bench.ts";
import { DescribedDevice } from "./devices/described_device.ts";

export const USB_ROWS: readonly Row[] = [
  row("getDevices(): permitted only; same objects, a fresh array", async () => {
    await using bench = new WebBench({ allowedDevices: [] });
    bench.bus.plug(new Loopback());
    bench.bus.plug(new BootMouse());
    assertEquals(await bench.usb.getDevices(), []);
    const chosen = await bench.usb.requestDevice({
      filters: [{ vendorId: 0x1209, productId: 1 }],
    });
    const first = await bench.usb.getDevices();
    assertEquals(first.length, 1);
    assert(first[0] === chosen, "the object that requestDevice gave");
    assert(first !== await bench.usb.getDevices(), "a fresh array");
    assert((await bench.usb.getDevices())[0] === chosen);
  }),
  row(
    "requestDevice(): the chooser sees what matches, and decides",
    async () => {
      let offered: readonly USBDevice[] = [];
      let choice = 1;
      await using bench = new WebBench({
        allowedDevices: [],
        chooser: (devices) => {
          offered = devices;
          return devices[choice];
        },
      });
      for (const serialNumber of ["a", "b", "c"]) {
        bench.bus.plug(new Loopback({ serialNumber }));
      }
      bench.bus.plug(new BootMouse());
      const filters = [{ vendorId: 0x1209, productId: 1 }];
      const chosen = await bench.usb.requestDevice({ filters });
      assertEquals(offered.map((d) => d.serialNumber), ["a", "b", "c"]);
      assertEquals(chosen.serialNumber, "b");
      choice = 9;
      assertEquals(
        await bench.ending(bench.usb.requestDevice({ filters })),
        "NotFoundError",
      );
      assertEquals((await bench.usb.getDevices()).length, 1, "b alone");
    },
  ),
  row(
    "requestDevice(): NotFoundError when nothing matches, or left meanwhile",
    async () => {
      const chooser: WebUsbOptions["chooser"] = async ([device]) => {
        bench.bus.unplugAll();
        await bench.clock.advance(0);
        return device;
      };
      await using bench: WebBench = new WebBench({
        allowedDevices: [],
        chooser,
      });
      assertEquals(
        await bench.ending(bench.usb.requestDevice({ filters: [] })),
        "NotFoundError",
      );
      for (const handler of [null, (): void => {}]) {
        bench.usb.onconnect = handler;
        bench.bus.plug(new Loopback());
        assertEquals(
          await bench.ending(bench.usb.requestDevice({ filters: [] })),
          "NotFoundError",
        );
      }
    },
  ),
  row("requestDevice(): a chooser that throws is heard", async () => {
    await using bench = new WebBench({
      chooser: () => Promise.reject(new RangeError("no")),
    });
    bench.bus.plug(new Loopback());
    assertEquals(
      await bench.ending(bench.usb.requestDevice({ filters: [] })),
      "RangeError",
    );
  }),
  row(
    "isVisible hides devices before any filter: the runtime's permissions",
    async () => {
      const isVisible = (info: DeviceInfo): boolean =>
        info.serialNumber !== "b";
      await using bench = new WebBench({ isVisible });
      bench.bus.plug(new Loopback({ serialNumber: "a" }));
      const heard: string[] = [];
      bench.usb.onconnect = ({ device }) =>
        heard.push(String(device.serialNumber));
      await bench.clock.advance(1);
      bench.bus.plug(new Loopback({ serialNumber: "b" }));
      bench.bus.plug(new Loopback({ serialNumber: "c" }));
      await bench.clock.advance(1);
      assertEquals(await serials(bench.usb), ["a", "c"]);
      assertEquals(heard, ["c"]);
      const filters = [{ serialNumber: "b" }];
      assertEquals(
        await bench.ending(bench.usb.requestDevice({ filters })),
        "NotFoundError",
      );
    },
  ),
  row(
    "forget(): gone from getDevices, closed, no events, twice the same",
    async () => {
      for (const allowedDevices of [[], [{}]]) {
        await using bench = new WebBench({ allowedDevices });
        bench.bus.plug(new Loopback());
        const filters = [{ vendorId: 0x1209 }];
        const device = await bench.usb.requestDevice({ filters });
        const heard: string[] = [];
        bench.usb.ondisconnect = ({ type }) => heard.push(type);
        await bench.within(device.open());
        assertEquals(await bench.within(device.forget()), undefined);
        assertEquals(await bench.within(device.forget()), undefined);
        assertEquals([device.opened, await serials(bench.usb)], [false, []]);
        const again = await bench.usb.requestDevice({ filters });
        assert(again !== device);
        await bench.within(device.forget());
        assertEquals(await serials(bench.usb), ["0001"], "the old one is old");
        await bench.within(again.open());
        await bench.within(again.forget());
        bench.bus.unplugAll();
        await bench.clock.advance(1);
        assertEquals(heard, []);
      }
    },
  ),
  row(
    "forget() of a device without a serial number holds while it is connected",
    async () => {
      await using bench = new WebBench();
      const virtual = new DescribedDevice({ strings: [1, 2, 0] });
      const device = await bench.plug(virtual);
      await bench.within(device.forget());
      assertEquals(await bench.usb.getDevices(), []);
      bench.bus.replug(virtual, 5);
      await bench.clock.advance(10);
      assertEquals((await bench.usb.getDevices()).length, 1);
    },
  ),
  row(
    "a permission that ended does not come back with a place that is used again",
    async () => {
      await using bench = new WebBench({ allowedDevices: [] });
      const virtual = new DescribedDevice({ strings: [1, 2, 0] });
      bench.bus.plug(virtual);
      await bench.usb.requestDevice({ filters: [{}] });
      bench.usb.ondisconnect = () => {};
      // Addresses of a bus begin anew behind 127.
      for (let plugs = 0; plugs < 130; plugs++) {
        bench.bus.replug(virtual, 0);
        await bench.clock.advance(1);
        assertEquals(await bench.usb.getDevices(), []);
      }
    },
  ),
  row(
    "forget() of a device with a serial number holds over a replug",
    async () => {
      await using bench = new WebBench();
      const virtual = new Loopback();
      const device = await bench.plug(virtual);
      await bench.within(device.forget());
      bench.bus.replug(virtual, 5);
      await bench.clock.advance(10);
      assertEquals(await serials(bench.usb), []);
    },
  ),
  row(
    "permission survives a replug with a serial number, and ends without",
    async () => {
      await using bench = new WebBench({ allowedDevices: [] });
      const named = new Loopback({ serialNumber: "S1" });
      const nameless = new DescribedDevice({
        texts: ["A", "B"],
        strings: [1, 2, 0],
      });
      bench.bus.plug(named);
      bench.bus.plug(nameless);
      for (const productId of [1, 0xf0]) {
        await bench.usb.requestDevice({
          filters: [{ vendorId: 0x1209, productId }],
        });
      }
      const before = await bench.usb.getDevices();
      assertEquals(before.length, 2);
      for (const device of [named, nameless]) bench.bus.replug(device, 5);
      await bench.clock.advance(1);
      assertEquals(await bench.usb.getDevices(), []);
      await bench.clock.advance(10);
      const after = await bench.usb.getDevices();
      assertEquals(after.map((d) => d.serialNumber), ["S1"]);
      assert(after[0] !== before[0], "another connection, another object");
      assertEquals(
        after[0] === undefined ? "" : deviceInfo(after[0]).portPath,
        before[0] === undefined ? "" : deviceInfo(before[0]).portPath,
        "its place tells that it is the same",
      );
    },
  ),
  row("two devices of one serial number share a permission", async () => {
    await using bench = new WebBench({ allowedDevices: [] });
    bench.bus.plug(new Loopback({ serialNumber: "S1" }));
    await bench.usb.requestDevice({ filters: [{ serialNumber: "S1" }] });
    bench.bus.plug(new Loopback({ serialNumber: "S1" }));
    bench.bus.plug(new Loopback({ serialNumber: "S2" }));
    const devices = await bench.usb.getDevices();
    assertEquals(devices.map((d) => d.serialNumber), ["S1", "S1"]);
    assert(devices[0] !== devices[1]);
  }),
  row("an empty serial number is none", async () => {
    await using bench = new WebBench({ allowedDevices: [] });
    const virtual = new Loopback({ serialNumber: "" });
    bench.bus.plug(virtual);
    const device = await bench.usb.requestDevice({ filters: [{}] });
    assertEquals(device.serialNumber, null);
    bench.bus.replug(virtual, 5);
    await bench.usb.getDevices();
    await bench.clock.advance(10);
    assertEquals(await bench.usb.getDevices(), []);
  }),
  row(
    "blocklist (web policy): hidden up to and including the version",
    checkBlocklist,
  ),
  row(
    "several USB objects over one port have their own objects and permissions",
    async () => {
      await using bench = new WebBench();
      const device = await bench.plug(new Loopback());
      const other = bench.another();
      assertEquals(await other.getDevices(), []);
      const [theirs] = await bench.another({ allowedDevices: [{}] })
        .getDevices();
      assert(theirs !== undefined && theirs !== device);
      await bench.within(device.open());
      await bench.within(device.claimInterface(0));
      await bench.within(theirs.open());
      assertEquals([theirs.opened, device.opened], [true, true]);
      assertEquals(
        await bench.ending(theirs.claimInterface(0)),
        "NetworkError",
        "another holds it",
      );
    },
  ),
];

function row(item: string, run: () => Promise<void>): Row {
  return { section: "3.1", item, run };
}

async function serials(usb: USB): Promise<(string | null)[]> {
  return (await usb.getDevices()).map((device) => device.serialNumber);
}

async function checkBlocklist(): Promise<void> {
  assertEquals(BLOCKLIST.length, 43);
  const { descriptor } = deviceInfo(
    await new WebBench().plug(new Loopback()),
  );
  const { vendorId, productId, deviceVersion } = descriptor;
  const upTo = (version: number): boolean =>
    isBlocklisted({ descriptor }, [[vendorId, productId, version]]);
  assertEquals([-1, 0, 1].map((more) => upTo(deviceVersion + more)), [
    false,
    true,
    true,
  ]);
  for (const policy of ["open", "web"] as const) {
    await using bench = new WebBench({ policy });
    bench.bus.plug(
      new DescribedDevice({ vendorId: 0x1050, productId: 0x0407 }),
    );
    const heard: string[] = [];
    bench.usb.onconnect = ({ type }) => heard.push(type);
    await bench.clock.advance(1);
    const key = new DescribedDevice({
      vendorId: 0x18d1,
      productId: 0x5026,
      deviceVersion: 0xffff,
    });
    bench.bus.plug(key);
    await bench.clock.advance(1);
    const isOpen = policy === "open";
    assertEquals((await bench.usb.getDevices()).length, isOpen ? 2 : 0);
    assertEquals(heard.length, isOpen ? 1 : 0);
    assertEquals(
      await bench.ending(bench.usb.requestDevice({ filters: [] })),
      isOpen ? "ok" : "NotFoundError",
    );
  }
}
