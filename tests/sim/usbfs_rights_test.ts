/** Claims, kernel drivers, privileges, reset and settings over usbfs. */

import { ERRNO } from "../../driver/sim/errno.ts";
import { CAPABILITY, USBDEVFS } from "../../driver/sim/usbfs_constants.ts";
import { assert, assertEquals } from "../../driver/std.ts";
import { BULK_IN, command, makeBench, reaped, words } from "./usbfs_client.ts";

Deno.test("usbfs tells capabilities, speed, place and driver", async () => {
  const { open } = makeBench({ kernelDrivers: { 1: "usbtest" } });
  const client = open();
  const { bytes } = await client.call(USBDEVFS.GET_CAPABILITIES, words(0));
  assertEquals(bytes, words(0xdd));
  assert((0xdd & CAPABILITY.BULK_SCATTER_GATHER) !== 0);
  assertEquals(await client.ioctl(USBDEVFS.GET_SPEED), [3, 0]);
  const info = await client.call(0x80185520, new Uint8Array(24));
  assertEquals(info.bytes.subarray(0, 16), words(24, 1, 2, 3));
  assertEquals([...info.bytes.subarray(16, 18)], [1, 1]);
  const small = await client.call(0x80085520, new Uint8Array(24).fill(9));
  assertEquals(small.bytes[8], 9, "no more than the client has room for");
  const driver = new Uint8Array(260);
  driver[0] = 1;
  const named = await client.call(USBDEVFS.GETDRIVER, driver);
  assertEquals(
    new TextDecoder().decode(named.bytes.subarray(4, 11)),
    "usbtest",
  );
  const none = await client.call(USBDEVFS.GETDRIVER, new Uint8Array(260));
  assertEquals(none.answer, [-1, ERRNO.NODATA]);
  assertEquals(await client.ioctl(0x5599), [-1, ERRNO.NOTTY]);
});

Deno.test("usbfs detaches, claims and attaches kernel drivers", async () => {
  const { open } = makeBench({ kernelDrivers: { 0: "usbtest" } });
  const client = open();
  const claim = () => client.call(USBDEVFS.CLAIMINTERFACE, words(0));
  const driver = async (code: number): Promise<readonly number[]> =>
    (await client.call(USBDEVFS.IOCTL, words(0, code, 0, 0))).answer;
  assertEquals((await claim()).answer, [-1, ERRNO.BUSY]);
  assertEquals(await driver(USBDEVFS.DISCONNECT), [0, 0]);
  assertEquals(await driver(USBDEVFS.DISCONNECT), [-1, ERRNO.NODATA]);
  assertEquals((await claim()).answer, [0, 0]);
  assertEquals(await driver(USBDEVFS.CONNECT), [-1, ERRNO.BUSY]);
  const release = () => client.call(USBDEVFS.RELEASEINTERFACE, words(0));
  assertEquals((await release()).answer, [0, 0]);
  assertEquals((await release()).answer, [-1, ERRNO.INVAL]);
  assertEquals(await driver(USBDEVFS.CONNECT), [1, 0]);
  const exceptUsbfs = new Uint8Array(264);
  exceptUsbfs[4] = 2;
  exceptUsbfs.set(new TextEncoder().encode("usbfs"), 8);
  const taken = await client.call(USBDEVFS.DISCONNECT_CLAIM, exceptUsbfs);
  assertEquals(taken.answer, [0, 0]);
  const foreign = await open().call(USBDEVFS.DISCONNECT_CLAIM, exceptUsbfs);
  assertEquals(foreign.answer, [-1, ERRNO.BUSY]);
});

Deno.test("usbfs lets privileges be dropped once and for all", async () => {
  const { open } = makeBench({ kernelDrivers: { 1: "usbtest" } });
  const client = open();
  await client.call(USBDEVFS.DROP_PRIVILEGES, words(0b10));
  await client.call(USBDEVFS.DROP_PRIVILEGES, words(0b11));
  const { answer } = await client.call(USBDEVFS.CLAIMINTERFACE, words(0));
  assertEquals(answer, [-1, ERRNO.ACCES], "the mask only shrinks");
  const detach = words(1, USBDEVFS.DISCONNECT, 0, 0);
  assertEquals((await client.call(USBDEVFS.IOCTL, detach)).answer, [
    -1,
    ERRNO.ACCES,
  ]);
  const disconnectClaim = new Uint8Array(264);
  disconnectClaim[0] = 1;
  const claimed = await client.call(USBDEVFS.DISCONNECT_CLAIM, disconnectClaim);
  assertEquals(claimed.answer, [-1, ERRNO.ACCES]);
  assertEquals(await client.ioctl(USBDEVFS.RESET), [-1, ERRNO.ACCES]);
});

Deno.test("usbfs resets: transfers end, claims are lost, halts clear, the configuration stays", async () => {
  const { open } = makeBench();
  const client = open();
  await client.call(USBDEVFS.CLAIMINTERFACE, words(0));
  await client.submit(BULK_IN(64));
  assertEquals(await command(client, 5, 0, 0x83), 0);
  assertEquals(await client.ioctl(USBDEVFS.RESET), [0, 0]);
  assertEquals(reaped(await client.reap()).status, -ERRNO.SHUTDOWN);
  const other = open();
  const { answer } = await other.call(USBDEVFS.CLAIMINTERFACE, words(0));
  assertEquals(answer, [0, 0]);
  await other.submit(BULK_IN(64, 0x83));
  assertEquals(reaped(await other.reap()).status, 0);
  const configuration = await other.call(
    USBDEVFS.SETCONFIGURATION,
    words(2),
  );
  assertEquals(configuration.answer, [-1, ERRNO.BUSY]);
});

Deno.test("usbfs changes configurations and alternate settings with their endpoints", async () => {
  const { open, bus, device } = makeBench();
  const changes: string[] = [];
  bus.observe({
    plugged: () => {},
    unplugged: () => {},
    changed: (path, content) => changes.push(`${path}=${content}`),
  });
  const client = open();
  const { answer } = await client.call(USBDEVFS.SETINTERFACE, words(0, 1));
  assertEquals(answer, [0, 0]);
  assertEquals((await client.submit(BULK_IN(64))).answer, [-1, ERRNO.NOENT]);
  const wrong = await client.call(USBDEVFS.SETINTERFACE, words(0, 7));
  assertEquals(wrong.answer, [-1, ERRNO.INVAL]);
  await client.call(USBDEVFS.RELEASEINTERFACE, words(0));
  assertEquals(bus.find(device)?.device.alternateOf(0), 0);
  const second = await client.call(USBDEVFS.SETCONFIGURATION, words(2));
  assertEquals(second.answer, [0, 0]);
  const unknown = await client.call(USBDEVFS.SETCONFIGURATION, words(3));
  assertEquals(unknown.answer, [-1, ERRNO.INVAL]);
  assertEquals((await client.submit(BULK_IN(64, 0x83))).answer, [
    -1,
    ERRNO.NOENT,
  ]);
  assertEquals(changes, [
    "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-1/bConfigurationValue=2\n",
  ]);
});
