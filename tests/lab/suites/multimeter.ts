/** The virtual multimeter as a real device: libusb, usbfs, usbtmc. */

import { timeOf } from "../../../driver/class/usbtmc/link.ts";
import type { UsbtmcOptions } from "../../../driver/class/usbtmc/options.ts";
import { Usbtmc } from "../../../driver/class/usbtmc/usbtmc.ts";
import { Device } from "../../../driver/device.ts";
import { UsbError } from "../../../driver/errors.ts";
import { systemClock } from "../../../driver/host/system_clock.ts";
import { blockByte } from "../../../driver/sim/devices/multimeter_measuring.ts";
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
} from "../../../driver/std.ts";
import { LibusbPort } from "../../../ffi/libusb_port.ts";
import { ExportedBus } from "./exported_bus.ts";
import { until, waitForDevice } from "./sysfs_devices.ts";

const IDS = "1209:0002";

const bus = await ExportedBus.start();
Deno.test.afterAll(() => bus.stop());

interface Bench extends AsyncDisposable {
  readonly device: Device;
  readonly client: Usbtmc;
}

async function open(
  optionsOf: (device: Device) => Partial<UsbtmcOptions> = () => ({}),
): Promise<Bench> {
  await bus.plugMultimeter();
  await waitForDevice(IDS);
  const port = await LibusbPort.open();
  const info = (await port.devices()).find(({ descriptor }) =>
    descriptor.vendorId === 0x1209 && descriptor.productId === 0x0002
  );
  assert(info !== undefined, "the multimeter is listed");
  const device = new Device(
    await port.open(info, { kernelDriver: "detach" }),
  );
  const time = timeOf(systemClock());
  const client = await Usbtmc.open(device, { time, ...optionsOf(device) });
  return {
    device,
    client,
    [Symbol.asyncDispose]: async () => {
      await port.close();
      await bus.unplugAll();
    },
  };
}

Deno.test("Multimeter on a kernel: says who it is", async () => {
  await using bench = await open();
  const { manufacturer, model } = await bench.client.identify();
  assertEquals([manufacturer, model], ["Driver Space", "VM65"]);
});

Deno.test("Multimeter on a kernel: measures", async () => {
  await using bench = await open();
  for (let round = 0; round < 10; round++) {
    const volts = Number(await bench.client.query("MEAS:VOLT:DC?"));
    assertAlmostEquals(volts, 5, 1e-3);
  }
  assertEquals(await bench.client.readErrors(), []);
});

Deno.test("Multimeter on a kernel: sends blocks longer than any transfer", async () => {
  await using bench = await open();
  for (const lengthBytes of [1, 511, 512, 513, 1_500_000]) {
    const block = await bench.client.queryBlock(
      `DATA:BLOC? ${lengthBytes}`,
      { timeoutMs: 30_000 },
    );
    assertEquals(block.length, lengthBytes);
    assert(block.every((byte, at) => byte === blockByte(at)));
  }
});

Deno.test("Multimeter on a kernel: is cleared with an answer half read", async () => {
  await using bench = await open();
  const { client } = bench;
  await client.write("DATA:BLOC? 100000");
  const part = await client.read({ maxBytes: 1_000 });
  assertEquals(part.endOfMessage, false);
  await client.clear();
  assertEquals((await client.identify()).model, "VM65");
});

Deno.test("Multimeter on a kernel: a read without a query times out, and the next one works", async () => {
  await using bench = await open();
  const { client } = bench;
  const error = await assertRejects(
    () => client.read({ timeoutMs: 300 }),
    UsbError,
  );
  assertEquals(error.code, "timedOut");
  assertEquals((await client.identify()).model, "VM65");
});

Deno.test("Multimeter on a kernel: asks for service", async () => {
  const requests: number[] = [];
  await using bench = await open(() => ({
    notifications: "fed",
    onServiceRequest: (statusByte) => requests.push(statusByte),
  }));
  const { client, device } = bench;
  const endpoint = client.pipes.interruptIn?.address;
  assert(endpoint !== undefined, "the multimeter has an interrupt endpoint");
  const input = device.port.openInput({
    endpoint,
    transfersInFlight: 2,
    sink: ({ data }) => {
      client.handleNotification(data);
      return true;
    },
    onEnd: () => {},
  });
  await client.write("*CLS;*SRE 16");
  await client.write("*IDN?");
  await until("a service request", () => requests.length > 0);
  assertEquals((requests[0] ?? 0) & 0x50, 0x50, "RQS, message available");
  await client.read();
  await input.stop();
});
