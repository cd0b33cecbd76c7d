/** The port contract: listing, watching, opening. */

import type { HotplugEvent } from "../../driver/port.ts";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
} from "../../driver/std.ts";
import { UsbError } from "../../driver/errors.ts";
import type { ContractBench } from "./bench.ts";
import {
  type ContractTest,
  eventually,
  openLoopback,
  plugLoopback,
  rejectsWith,
  within,
} from "./contract_kit.ts";

/** Reads events of a watch one by one while time passes. */
function reader(
  bench: ContractBench,
  signal?: AbortSignal,
): {
  next(): Promise<HotplugEvent | undefined>;
  stop(): Promise<unknown>;
} {
  const events = bench.port.watch(signal === undefined ? {} : { signal });
  const iterator = events[Symbol.asyncIterator]();
  return {
    next: async () => {
      const result = await within(bench, iterator.next(), "an event");
      return result.done === true ? undefined : result.value;
    },
    stop: async () => await iterator.return?.(),
  };
}

function shown(event: HotplugEvent | undefined): string | undefined {
  return event && `${event.type} ${event.device.serialNumber}`;
}

/** Listing, watching, opening. */
export const ENUMERATION_TESTS: readonly ContractTest[] = [
  {
    name: "an empty bus has no devices, hubs left out",
    run: async (bench) => {
      assertEquals(await within(bench, bench.port.devices()), []);
    },
  },
  {
    name: "devices are listed in order of bus and port",
    run: async (bench) => {
      await plugLoopback(bench, { serialNumber: "third", port: 5 });
      await plugLoopback(bench, { serialNumber: "first", port: 2 });
      await plugLoopback(bench, { serialNumber: "second", port: 3 });
      const devices = await within(bench, bench.port.devices());
      assertEquals(
        devices.map((device) => device.serialNumber),
        ["first", "second", "third"],
      );
      assertEquals(new Set(devices.map((device) => device.id)).size, 3);
    },
  },
  {
    name: "a listed device says what it is without being opened",
    run: async (bench) => {
      const { info } = await plugLoopback(bench, {
        serialNumber: "A1",
        port: 4,
      });
      assertEquals(
        [info.manufacturer, info.product, info.serialNumber],
        ["Driver Space", "Loopback", "A1"],
      );
      assertEquals(info.descriptor.vendorId as number, 0x1209);
      assertEquals(info.descriptor.productId as number, 0x0001);
      assertEquals(info.portPath.split("-")[1], "4");
      assertEquals(info.speed, "high");
      assertEquals(info.configurationValue as number, 1);
      assertEquals(
        info.configurations.map((c) => c.configurationValue as number),
        [1, 2],
      );
      const [first] = info.configurations;
      assertEquals(
        first?.interfaces.map((i) =>
          i.alternates.map((a) => a.endpoints.length)
        ),
        [[5, 2], [0, 2]],
      );
      const echo = first?.interfaces[0]?.alternates[0]?.endpoints[1];
      assertEquals(
        [echo?.endpointAddress, echo?.transferType, echo?.maxPacketSize],
        [0x81, "bulk", 512],
      );
    },
  },
  {
    name: "a watch begins with an arrival for each device there",
    run: async (bench) => {
      await plugLoopback(bench, { serialNumber: "one", port: 1 });
      await plugLoopback(bench, { serialNumber: "two", port: 2 });
      const watch = reader(bench);
      const seen = [shown(await watch.next()), shown(await watch.next())];
      assertEquals(seen.sort(), ["arrived one", "arrived two"]);
      await watch.stop();
    },
  },
  {
    name: "a watch gives arrivals and departures in order",
    needs: ["hotplug"],
    run: async (bench) => {
      const watch = reader(bench);
      const { id } = await plugLoopback(bench, { serialNumber: "one" });
      assertEquals(shown(await watch.next()), "arrived one");
      await bench.bus.unplug(id);
      assertEquals(shown(await watch.next()), "left one");
      await plugLoopback(bench, { serialNumber: "two" });
      assertEquals(shown(await watch.next()), "arrived two");
      await watch.stop();
    },
  },
  {
    name: "a device that left and came back gives both events and another id",
    needs: ["hotplug"],
    run: async (bench) => {
      const { id, info } = await plugLoopback(bench);
      const watch = reader(bench);
      await watch.next();
      await bench.bus.replug(id, 50);
      const left = await watch.next();
      const arrived = await watch.next();
      assertEquals([left?.type, arrived?.type], ["left", "arrived"]);
      assertEquals(left?.device.id, info.id);
      assertEquals(arrived?.device.portPath, info.portPath);
      assertNotEquals(arrived?.device.id, info.id);
      await watch.stop();
    },
  },
  {
    name: "a watch ends when its signal fires",
    run: async (bench) => {
      const abort = new AbortController();
      const watch = reader(bench, abort.signal);
      const waiting = watch.next();
      abort.abort();
      assertEquals(await waiting, undefined);
      assertEquals(await watch.next(), undefined);
    },
  },
  {
    name: "a watch ends when its iterator is returned",
    run: async (bench) => {
      await plugLoopback(bench);
      for await (const event of bench.port.watch()) {
        assertEquals(event.type, "arrived");
        break;
      }
      const watch = reader(bench);
      await watch.stop();
      assertEquals(await watch.next(), undefined);
    },
  },
  {
    name: "a watch ends when the port closes",
    run: async (bench) => {
      const watch = reader(bench);
      const waiting = watch.next();
      await within(bench, bench.port.close());
      assertEquals(await waiting, undefined);
    },
  },
  {
    name: "opening a device that is gone is refused with noDevice",
    needs: ["hotplug"],
    run: async (bench) => {
      const { id, info } = await plugLoopback(bench);
      await bench.bus.unplug(id);
      await eventually(
        bench,
        async () => (await bench.port.devices()).length === 0,
        "it is gone from the list",
      );
      await rejectsWith(bench, "noDevice", bench.port.open(info));
    },
  },
  {
    name: "opening a device without permission is refused with access",
    needs: ["access"],
    run: async (bench) => {
      const { info } = await plugLoopback(bench, { isAccessible: false });
      const error = await assertRejects(
        () => within(bench, bench.port.open(info)),
        UsbError,
      );
      assertEquals(error.code, "access");
      assert(error.advice !== undefined, "it says what to do");
    },
  },
  {
    name: "an open device has the label of messages and the port's clock",
    run: async (bench) => {
      const { device, info } = await openLoopback(bench);
      assertEquals(device.label, `1209:0001@${info.portPath}`);
      assertEquals(device.info.id, info.id);
      const before = device.nowMs();
      await bench.advance(20);
      assert(device.nowMs() > before);
    },
  },
];
