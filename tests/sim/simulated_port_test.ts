/** What the simulated port does beyond the contract. */

import { UsbError } from "../../driver/errors.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { SimulatedPort } from "../../driver/sim/simulated_port.ts";
import { assert, assertEquals, assertRejects } from "../../driver/std.ts";
import { endpointAddress } from "../../driver/usb.ts";
import { openSim } from "./sim_bench.ts";

Deno.test("SimulatedPort lets time pass when data never end", async () => {
  await using bench = await openSim(new Loopback());
  let reads = 0;
  const reading = (async () => {
    while (reads < 5_000) {
      await bench.device.transferIn(0x83, 512);
      reads++;
    }
  })();
  for (let round = 0; round < 100_000; round++) await Promise.resolve();
  assert(reads > 500 && reads < 2_000, `${reads} reads without time`);
  for (let turn = 0; reads < 5_000; turn++) {
    assert(turn < 5_000, "time lets it go on");
    await bench.clock.advance(1);
  }
  await reading;
});

Deno.test("SimulatedPort gives a source that never ends to a sink without starving timers", async () => {
  await using bench = await openSim(new Loopback());
  let reports = 0;
  const input = bench.device.port.openInput({
    endpoint: endpointAddress(0x83),
    transfersInFlight: 4,
    sink: () => ++reports > 0,
    onEnd: () => {},
  });
  let fired = 0;
  bench.clock.setTimer(5, () => fired++);
  await bench.clock.advance(5);
  assertEquals(fired, 1);
  assert(reports > 100);
  await input.stop();
});

Deno.test("SimulatedPort ends a watch that is not read, and says so", async () => {
  await using bench = await openSim(new Loopback());
  const watch = bench.port.watch()[Symbol.asyncIterator]();
  const device = new Loopback();
  for (let cycle = 0; cycle < 600; cycle++) {
    bench.bus.plug(device);
    bench.bus.unplug(device);
  }
  const error = await assertRejects(() => watch.next(), UsbError);
  assertEquals(error.code, "noMemory");
});

Deno.test("SimulatedPort keeps the order of an endpoint when completions take their time", async () => {
  await using bench = await openSim(new Loopback(), { jitterMs: 10, seed: 3 });
  const ended: number[] = [];
  const reads = Array.from(
    { length: 20 },
    (_, at) =>
      bench.device.transferIn(at % 2 === 0 ? 0x83 : 0x81, 64, { timeoutMs: 50 })
        .catch(() => {}).then(() => ended.push(at)),
  );
  await bench.clock.advance(200);
  await Promise.all(reads);
  const even = ended.filter((at) => at % 2 === 0);
  const odd = ended.filter((at) => at % 2 === 1);
  assertEquals(even, [...even].sort((a, b) => a - b));
  assertEquals(odd, [...odd].sort((a, b) => a - b));
});

Deno.test("Two simulated ports of one bus see the same devices and respect each other's claims", async () => {
  await using bench = await openSim(new Loopback());
  await using other = new SimulatedPort(bench.bus);
  const [info] = await other.devices();
  assert(info !== undefined);
  assertEquals(info.id, bench.device.info.id);
  const device = await other.open(info);
  const error = await assertRejects(
    () => device.claimInterface(bench.device.claimed.keys().next().value!),
    UsbError,
  );
  assertEquals(error.code, "busy");
  await bench.port.close();
  await device.claimInterface(
    info.configurations[0]!.interfaces[0]!.interfaceNumber,
  );
});
