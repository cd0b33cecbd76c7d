import { UsbError } from "../../driver/errors.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import { BusDevice } from "../../driver/sim/bus_device.ts";
import {
  decodeHeader,
  encodeSubmitResult,
  HEADER_BYTES,
  PACKET_BYTES,
  type UsbipCommand,
  UsbipReader,
} from "../../driver/sim/usbip_codec.ts";
import { UsbipLink } from "../../driver/sim/usbip_link.ts";
import { assertEquals, assertThrows } from "../../driver/std.ts";
import {
  type Answer,
  BULK_IN,
  BULK_OUT,
  Echo,
  ISO_IN,
  readAnswer,
  submit,
  unlink,
} from "./usbip_host.ts";

function makeLink(): {
  link: UsbipLink;
  device: BusDevice;
  answers: Answer[];
  clock: VirtualClock;
} {
  const clock = new VirtualClock();
  const answers: Answer[] = [];
  const device = new BusDevice(new Echo(), {
    clock,
    random: () => 0.5,
    unplug: () => device.kill(),
    replug: () => {},
    configured: () => {},
  });
  device.plug();
  const link = new UsbipLink(
    device,
    (message) => answers.push(readAnswer(message)),
  );
  return { link, device, answers, clock };
}

Deno.test("UsbipReader gives the same commands however the stream is cut", () => {
  const stream = new Uint8Array([
    ...submit({ sequence: 7, endpoint: 0x01, data: Uint8Array.of(1, 2, 3) }),
    ...unlink(8, 7),
    ...submit({
      sequence: 9,
      endpoint: ISO_IN,
      lengthBytes: 8,
      packets: [[0, 4], [4, 4]],
    }),
  ]);
  const whole = [...new UsbipReader().push(stream)];
  assertEquals(whole.map((command) => command.sequence), [7, 8, 9]);
  for (let size = 1; size < 60; size++) {
    const reader = new UsbipReader();
    const cut: UsbipCommand[] = [];
    for (let at = 0; at < stream.length; at += size) {
      cut.push(...reader.push(stream.subarray(at, at + size)));
    }
    assertEquals(cut, whole);
  }
});

const BROKEN: readonly (readonly [what: string, at: number, value: number])[] =
  [
    ["an unknown code", 0, 5],
    ["a third direction", 12, 2],
    ["endpoint 16", 16, 16],
    ["a buffer of 2 GiB", 24, 0x8000_0000],
    ["a negative buffer", 24, 0xffff_fff0],
    ["129 packets", 32, 129],
  ];

for (const [what, at, value] of BROKEN) {
  Deno.test(`UsbipReader refuses ${what} before it takes memory for it`, () => {
    const bytes = submit({ sequence: 1, endpoint: 0x81, lengthBytes: 8 });
    new DataView(bytes.buffer).setUint32(at, value);
    const error = assertThrows(
      () => [...new UsbipReader().push(bytes)],
      UsbError,
    );
    assertEquals(error.code, "protocol");
  });
}

Deno.test("UsbipReader refuses a packet outside of its transfer's buffer", () => {
  for (const packets of [[[0, 9]], [[0xffff_ffff, 1]], [[8, 1]]] as const) {
    const bytes = submit({
      sequence: 1,
      endpoint: ISO_IN,
      lengthBytes: 8,
      packets,
    });
    assertThrows(() => [...new UsbipReader().push(bytes)], UsbError);
  }
});

Deno.test("Headers shorter than a header are a caller's mistake", () => {
  assertThrows(() => decodeHeader(new Uint8Array(47)), RangeError);
});

Deno.test("RET_SUBMIT carries packets behind the data", () => {
  const bytes = encodeSubmitResult({
    sequence: 3,
    status: 0,
    actualLengthBytes: 2,
    startFrame: 11,
    errorCount: 1,
    data: Uint8Array.of(0xaa, 0xbb),
    packets: [{
      offsetBytes: 4,
      lengthBytes: 4,
      actualLengthBytes: 2,
      status: -18,
    }],
  });
  assertEquals(
    [...bytes.subarray(HEADER_BYTES)],
    // deno-fmt-ignore
    [0xaa, 0xbb, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xee],
  );
  const view = new DataView(bytes.buffer);
  assertEquals([view.getUint32(32), view.getUint32(36)], [1, 1]);
});

Deno.test("UsbipLink reads the device descriptor by a control transfer", () => {
  const { link, answers } = makeLink();
  link.receive(submit({
    sequence: 1,
    endpoint: 0x80,
    lengthBytes: 18,
    setup: [0x80, 6, 0, 1, 0, 0, 18, 0],
  }));
  assertEquals(answers[0]?.status, 0);
  assertEquals(answers[0]?.actualLengthBytes, 18);
  assertEquals(answers[0]?.rest.slice(8, 12), [0x09, 0x12, 1, 0]);
});

Deno.test("UsbipLink stalls what the device does not know", () => {
  const { link, answers } = makeLink();
  const setup = [0xc0, 99, 0, 0, 0, 0, 4, 0];
  link.receive(
    submit({ sequence: 1, endpoint: 0x80, lengthBytes: 4, setup }),
  );
  assertEquals(answers.map((answer) => answer.status), [-32]);
});

Deno.test("UsbipLink gives an IN transfer what the device sends later", () => {
  const { link, answers } = makeLink();
  link.receive(submit({ sequence: 1, endpoint: BULK_IN, lengthBytes: 512 }));
  assertEquals(answers, []);
  const data = Uint8Array.of(5, 6);
  link.receive(submit({ sequence: 2, endpoint: BULK_OUT, data }));
  const byNumber = new Map(answers.map((answer) => [answer.sequence, answer]));
  assertEquals(byNumber.get(1)?.rest, [5, 6]);
  assertEquals(byNumber.get(2)?.actualLengthBytes, 2);
  assertEquals(link.pendingTransfers, 0);
});

Deno.test("UsbipLink unlinks a waiting transfer and says so once", () => {
  const { link, answers } = makeLink();
  link.receive(submit({ sequence: 1, endpoint: BULK_IN, lengthBytes: 512 }));
  link.receive(unlink(2, 1));
  link.receive(unlink(3, 1));
  assertEquals(
    answers.map(({ code, sequence, status }) => [code, sequence, status]),
    [[4, 2, -104], [4, 3, 0]],
  );
});

Deno.test("UsbipLink keeps the bytes of a transfer that is unlinked midway", () => {
  const { link, answers } = makeLink();
  link.receive(submit({ sequence: 1, endpoint: BULK_IN, lengthBytes: 2048 }));
  const data = new Uint8Array(512).fill(7);
  link.receive(submit({ sequence: 2, endpoint: BULK_OUT, data }));
  link.receive(unlink(3, 1));
  const [, ended, unlinked] = answers;
  assertEquals([ended?.code, ended?.sequence, ended?.rest.length], [3, 1, 512]);
  assertEquals([unlinked?.code, unlinked?.status], [4, 0]);
});

Deno.test("UsbipLink sends isochronous packets without the gaps between them", async () => {
  const { link, answers, clock } = makeLink();
  link.receive(submit({
    sequence: 1,
    endpoint: ISO_IN,
    lengthBytes: 8,
    packets: [[0, 4], [4, 4]],
  }));
  await clock.advance(10);
  assertEquals(answers[0]?.actualLengthBytes, 6);
  assertEquals(answers[0]?.rest.slice(0, 6), [1, 2, 3, 1, 2, 3]);
  assertEquals(answers[0]?.rest.length, 6 + 2 * PACKET_BYTES);
});

Deno.test("UsbipLink refuses packets with holes between them, packet by packet", () => {
  const { link, answers } = makeLink();
  link.receive(submit({
    sequence: 1,
    endpoint: ISO_IN,
    lengthBytes: 16,
    packets: [[0, 4], [8, 4]],
  }));
  assertEquals(answers[0]?.status, -22);
  assertEquals(answers[0]?.rest.length, 2 * PACKET_BYTES);
});

Deno.test("UsbipLink refuses a sequence number that is in flight", () => {
  const { link } = makeLink();
  const bytes = submit({ sequence: 1, endpoint: BULK_IN, lengthBytes: 8 });
  link.receive(bytes);
  assertThrows(() => link.receive(bytes), UsbError);
});

Deno.test("UsbipLink refuses more bytes in flight than any host has", () => {
  const { link } = makeLink();
  const fill = (sequence: number): void =>
    link.receive(submit({
      sequence,
      endpoint: BULK_IN,
      lengthBytes: 32 * 1024 * 1024,
    }));
  for (let sequence = 0; sequence < 4; sequence++) fill(sequence);
  assertThrows(() => fill(4), UsbError);
  link.close();
});

Deno.test("UsbipLink answers nothing after the device left the bus", () => {
  const { link, device, answers } = makeLink();
  link.receive(submit({ sequence: 1, endpoint: BULK_IN, lengthBytes: 8 }));
  device.kill();
  assertEquals(answers, []);
  assertEquals(link.pendingTransfers, 0);
});
