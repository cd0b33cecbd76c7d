/** The checklist's connection events, handler attributes, and when the bus is watched. */

import type { HotplugEvent, UsbPort } from "../../driver/port.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { assert, assertEquals } from "../../driver/std.ts";
import {
  createWebUsb,
  USBConnectionEvent,
  type USBDevice,
} from "../../driver/web/webusb.ts";
import { type Row, WebBench } from "./bench.ts";

export const EVENT_ROWS: readonly Row[] = [
  row(
    "connect and disconnect, of permitted devices, with the same object",
    async () => {
      await using bench = new WebBench({
        allowedDevices: [{ serialNumber: "a" }],
      });
      const heard: USBConnectionEvent[] = [];
      const hear = (event: USBConnectionEvent): number => heard.push(event);
      bench.usb.addEventListener("connect", hear);
      bench.usb.addEventListener("disconnect", hear);
      const [a, b] = [new Loopback({ serialNumber: "a" }), new Loopback()];
      bench.bus.plug(a);
      bench.bus.plug(b);
      await bench.clock.advance(1);
      const [device] = await bench.usb.getDevices();
      await bench.within(device?.open() ?? Promise.resolve());
      bench.bus.unplug(a);
      bench.bus.unplug(b);
      await bench.clock.advance(1);
      assertEquals(heard.map(({ type }) => type), ["connect", "disconnect"]);
      assert(
        heard.every((event) =>
          event instanceof USBConnectionEvent && event.device === device &&
          event.target === bench.usb
        ),
      );
      assertEquals(device?.opened, false);
    },
  ),
  row("a device that is there already is no news", async () => {
    await using bench = new WebBench();
    bench.bus.plug(new Loopback());
    const heard: string[] = [];
    bench.usb.onconnect = ({ type }) => heard.push(type);
    await bench.clock.advance(5);
    assertEquals(heard, []);
  }),
  row(
    "disconnect of a device nobody asked for yet has an object too",
    async () => {
      await using bench = new WebBench();
      const virtual = new Loopback();
      bench.bus.plug(virtual);
      const gone: USBDevice[] = [];
      bench.usb.ondisconnect = ({ device }) => gone.push(device);
      bench.bus.unplug(virtual);
      await bench.clock.advance(1);
      assertEquals(gone.map((d) => d.serialNumber), ["0001"]);
      const [device] = gone;
      assertEquals(
        await bench.ending(device?.open() ?? Promise.resolve()),
        "NotFoundError",
      );
    },
  ),
  row("disconnect is told even when getDevices() noticed first", async () => {
    await using bench = new WebBench();
    const virtual = new Loopback();
    const device = await bench.plug(virtual);
    const gone: USBDevice[] = [];
    bench.usb.ondisconnect = (event) => gone.push(event.device);
    bench.bus.unplug(virtual);
    assertEquals(await bench.usb.getDevices(), []);
    await bench.clock.advance(1);
    assertEquals([gone.length, gone[0] === device], [1, true]);
  }),
  row("a replug gives both events, in order, and another object", async () => {
    await using bench = new WebBench();
    const virtual = new Loopback();
    const device = await bench.plug(virtual);
    const heard: [string, boolean][] = [];
    const hear = (event: USBConnectionEvent): number =>
      heard.push([event.type, event.device === device]);
    bench.usb.onconnect = hear;
    bench.usb.ondisconnect = hear;
    bench.bus.replug(virtual, 0);
    await bench.clock.advance(1);
    assertEquals(heard, [["disconnect", true], ["connect", false]]);
  }),
  row(
    "onconnect and ondisconnect: null at first, objects only, replaced in place",
    checkHandlers,
  ),
  row("the bus is watched while anybody listens, and no longer", checkWatching),
  row("a program that listens for other events watches nothing", async () => {
    await using bench = new WebBench();
    const { port, watches } = countWatches(bench.port);
    await using usb = createWebUsb({ port });
    usb.addEventListener("something", () => {});
    usb.addEventListener("connect", null);
    usb.onconnect = null;
    await bench.clock.advance(1);
    assertEquals(watches(), { begun: 0, open: 0 });
  }),
  row("a port that closes ends the watch quietly", async () => {
    await using bench = new WebBench();
    bench.usb.onconnect = () => {};
    await bench.clock.advance(1);
    await bench.port.close();
    await bench.clock.advance(1);
    assertEquals(
      await bench.usb.getDevices().then(() => "ok", (e) => e.code),
      "state",
    );
  }),
];

function row(item: string, run: () => Promise<void>): Row {
  return { section: "3.1", item, run };
}

async function checkHandlers(): Promise<void> {
  await using bench = new WebBench();
  const { usb } = bench;
  assertEquals([usb.onconnect, usb.ondisconnect], [null, null]);
  const heard: string[] = [];
  const first = (): number => heard.push("first");
  usb.onconnect = first;
  usb.addEventListener("connect", () => heard.push("listener"));
  assert(usb.onconnect === first);
  usb.onconnect = function (this: unknown): void {
    heard.push(this === usb ? "second" : "wrong this");
  };
  const fire = (): void => {
    bench.bus.plug(new Loopback());
  };
  await bench.clock.advance(1);
  fire();
  await bench.clock.advance(1);
  assertEquals(heard.splice(0), ["second", "listener"], "in the first's place");
  for (const none of [null, undefined, 7, "text"]) {
    usb.onconnect = first;
    usb.onconnect = none as null;
    assertEquals(usb.onconnect, null);
  }
  const object = {} as () => void;
  usb.onconnect = object;
  assert(usb.onconnect === object);
  fire();
  await bench.clock.advance(1);
  assertEquals(heard, ["listener"]);
}

async function checkWatching(): Promise<void> {
  await using bench = new WebBench();
  const { port, watches } = countWatches(bench.port);
  await using usb = createWebUsb({ port, allowedDevices: [{}] });
  const begun = async (): Promise<unknown> => {
    await bench.clock.advance(1);
    return watches();
  };
  await usb.getDevices();
  assertEquals(await begun(), { begun: 0, open: 0 });
  const hear = (): void => {};
  usb.addEventListener("connect", hear);
  usb.addEventListener("connect", hear);
  usb.ondisconnect = hear;
  assertEquals(await begun(), { begun: 1, open: 1 });
  usb.removeEventListener("connect", hear);
  assertEquals(await begun(), { begun: 1, open: 1 }, "one is left");
  usb.ondisconnect = null;
  assertEquals(await begun(), { begun: 1, open: 0 });
  const stop = new AbortController();
  usb.addEventListener("connect", hear, { signal: stop.signal });
  assertEquals(await begun(), { begun: 2, open: 1 });
  stop.abort();
  assertEquals(await begun(), { begun: 2, open: 0 });
  let heard = 0;
  usb.addEventListener("connect", () => heard++, { once: true });
  assertEquals(await begun(), { begun: 3, open: 1 });
  bench.bus.plug(new Loopback());
  assertEquals(await begun(), { begun: 3, open: 0 });
  bench.bus.plug(new Loopback({ serialNumber: "2" }));
  assertEquals([heard, (await usb.getDevices()).length], [1, 2]);
}

/** A port that counts who watches it. */
function countWatches(inner: UsbPort): {
  readonly port: UsbPort;
  readonly watches: () => { begun: number; open: number };
} {
  let begun = 0;
  let open = 0;
  const port: UsbPort = {
    devices: () => inner.devices(),
    open: (device, options) => inner.open(device, options),
    close: () => inner.close(),
    [Symbol.asyncDispose]: () => inner.close(),
    async *watch(options): AsyncGenerator<HotplugEvent> {
      begun++;
      open++;
      try {
        yield* inner.watch(options);
      } finally {
        open--;
      }
    },
  };
  return { port, watches: () => ({ begun, open }) };
}
