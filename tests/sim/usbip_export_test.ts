import { VirtualClock } from "../../driver/loop/clock.ts";
import { HEADER_BYTES } from "../../driver/sim/usbip_codec.ts";
import { UsbipExport } from "../../driver/sim/usbip_export.ts";
import { assert, assertEquals } from "../../driver/std.ts";
import { BULK_IN, BULK_OUT, Echo, submit } from "./usbip_host.ts";

/** A host's side of a connection. */
function pipe(): {
  host: WritableStreamDefaultWriter<Uint8Array>;
  written: Uint8Array[];
  stream: {
    readable: ReadableStream<Uint8Array>;
    write(bytes: Uint8Array): Promise<number>;
    close(): void;
  };
} {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const host = writable.getWriter();
  const written: Uint8Array[] = [];
  const write = (bytes: Uint8Array): Promise<number> => {
    // A socket takes what fits.
    const part = bytes.slice(0, 40);
    written.push(part);
    return Promise.resolve(part.length);
  };
  const close = (): void => void host.close().catch(() => {});
  return { host, written, stream: { readable, write, close } };
}

Deno.test("UsbipExport is unplugged when the host breaks the protocol", async () => {
  const { host, stream } = pipe();
  const virtual = new Echo();
  const exported = new UsbipExport(virtual, {
    clock: new VirtualClock(),
    random: () => 0.5,
    connect: () => Promise.resolve(stream),
  });
  await exported.plug();
  assert(exported.device !== undefined);
  await host.write(new Uint8Array(HEADER_BYTES).fill(0xff));
  while (!virtual.isUnplugged) await Promise.resolve();
  assertEquals(exported.device, undefined);
  await exported.close();
});

Deno.test("UsbipExport writes whole answers to a socket that takes little", async () => {
  const { host, stream, written } = pipe();
  const exported = new UsbipExport(new Echo(), {
    clock: new VirtualClock(),
    random: () => 0.5,
    connect: () => Promise.resolve(stream),
  });
  await exported.plug();
  const data = new Uint8Array(200).fill(9);
  await host.write(
    submit({ sequence: 1, endpoint: BULK_IN, lengthBytes: 512 }),
  );
  await host.write(submit({ sequence: 2, endpoint: BULK_OUT, data }));
  const total = (): number => written.reduce((sum, b) => sum + b.length, 0);
  while (total() < 2 * HEADER_BYTES + 200) await Promise.resolve();
  await exported.close();
  const text = written.map((bytes) => [...bytes]).flat();
  assertEquals(text.filter((byte) => byte === 9).length, 200);
});

Deno.test("UsbipExport comes back as another device on another connection", async () => {
  const clock = new VirtualClock();
  let connections = 0;
  const first = new Echo();
  const second = new Echo();
  const exported = new UsbipExport(first, {
    clock,
    random: () => 0.5,
    connect: () => {
      connections++;
      return Promise.resolve(pipe().stream);
    },
  });
  await exported.plug();
  exported.replug(100, second);
  assert(first.isUnplugged);
  await clock.advance(100);
  while (exported.device === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assertEquals(connections, 2);
  assertEquals(exported.device.virtual, second);
  await exported.close();
  assert(second.isUnplugged);
});
