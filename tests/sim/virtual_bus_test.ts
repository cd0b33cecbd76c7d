/** The bus: places, trees, observers, plugging, suspending. */

import { UsbError } from "../../driver/errors.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import { BootMouse } from "../../driver/sim/devices/boot_mouse.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { ERRNO } from "../../driver/sim/errno.ts";
import { seededRandom } from "../../driver/sim/seeded_random.ts";
import { MAX_QUEUED_CHUNKS } from "../../driver/sim/sim_limits.ts";
import type { Readiness, TreeEntry } from "../../driver/sim/usbfs_contract.ts";
import { VirtualBus } from "../../driver/sim/virtual_bus.ts";
import { STALL, VirtualDevice } from "../../driver/sim/virtual_device.ts";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "../../driver/std.ts";
import { endpointAddress } from "../../driver/usb.ts";
import { openSim } from "./sim_bench.ts";
import { BULK_IN, BULK_OUT, reaped, UsbfsClient } from "./usbfs_client.ts";

function makeBus(): { bus: VirtualBus; clock: VirtualClock } {
  const clock = new VirtualClock();
  return { clock, bus: new VirtualBus({ clock, random: seededRandom(1) }) };
}

function contentOf(tree: readonly TreeEntry[], path: string): string {
  const entry = tree.find((candidate) => candidate.path.endsWith(path));
  return entry?.kind === "file" && typeof entry.content === "string"
    ? entry.content
    : "";
}

Deno.test("VirtualBus shows a device as sysfs and udev do", () => {
  const { bus } = makeBus();
  const plugged = bus.plug(new Loopback({ serialNumber: "S7" }), { port: 4 });
  assertEquals(plugged.nodePath, "/dev/bus/usb/001/002");
  assertEquals(plugged.minor, 1);
  const { tree } = plugged;
  assertEquals(tree[0], {
    kind: "directory",
    path: "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-4",
  });
  const shown = [
    "idVendor",
    "idProduct",
    "serial",
    "speed",
    "version",
    "devpath",
  ]
    .map((name) => contentOf(tree, `1-4/${name}`));
  assertEquals(shown, ["1209\n", "0001\n", "S7\n", "480\n", " 2.00\n", "4\n"]);
  assertEquals(
    contentOf(tree, "1-4/uevent"),
    "SUBSYSTEM=usb\nDEVTYPE=usb_device\nDRIVER=usb\nMAJOR=189\nMINOR=1\n" +
      "BUSNUM=001\nDEVNUM=002\nDEVNAME=/dev/bus/usb/001/002\n",
  );
  assertEquals(tree.at(-1), {
    kind: "link",
    path: "/sys/bus/usb/devices/1-4",
    target: "../../../devices/pci0000:00/0000:00:14.0/usb1/1-4",
  });
  assertEquals(contentOf(tree, "1-4:1.1/bInterfaceNumber"), "01\n");
  assertEquals(plugged.properties.DEVNAME, plugged.nodePath);
  assertEquals(contentOf(bus.hub.tree, "usb1/idProduct"), "0002\n");
  const paths = new Set(bus.rootTree.map((entry) => entry.path));
  assert(
    bus.nodes.every((node) =>
      paths.has(node.tree[0]?.path.replace(/\/[^/]+$/, "") ?? "") ||
      node === plugged
    ),
  );
});

Deno.test("VirtualBus gives every plug-in another address and the first free port", () => {
  const { bus } = makeBus();
  const first = new Loopback();
  const second = new BootMouse();
  const third = new Loopback();
  assertEquals(bus.plug(first).place.name, "1-1");
  assertEquals(bus.plug(second).place.name, "1-2");
  bus.unplug(first);
  const again = bus.plug(third);
  assertEquals([again.place.name, again.place.deviceAddress], ["1-1", 4]);
  assertThrows(() => bus.plug(third), RangeError, "it is on the bus");
  assertThrows(() => bus.plug(first, { port: 2 }), RangeError, "port 2");
  assertThrows(() => bus.plug(first, { port: 0 }), RangeError, "port 0");
  for (let cycle = 0; cycle < 300; cycle++) {
    const before = bus.find(second)?.place.deviceAddress;
    bus.unplug(second);
    const { deviceAddress } = bus.plug(second).place;
    assertNotEquals(deviceAddress, before);
    assert(deviceAddress >= 2 && deviceAddress <= 127);
  }
});

Deno.test("VirtualBus lets an observer say when transfers end, and ends them in any case", async () => {
  const { bus } = makeBus();
  const device = new Loopback();
  const client = new UsbfsClient(bus.plug(device).open());
  await client.submit(BULK_IN(64));
  const seen: string[] = [];
  const observation = bus.observe({
    plugged: (node) => seen.push(`plugged ${node.nodePath}`),
    unplugged: (node, killTransfers) => {
      seen.push(`unplugged ${node.nodePath}`);
      killTransfers();
      killTransfers();
    },
    changed: () => {},
  });
  bus.unplug(device);
  bus.unplug(device);
  assertEquals(reaped(await client.reap()).status, -ERRNO.SHUTDOWN);
  bus.plug(device);
  observation.stop();
  bus.unplug(device);
  assertEquals(seen, [
    "unplugged /dev/bus/usb/001/002",
    "plugged /dev/bus/usb/001/003",
  ]);
});

Deno.test("VirtualBus tells transports when a node can be reaped, hangs up and closes", async () => {
  const { bus } = makeBus();
  const device = new Loopback();
  const plugged = bus.plug(device);
  const seen: string[] = [];
  const readiness: Readiness = {
    setReady: (on) => seen.push(on ? "ready" : "not ready"),
    hangup: () => seen.push("hangup"),
    close: () => seen.push("close"),
  };
  plugged.setNodeReadiness(readiness);
  const client = new UsbfsClient(plugged.open());
  await client.submit(BULK_OUT(Uint8Array.of(1)));
  await client.reap();
  bus.unplug(device);
  client.session.closed();
  client.session.closed();
  assertEquals(seen, ["not ready", "ready", "not ready", "hangup", "close"]);
  assertEquals(plugged.openFiles, 0);
});

Deno.test("VirtualBus brings a device back to its port, or another in its place", async () => {
  const { bus, clock } = makeBus();
  const device = new Loopback();
  const other = new BootMouse();
  bus.plug(device, { port: 6 });
  bus.replug(device, 50, other);
  await clock.advance(49);
  assertEquals(bus.devices.length, 0);
  await clock.advance(1);
  assertEquals(bus.find(other)?.place.name, "1-6");
  bus.replug(other, 50);
  bus.unplug(other);
  await clock.advance(100);
  assertEquals(bus.devices.length, 0, "the return was called off");
});

Deno.test("VirtualBus leaves no timers behind when it is closed", async () => {
  const { bus, clock } = makeBus();
  bus.plug(new BootMouse());
  const device = new Loopback();
  bus.plug(device);
  bus.replug(device, 1000);
  await clock.advance(30);
  bus.close();
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("A suspended device takes no transfer until it is resumed", async () => {
  const { bus } = makeBus();
  const virtual = new Loopback();
  const plugged = bus.plug(virtual);
  const client = new UsbfsClient(plugged.open());
  await client.submit(BULK_IN(64));
  plugged.device.suspend();
  plugged.device.suspend();
  assertEquals(reaped(await client.reap()).status, -ERRNO.SHUTDOWN);
  assertEquals((await client.submit(BULK_IN(64))).answer, [
    -1,
    ERRNO.HOSTUNREACH,
  ]);
  plugged.device.resume();
  assertEquals((await client.submit(BULK_IN(64))).answer, [0, 0]);
});

Deno.test("A device that resets into another one is gone for who had it open", async () => {
  class Changeling extends Loopback {
    override reset(): void {
      this.host.replug(10, new BootMouse());
    }
  }
  await using bench = await openSim(new Changeling());
  const error = await assertRejects(() => bench.device.reset(), UsbError);
  assertEquals(error.code, "noDevice");
  await bench.clock.advance(20);
  const [info] = await bench.port.devices();
  assertEquals([info?.product, info?.portPath], ["Boot Mouse", "1-1"]);
});

Deno.test("A device's queue is bounded, in bytes and in entries", async () => {
  class Flood extends Loopback {
    flood(data: Uint8Array): number {
      let count = 0;
      while (this.host.send(endpointAddress(0x81), data)) count++;
      this.host.flush(endpointAddress(0x81));
      return count;
    }
    sendNowhere(): boolean {
      return this.host.send(endpointAddress(0x8f), Uint8Array.of(1));
    }
  }
  const virtual = new Flood();
  await using bench = await openSim(virtual);
  assertEquals(virtual.flood(new Uint8Array()), MAX_QUEUED_CHUNKS);
  assertEquals(virtual.flood(new Uint8Array(1024 * 1024)), 4);
  assert(!virtual.sendNowhere());
  bench.bus.unplug(virtual);
  assertThrows(() => virtual.sendNowhere(), Error, "not plugged in");
});

Deno.test("Claims are shared by everything on the bus", async () => {
  await using bench = await openSim(new Loopback());
  const client = new UsbfsClient(bench.plugged.open());
  assertEquals((await client.submit(BULK_IN(64))).answer, [-1, ERRNO.BUSY]);
  await bench.device.releaseInterface(0);
  assertEquals((await client.submit(BULK_IN(64))).answer, [0, 0]);
  const error = await assertRejects(
    () => bench.device.claimInterface(0),
    UsbError,
  );
  assertEquals(error.code, "busy");
});

Deno.test("A virtual device that stalls by default needs no code but descriptors", async () => {
  class Silent extends VirtualDevice {
    override readonly descriptors = new Loopback().descriptors;
  }
  await using bench = await openSim(new Silent());
  const error = await assertRejects(
    () =>
      bench.device.controlIn({
        requestType: "vendor",
        recipient: "device",
        request: 1,
        value: 0,
        index: 0,
      }, 8),
    UsbError,
  );
  assertEquals(error.code, "stall");
  assertEquals(await bench.device.transferOut(1, new Uint8Array(9)), 9);
});

Deno.test("The root hub tells what hangs on each of its ports, and stalls on others", () => {
  const { bus } = makeBus();
  const ask = (
    recipient: "device" | "other",
    request: number,
    place: { readonly value?: number; readonly index?: number },
  ): unknown =>
    bus.hub.virtual.control({
      requestType: "class",
      direction: "in",
      lengthBytes: 64,
      value: 0,
      index: 0,
      ...{ recipient, request, ...place },
    }, new Uint8Array());
  const mouse = new BootMouse();
  bus.plug(mouse, { port: 3 });
  bus.plug(new Loopback(), { port: 4 });
  const hub = ask("device", 6, { value: 0x2900 });
  assert(hub instanceof Uint8Array);
  assertEquals([...hub.subarray(0, 3)], [hub.length, 0x29, 15]);
  const ports = [2, 3, 4].map((index) => ask("other", 0, { index }));
  // Power; power, enable, connection; the same at high speed.
  assertEquals(ports, [
    Uint8Array.of(0x00, 0x01, 0, 0),
    Uint8Array.of(0x03, 0x01, 0, 0),
    Uint8Array.of(0x03, 0x05, 0, 0),
  ]);
  bus.unplug(mouse);
  assertEquals(ask("other", 0, { index: 3 }), Uint8Array.of(0x00, 0x01, 0, 0));
  assertEquals(ask("other", 0, { index: 16 }), STALL);
  assertEquals(ask("other", 0, { index: 0 }), STALL);
  assertEquals(ask("device", 6, { value: 0x2a00 }), STALL);
});
