/** Transfers over usbfs as the kernel does them, ioctl by ioctl. */

import { ERRNO } from "../../driver/sim/errno.ts";
import {
  URB_FLAG,
  URB_TYPE,
  USBDEVFS,
} from "../../driver/sim/usbfs_constants.ts";
import { assert, assertEquals, assertRejects } from "../../driver/std.ts";
import {
  BULK_IN,
  BULK_OUT,
  command,
  makeBench,
  reaped,
  words,
} from "./usbfs_client.ts";

Deno.test("usbfs echoes a bulk transfer and claims the interface by itself", async () => {
  const { open } = makeBench();
  const client = open();
  const data = crypto.getRandomValues(new Uint8Array(1500));
  assertEquals((await client.submit(BULK_OUT(data))).answer, [0, 0]);
  assertEquals(reaped(await client.reap()).actualLengthBytes, 1500);
  await client.submit(BULK_IN(4096));
  const echoed = reaped(await client.reap());
  assertEquals([echoed.status, echoed.actualLengthBytes], [0, 1500]);
  assertEquals(echoed.data, data);
  const other = open();
  const { answer } = await other.call(USBDEVFS.CLAIMINTERFACE, words(0));
  assertEquals(answer, [-1, ERRNO.BUSY]);
  client.session.closed();
  const again = await other.call(USBDEVFS.CLAIMINTERFACE, words(0));
  assertEquals(again.answer, [0, 0]);
});

Deno.test("usbfs answers EAGAIN when nothing is completed and ENODEV after unplug", async () => {
  const { open, bus, device } = makeBench();
  const client = open();
  assertEquals(await client.reap(), [-1, ERRNO.AGAIN]);
  await client.submit(BULK_IN(64));
  bus.unplug(device);
  assertEquals(reaped(await client.reap()).status, -ERRNO.SHUTDOWN);
  assertEquals(await client.reap(), [-1, ERRNO.NODEV]);
  assertEquals(await client.ioctl(USBDEVFS.GET_SPEED), [-1, ERRNO.NODEV]);
});

Deno.test("usbfs keeps data whose length is a multiple of the packet size open", async () => {
  const { open } = makeBench();
  const client = open();
  await client.submit(BULK_IN(2048));
  await client.submit(BULK_OUT(new Uint8Array(512).fill(1)));
  assertEquals(
    reaped(await client.reap()).actualLengthBytes,
    512,
    "the OUT transfer",
  );
  assertEquals(await client.reap(), [-1, ERRNO.AGAIN]);
  await client.submit(BULK_OUT(new Uint8Array(0)));
  const ends = [reaped(await client.reap()), reaped(await client.reap())];
  assertEquals(ends.map((end) => end.actualLengthBytes).sort(), [0, 512]);
});

Deno.test("usbfs sends the zero-length packet that a flag asks for", async () => {
  const { open } = makeBench();
  const client = open();
  await client.submit({
    ...BULK_OUT(new Uint8Array(512).fill(1)),
    flags: URB_FLAG.ZERO_PACKET,
  });
  await client.reap();
  await client.submit(BULK_IN(2048));
  assertEquals(reaped(await client.reap()).actualLengthBytes, 512);
});

Deno.test("usbfs ends a transfer with babble and loses the rest of that packet only", async () => {
  const { open } = makeBench();
  const client = open();
  await client.submit(BULK_OUT(new Uint8Array(600).fill(3)));
  await client.reap();
  await client.submit(BULK_IN(100));
  assertEquals(reaped(await client.reap()).status, -ERRNO.OVERFLOW);
  await client.submit(BULK_IN(512));
  const rest = reaped(await client.reap());
  assertEquals([rest.status, rest.actualLengthBytes], [0, 88]);
});

Deno.test("usbfs halts an endpoint until CLEAR_HALT, waiting transfers included", async () => {
  const { open } = makeBench();
  const client = open();
  const waiting = await client.submit(BULK_IN(64));
  assertEquals(await command(client, 5, 0, 0x81), -ERRNO.PIPE);
  const control = reaped(await client.reap());
  assert(control.address !== waiting.address);
  await client.submit(BULK_IN(64));
  assertEquals(reaped(await client.reap()).status, -ERRNO.PIPE);
  const { answer } = await client.call(USBDEVFS.CLEAR_HALT, words(0x81));
  assertEquals(answer, [0, 0]);
  await client.submit(BULK_OUT(Uint8Array.of(1, 2)));
  await client.reap();
  await client.submit(BULK_IN(64));
  assertEquals(reaped(await client.reap()).data, Uint8Array.of(1, 2));
});

Deno.test("usbfs loses a packet when the halt was cleared at the device's end alone", async () => {
  const { open } = makeBench();
  const client = open();
  await client.call(USBDEVFS.CLAIMINTERFACE, words(0));
  for (let packet = 0; packet < 2; packet++) {
    await client.submit(BULK_OUT(Uint8Array.of(packet)));
    await client.reap();
  }
  await client.submit(BULK_IN(64));
  assertEquals(reaped(await client.reap()).data, Uint8Array.of(0));
  // CLEAR_FEATURE(ENDPOINT_HALT) as a plain control transfer.
  await client.submit({
    type: URB_TYPE.CONTROL,
    endpoint: 0,
    data: Uint8Array.of(2, 1, 0, 0, 0x81, 0, 0, 0),
  });
  assertEquals(reaped(await client.reap()).status, 0);
  await client.submit(BULK_IN(64));
  assertEquals(
    await client.reap(),
    [-1, ERRNO.AGAIN],
    "the packet was taken for a repetition",
  );
});

Deno.test("usbfs discards by address, and the transfer is reaped with ENOENT", async () => {
  const { open } = makeBench();
  const client = open();
  const { address } = await client.submit(BULK_IN(64));
  assertEquals(await client.ioctl(USBDEVFS.DISCARDURB, address), [0, 0]);
  assertEquals(await client.ioctl(USBDEVFS.DISCARDURB, address), [
    -1,
    ERRNO.INVAL,
  ]);
  assertEquals(reaped(await client.reap()).status, -ERRNO.NOENT);
});

Deno.test("usbfs refuses lengths, packet counts and addresses before it allocates", async () => {
  const { open, bus } = makeBench();
  const client = open();
  const submit = async (
    change: (view: DataView) => void,
  ): Promise<readonly number[]> => {
    const bytes = new Uint8Array(56);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, URB_TYPE.BULK);
    view.setUint8(1, 0x81);
    view.setBigUint64(16, 0x20000n, true);
    change(view);
    return (await client.call(USBDEVFS.SUBMITURB, bytes)).answer;
  };
  const refused = [-1, ERRNO.INVAL];
  assertEquals(await submit((v) => v.setInt32(24, -1, true)), refused);
  assertEquals(await submit((v) => v.setInt32(24, 0x7fffffff, true)), refused);
  assertEquals(await submit((v) => v.setUint32(8, 0x1000, true)), refused);
  assertEquals(await submit((v) => v.setUint8(0, 9)), refused);
  assertEquals(
    await submit((v) => v.setInt32(24, 0x7000_0000, true)),
    [-1, ERRNO.NOMEM],
  );
  assertEquals(await submit((v) => v.setUint8(1, 0x8f)), [-1, ERRNO.NOENT]);
  assertEquals(
    await submit((v) => {
      v.setUint8(1, 0x01);
      v.setInt32(24, 16, true);
      v.setBigUint64(16, 1n, true);
    }),
    [-1, ERRNO.FAULT],
  );
  for (const packets of [-1, 0, 129, 0x7fffffff]) {
    const answer = await submit((v) => {
      v.setUint8(0, URB_TYPE.ISO);
      v.setInt32(36, packets, true);
    });
    assertEquals(answer, refused);
  }
  assertEquals(bus.usbfsMemory.usedBytes, 0);
});

Deno.test("usbfs charges transfers in flight to one budget", async () => {
  const { open, bus } = makeBench();
  const client = open();
  const answers: number[] = [];
  for (let transfer = 0; transfer < 18; transfer++) {
    const bytes = new Uint8Array(56);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, URB_TYPE.BULK);
    view.setUint8(1, 0x81);
    view.setBigUint64(16, 0x20000n, true);
    view.setInt32(24, 1024 * 1024, true);
    answers.push((await client.call(USBDEVFS.SUBMITURB, bytes)).answer[1]);
  }
  assertEquals(answers.filter((errno) => errno === 0).length, 15);
  assertEquals(answers.at(-1), ERRNO.NOMEM);
  client.session.closed();
  assertEquals(bus.usbfsMemory.usedBytes, 0);
});

Deno.test("usbfs does control and bulk transfers in one call, with time limits", async () => {
  const { open, clock } = makeBench();
  const client = open();
  const buffer = client.place(new Uint8Array(64));
  const argument = (first: number, second: number, timeoutMs: number) => {
    const bytes = new Uint8Array(24);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, first, true);
    view.setUint32(4, second, true);
    view.setUint32(8, timeoutMs, true);
    view.setBigUint64(16, buffer, true);
    return bytes;
  };
  const control = await client.call(
    USBDEVFS.CONTROL,
    argument(0x0880, 0x0001_0000, 1000),
  );
  assertEquals(control.answer, [1, 0]);
  assertEquals(await client.peek(buffer, 1), Uint8Array.of(1));
  const late = client.call(USBDEVFS.BULK, argument(0x81, 64, 100));
  await clock.advance(101);
  assertEquals((await late).answer, [-1, ERRNO.TIMEDOUT]);
});

Deno.test("usbfs has a reap that waits, for data and for the end", async () => {
  const { open, bus, device } = makeBench();
  const client = open();
  const waits = client.reap(USBDEVFS.REAPURB);
  await client.submit(BULK_OUT(Uint8Array.of(1)));
  assertEquals(reaped(await waits).status, 0);
  const ends = client.reap(USBDEVFS.REAPURB);
  bus.unplug(device);
  assertEquals(await ends, [-1, ERRNO.NODEV]);
});

Deno.test("usbfs runs isochronous packets on the frame clock", async () => {
  const { open, clock } = makeBench();
  const client = open();
  await client.call(USBDEVFS.SETINTERFACE, words(1, 1));
  const iso = {
    type: URB_TYPE.ISO,
    endpoint: 0x84,
    data: new Uint8Array(8 * 16),
    packetLengthsBytes: Array<number>(8).fill(16),
    flags: URB_FLAG.ISO_ASAP,
  };
  await client.submit(iso);
  await client.submit(iso);
  await clock.advance(1.9);
  assertEquals(await client.reap(), [-1, ERRNO.AGAIN]);
  await clock.advance(0.2);
  const first = reaped(await client.reap());
  assertEquals(first.packets.map((packet) => packet.actualLengthBytes), [
    ...Array<number>(8).fill(16),
  ]);
  const frames = Array.from(
    { length: 8 },
    (_, packet) => first.data[packet * 16],
  );
  assertEquals(frames, [8, 9, 10, 11, 12, 13, 14, 15]);
  await clock.advance(1);
  assertEquals(reaped(await client.reap()).data[0], 16);
});

Deno.test("usbfs fails ioctls by schedule", async () => {
  const { open, bus, device } = makeBench();
  bus.find(device)?.device.faults.add({
    ioctl: USBDEVFS.SUBMITURB,
    after: 1,
    fault: { kind: "status", errno: "NOMEM" },
  });
  const client = open();
  const errnos: number[] = [];
  for (let at = 0; at < 3; at++) {
    errnos.push((await client.submit(BULK_IN(64))).answer[1]);
  }
  assertEquals(errnos, [0, ERRNO.NOMEM, 0]);
});

Deno.test("usbfs reads descriptors from the file position on", () => {
  const { open, device } = makeBench();
  const { session } = open();
  assertEquals(session.read(18), device.descriptors.device);
  const rest = session.read(10_000);
  assertEquals(rest[1], 2);
  session.seek(0);
  assertEquals(session.read(2), Uint8Array.of(18, 1));
});

Deno.test("usbfs hides no bug of a virtual device", async () => {
  const { open, device } = makeBench();
  device.control = () => {
    throw new TypeError("a bug");
  };
  const client = open();
  await assertRejects(() => command(client, 1), TypeError, "a bug");
});
