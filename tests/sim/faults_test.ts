/** Faults by rule, and descriptors that lie. */

import { parseConfigurations } from "../../driver/descriptors.ts";
import { UsbError } from "../../driver/errors.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { type FaultRule, FaultSchedule } from "../../driver/sim/faults.ts";
import { lenientDeviceDescriptor } from "../../driver/sim/lenient_descriptors.ts";
import { MALFORMATIONS } from "../../driver/sim/malformed.ts";
import { seededRandom } from "../../driver/sim/seeded_random.ts";
import { MAX_FAULT_RULES } from "../../driver/sim/sim_limits.ts";
import { SimulatedPort } from "../../driver/sim/simulated_port.ts";
import { VirtualBus } from "../../driver/sim/virtual_bus.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../driver/std.ts";
import { endpointAddress } from "../../driver/usb.ts";
import { openSim } from "./sim_bench.ts";

const STALL = { kind: "stall" } as const;
const IN = { endpoint: endpointAddress(0x81) };

Deno.test("A fault rule lets some through, applies so often, then is spent", () => {
  const faults = new FaultSchedule(seededRandom(1));
  faults.add({ endpoint: 0x81, after: 2, times: 3, fault: STALL });
  const seen = Array.from(
    { length: 8 },
    () => faults.forTransfer(IN) !== undefined,
  );
  assertEquals(seen, [false, false, true, true, true, false, false, false]);
  assertEquals(faults.injected, 3);
});

Deno.test("A fault rule of 0 times applies until it is taken back", () => {
  const faults = new FaultSchedule(seededRandom(1));
  faults.add({ times: 0, fault: STALL });
  for (let at = 0; at < 50; at++) assertEquals(faults.forTransfer(IN), STALL);
  faults.clear();
  assertEquals(faults.forTransfer(IN), undefined);
});

Deno.test("A fault rule meets its endpoint, its request, and no control transfer by accident", () => {
  const meets = (
    rule: FaultRule,
    endpoint: number,
    request?: number,
  ): boolean => {
    const faults = new FaultSchedule(seededRandom(1));
    faults.add(rule);
    return faults.forTransfer({
      endpoint: endpointAddress(endpoint),
      ...(request === undefined ? {} : { request }),
    }) !== undefined;
  };
  assert(meets({ fault: STALL }, 0x81));
  assert(!meets({ fault: STALL }, 0, 5));
  assert(meets({ endpoint: 0, fault: STALL }, 0x80, 5));
  assert(meets({ endpoint: 0, request: 5, fault: STALL }, 0, 5));
  assert(!meets({ endpoint: 0, request: 5, fault: STALL }, 0, 6));
  assert(!meets({ endpoint: 0x82, fault: STALL }, 0x81));
  assert(!meets({ fault: { kind: "short", lengthBytes: 1 } }, 0x01));
  assert(!meets({ ioctl: 5, fault: { kind: "status", errno: "IO" } }, 0x81));
});

Deno.test("A fault by chance repeats under the same seed", () => {
  const run = (seed: number): string => {
    const faults = new FaultSchedule(seededRandom(seed));
    faults.add({ times: 0, probability: 0.5, fault: STALL });
    return Array.from({ length: 64 }, () => faults.forTransfer(IN) ? 1 : 0)
      .join("");
  };
  assertEquals(run(5), run(5));
  assert(run(5) !== run(6));
  assert(/01/.test(run(5)) && /10/.test(run(5)));
});

Deno.test("Fault rules that make no sense are refused, and there is an end to them", () => {
  const faults = new FaultSchedule(seededRandom(1));
  const wrong: readonly FaultRule[] = [
    { after: -1, fault: STALL },
    { fault: { kind: "short", lengthBytes: -1 } },
    { ioctl: 5, fault: STALL },
    { fault: { kind: "late", delayMs: NaN } },
  ];
  for (const rule of wrong) assertThrows(() => faults.add(rule), RangeError);
  for (let at = 0; at < MAX_FAULT_RULES; at++) faults.add({ fault: STALL });
  assertThrows(() => faults.add({ fault: STALL }), RangeError);
});

Deno.test("A disconnect strikes before, during or after a transfer, in both directions", async () => {
  const run = async (
    endpoint: number,
    when: "before" | "during" | "after",
  ): Promise<readonly [string, number]> => {
    await using bench = await openSim(new Loopback());
    const { faults } = bench.plugged.device;
    await bench.device.transferOut(1, new Uint8Array(100));
    faults.add({ endpoint, fault: { kind: "disconnect", when, atBytes: 40 } });
    const isIn = (endpoint & 0x80) !== 0;
    const outcome = await bench.device.port.transfer(
      endpoint === 0
        ? {
          type: "controlIn",
          setup: {
            requestType: "vendor",
            recipient: "device",
            request: 1,
            value: 0,
            index: 0,
          },
          lengthBytes: 100,
        }
        : isIn
        ? { type: "in", endpoint: endpointAddress(endpoint), lengthBytes: 512 }
        : {
          type: "out",
          endpoint: endpointAddress(endpoint),
          data: new Uint8Array(100),
        },
    );
    assertEquals(bench.bus.devices.length, 0);
    return [outcome.status, outcome.actualLengthBytes];
  };
  for (const endpoint of [0x81, 0x01, 0]) {
    assertEquals(await run(endpoint, "before"), ["noDevice", 0]);
    assertEquals(await run(endpoint, "during"), ["noDevice", 40]);
    assertEquals(await run(endpoint, "after"), ["completed", 100]);
  }
});

Deno.test("A babble, a zero-length packet and a wire error cost no queued data", async () => {
  await using bench = await openSim(new Loopback());
  const { faults } = bench.plugged.device;
  await bench.device.transferOut(1, Uint8Array.of(1, 2, 3));
  faults.add({ endpoint: 0x81, fault: { kind: "babble" } });
  faults.add({ endpoint: 0x81, fault: { kind: "zeroLength" } });
  faults.add({ endpoint: 0x81, fault: { kind: "status", errno: "ILSEQ" } });
  const read = (): Promise<Uint8Array> => bench.device.transferIn(0x81, 512);
  const babble = await assertRejects(read, UsbError);
  assertEquals(babble.code, "overflow");
  assertEquals((await read()).length, 0);
  assertEquals((await assertRejects(read, UsbError)).code, "io");
  assertEquals(await read(), Uint8Array.of(1, 2, 3));
});

Deno.test("Descriptors that lie are read without harm, listed, and driven as far as they go", async () => {
  let openable = 0;
  for (const kind of MALFORMATIONS) {
    for (let seed = 0; seed < 60; seed++) {
      const clock = new VirtualClock();
      const bus = new VirtualBus({ clock, random: seededRandom(seed) });
      const port = new SimulatedPort(bus);
      const device = new Loopback({ malformation: { kind, seed } });
      const plugged = bus.plug(device);
      assert(plugged.tree.length > 0);
      plugged.open().read(70_000);
      const [info] = await port.devices();
      assert(info !== undefined, `${kind} under seed ${seed} is not listed`);
      const open = await port.open(info);
      for (const face of info.configurations[0]?.interfaces ?? []) {
        await open.claimInterface(face.interfaceNumber);
        for (const { endpoints } of face.alternates.slice(0, 1)) {
          for (const { endpointAddress: address, direction } of endpoints) {
            if (direction === "out") continue;
            const abort = new AbortController();
            const reading = open.transfer({
              type: "in",
              endpoint: address,
              lengthBytes: 64,
              signal: abort.signal,
            }).catch(() => undefined);
            abort.abort();
            await reading;
            openable++;
          }
        }
      }
      await port.close();
      bus.close();
    }
  }
  assert(openable > 500, `${openable} endpoints could be tried`);
});

Deno.test("A configuration of noise never ends in an exception or a loop", () => {
  const random = seededRandom(11);
  for (let run = 0; run < 5_000; run++) {
    const bytes = Uint8Array.from(
      { length: Math.floor(random() * 80) },
      () => Math.floor(random() * 256),
    );
    if (random() < 0.9 && bytes.length > 2) bytes.set([9, 2]);
    const [configuration] = parseConfigurations(bytes, 1);
    for (const face of configuration?.interfaces ?? []) {
      assert(face.alternates.length > 0);
    }
    lenientDeviceDescriptor(bytes);
  }
});
