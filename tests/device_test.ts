import {
  assert,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../driver/std.ts";
import { Device } from "../driver/device.ts";
import { UsbError, type UsbErrorCode } from "../driver/errors.ts";
import { CONTROL_TIMEOUT_MS, MAX_TIMEOUT_MS } from "../driver/limits.ts";
import { VirtualClock } from "../driver/loop/clock.ts";
import type { TransferStatus } from "../driver/port.ts";
import { FakeDevice, outcomeOf } from "./loop/fake_device.ts";

const SETUP = {
  requestType: "vendor",
  recipient: "device",
  request: 0x42,
  value: 1,
  index: 2,
} as const;

function rig(): { fake: FakeDevice; device: Device } {
  const fake = new FakeDevice(new VirtualClock());
  return { fake, device: new Device(fake, () => "polling") };
}

Deno.test("Device turns every status but completed into an error that says what, where and when", async () => {
  const codes: Record<Exclude<TransferStatus, "completed">, UsbErrorCode> = {
    timedOut: "timedOut",
    cancelled: "cancelled",
    stall: "stall",
    overflow: "overflow",
    noDevice: "noDevice",
    error: "io",
    noMemory: "noMemory",
  };
  const { fake, device } = rig();
  for (const [status, code] of Object.entries(codes)) {
    const data = Uint8Array.of(1, 2, 3);
    fake.answer = () => outcomeOf(status as TransferStatus, data);
    const error = await assertRejects(
      () => device.transferIn(0x82, 64),
      UsbError,
      "Cannot read from endpoint 0x82 on 0957:1755@1-4: ",
    );
    assertEquals([error.code, error.state, error.transferredBytes], [
      code,
      "polling",
      3,
    ]);
    assertEquals(error.data, data);
  }
});

Deno.test("Device gives control transfers a time limit when they name none", async () => {
  const { fake, device } = rig();
  fake.answer = () => outcomeOf("completed", Uint8Array.of(7));
  assertEquals(await device.controlIn(SETUP, 1), Uint8Array.of(7));
  await device.controlOut(SETUP, Uint8Array.of(1), { timeoutMs: 50 });
  await device.transferOut(0x02, Uint8Array.of(1));
  assertEquals(fake.requests.map((request) => request.timeoutMs), [
    CONTROL_TIMEOUT_MS,
    50,
    undefined,
  ]);
});

Deno.test("Device refuses time limits and numbers that are none", async () => {
  const { device } = rig();
  for (const timeoutMs of [-1, NaN, MAX_TIMEOUT_MS + 1]) {
    await assertRejects(
      () => device.controlIn(SETUP, 1, { timeoutMs }),
      RangeError,
      "as a time limit",
    );
  }
  await assertRejects(() => device.transferIn(0x191, 64), RangeError);
  await assertRejects(() => device.claimInterface(256), RangeError);
  await assertRejects(() => device.clearHalt(0x1f), RangeError);
  assertThrows(() => device.endpoint(0x1f), RangeError, "bits 6..4");
});

Deno.test("Device has one endpoint object for an address", () => {
  const { device } = rig();
  assert(device.endpoint(0x81) === device.endpoint(0x81));
  assertEquals(device.endpoint(0x81).device, device);
});

Deno.test("Device closes at the end of its block, and twice is a no-op", async () => {
  const { fake } = rig();
  {
    await using device = new Device(fake);
    assertEquals(device.label, "0957:1755@1-4");
    await device.close();
  }
  assert(fake.isClosed);
});
