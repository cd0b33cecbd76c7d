/**
 * What streams and `for await` make of a bulk source, beside a standing input of
 * the same: over the zero-latency device, and to a file over a bus model.
 */

import { Device } from "../../driver/device.ts";
import type { DevicePort } from "../../driver/port.ts";
import { endpointAddress } from "../../driver/usb.ts";

/** Megabytes per second of 16 KiB transfers, 8 in flight, over the same fake device. */
export interface StreamFigures {
  /** A standing input's sink: the measure of the others. */
  readonly input: number;
  /** `for await` over reports, each the reader's own. */
  readonly reports: number;
  /** A `ReadableStream`, read with a buffer of the reader's. */
  readonly readable: number;
  /** A `WritableStream`, 64 KiB chunks. */
  readonly writable: number;
  /** A standing input's sink on a SuperSpeed bus, 64 KiB transfers, 16 in flight as a stream has there. */
  readonly busInput: number;
  /** The same bus, a `ReadableStream` piped to a file. */
  readonly busToFile: number;
  /** The same, read into one buffer of the reader's and written from there. */
  readonly busToFileByob: number;
}

const BULK_IN = endpointAddress(0x82);
const STREAM_BYTES = 16 * 1024;
const STREAM_TRANSFERS = 40_000;
/** Less says nothing. */
const EFFORT_MIN = 0.1;
/** As in cases.ts: 5 µs and 2.5 µs per KiB. */
const BUS = [2, 5_000, 2_500] as const;
const BUS_BYTES = 64 * 1024;
const BUS_IN_FLIGHT = 16;
const BUS_TRANSFERS = 2_000;
/** At 400 MB/s a file of 200 MB, twice. */
const PIPE_MS = 500;

/** Tells the fake device how it behaves. */
export async function setModel(
  device: DevicePort,
  ...model: readonly [mode: number, a: number, b: number]
): Promise<void> {
  await device.transfer({
    type: "controlOut",
    setup: {
      requestType: "vendor",
      recipient: "device",
      request: 1,
      value: 0,
      index: 0,
    },
    data: new Uint8Array(BigUint64Array.from(model.map(BigInt)).buffer),
  });
}

/** Megabytes per second of work that moves so many bytes; the second time counts. */
async function rate(
  bytes: number,
  work: () => Promise<void>,
): Promise<number> {
  await work();
  const startMs = performance.now();
  await work();
  return bytes / (performance.now() - startMs) / 1000;
}

/** All of them; a pipe goes to `file`. */
export async function measureStreams(
  port: DevicePort,
  of: { readonly effort: number; readonly file: string },
): Promise<StreamFigures> {
  const effort = Math.max(of.effort, EFFORT_MIN);
  await setModel(port, 0, 0, 0);
  const device = new Device(port);
  const options = { transfersInFlight: 8, transferLengthBytes: STREAM_BYTES };
  const wanted = Math.round(STREAM_TRANSFERS * effort);
  const bytes = wanted * STREAM_BYTES;
  const figures = {
    input: await rate(bytes, () => readInput(port, options, wanted)),
    reports: await rate(bytes, async () => {
      let count = 0;
      for await (const _ of device.endpoint(0x82).reports(options)) {
        if (++count >= wanted) break;
      }
    }),
    readable: await rate(bytes, async () => {
      const reader = device.endpoint(0x82).openReadable(options)
        .getReader({ mode: "byob" });
      let buffer = new Uint8Array(STREAM_BYTES);
      for (let got = 0; got < bytes;) {
        const { value } = await reader.read(buffer);
        if (value === undefined) break;
        got += value.length;
        buffer = new Uint8Array(value.buffer);
      }
      await reader.cancel();
    }),
    writable: await rate(bytes, async () => {
      const writer = device.endpoint(0x02).openWritable().getWriter();
      const chunk = new Uint8Array(4 * STREAM_BYTES);
      for (let count = 0; count < wanted; count += 4) await writer.write(chunk);
      await writer.close();
    }),
  };
  return { ...figures, ...await measurePipe(port, { effort, file: of.file }) };
}

/** Whether a pipe to a file keeps up with a bulk source on a SuperSpeed bus. */
async function measurePipe(
  port: DevicePort,
  of: { readonly effort: number; readonly file: string },
): Promise<Pick<StreamFigures, "busInput" | "busToFile" | "busToFileByob">> {
  await setModel(port, ...BUS);
  const device = new Device(port);
  const wanted = Math.round(BUS_TRANSFERS * of.effort);
  const bytes = wanted * BUS_BYTES;
  const options = {
    transfersInFlight: BUS_IN_FLIGHT,
    transferLengthBytes: BUS_BYTES,
  };
  const open = (): ReadableStream<Uint8Array<ArrayBuffer>> =>
    device.endpoint(0x82).openReadable({ signal: stop() });
  return {
    busInput: await rate(bytes, () => readInput(port, options, wanted)),
    busToFile: await rateToFile(open, {
      path: of.file,
      through: (stream, file) =>
        stream.pipeTo(file.writable, { preventClose: true }),
    }),
    busToFileByob: await rateToFile(open, {
      path: of.file,
      through: writeReused,
    }),
  };
}

/** All that waited, step by step, through one buffer. */
async function writeReused(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  file: Deno.FsFile,
): Promise<void> {
  const reader = stream.getReader({ mode: "byob" });
  let buffer = new Uint8Array(BUS_IN_FLIGHT * BUS_BYTES);
  for (;;) {
    const { value, done } = await reader.read(buffer);
    if (done) return;
    for (let at = 0; at < value.length;) {
      at += await file.write(value.subarray(at));
    }
    buffer = new Uint8Array(value.buffer);
  }
}

/** Ends a stream after a while. */
function stop(): AbortSignal {
  return AbortSignal.timeout(PIPE_MS);
}

/** The second time counts. */
async function rateToFile(
  open: () => ReadableStream<Uint8Array<ArrayBuffer>>,
  to: {
    readonly path: string;
    readonly through: (
      stream: ReadableStream<Uint8Array<ArrayBuffer>>,
      file: Deno.FsFile,
    ) => Promise<void>;
  },
): Promise<number> {
  let rate = 0;
  for (let n = 0; n < 2; n++) {
    const file = await Deno.open(to.path, { write: true, truncate: true });
    const startMs = performance.now();
    await to.through(open(), file);
    const tookMs = performance.now() - startMs;
    rate = (await file.stat()).size / tookMs / 1000;
    file.close();
  }
  return rate;
}

async function readInput(
  port: DevicePort,
  options: {
    readonly transfersInFlight: number;
    readonly transferLengthBytes: number;
  },
  wanted: number,
): Promise<void> {
  let count = 0;
  const done = Promise.withResolvers<void>();
  const input = port.openInput({
    endpoint: BULK_IN,
    ...options,
    sink: () => {
      if (++count >= wanted) done.resolve();
      return true;
    },
    onEnd: ({ status }) => done.reject(new Error(status)),
  });
  await done.promise;
  await input.stop();
}
