/**
 * npm's `dapjs`, as it is, with two virtual debug probes: one over bulk
 * endpoints (CMSIS-DAP 2), one over control transfers (CMSIS-DAP 1). Connects,
 * writes and reads memory in blocks, flashes, uses the probe's serial port.
 */

import { withWebUsb } from "./installed.ts";

interface Adi {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  readDP(register: number): Promise<number>;
  writeMem32(address: number, value: number): Promise<void>;
  readMem32(address: number): Promise<number>;
  writeBlock(address: number, values: Uint32Array): Promise<void>;
  readBlock(address: number, count: number): Promise<Uint32Array>;
}

interface DapLink {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  flash(image: BufferSource): Promise<void>;
  setSerialBaudrate(rate: number): Promise<void>;
  getSerialBaudrate(): Promise<number>;
  serialWrite(text: string): Promise<void>;
  serialRead(): Promise<ArrayBuffer | undefined>;
}

interface Library {
  readonly WebUSB: new (device: unknown) => object;
  readonly ADI: new (transport: object) => Adi;
  readonly DAPLink: new (transport: object) => DapLink;
}

/** A name the type checker does not follow: its types need Node's. */
const LIBRARY: string = "npm:dapjs@2.3.0";
const BLOCK_WORDS = 1024;
const IMAGE_BYTES = 32 * 1024;

await withWebUsb(async () => {
  const { default: dap }: { default: Library } = await import(LIBRARY);
  const { usb } = navigator as unknown as {
    usb: { requestDevice(options: unknown): Promise<unknown> };
  };
  const results: unknown[] = [];
  for (const productId of [0xda1, 0xda2]) {
    const device = await usb.requestDevice({
      filters: [{ vendorId: 0x1209, productId }],
    });
    const transport = new dap.WebUSB(device);
    results.push({
      ...await debug(new dap.ADI(transport)),
      ...await program(new dap.DAPLink(transport)),
    });
  }
  return results;
});

async function debug(adi: Adi): Promise<Record<string, unknown>> {
  await adi.connect();
  const idcode = await adi.readDP(0);
  await adi.writeMem32(0x2000_0000, 0x1234_5678);
  const word = await adi.readMem32(0x2000_0000);
  const block = Uint32Array.from(
    { length: BLOCK_WORDS },
    (_, at) => at * 2654435761,
  );
  await adi.writeBlock(0x2000_1000, block);
  const read = await adi.readBlock(0x2000_1000, BLOCK_WORDS);
  await adi.disconnect();
  return {
    idcode,
    word,
    words: read.filter((value, at) => value === block[at]).length,
  };
}

async function program(link: DapLink): Promise<Record<string, unknown>> {
  await link.connect();
  await link.setSerialBaudrate(115_200);
  const baudRate = await link.getSerialBaudrate();
  await link.serialWrite("hello probe");
  const heard = await link.serialRead();
  await link.flash(image());
  await link.disconnect();
  return { baudRate, heard: new TextDecoder().decode(heard) };
}

function image(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: IMAGE_BYTES }, (_, at) => at * 13 & 0xff);
}
