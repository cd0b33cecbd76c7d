/**
 * Our own client, under the flags a driver has. Cases as client.c.
 *
 *     client.ts input|fresh LIBRARY CASE...
 *
 * input: a standing input with a sink, data lent; OUT by `transfer` at depth.
 * fresh: `transfer` for each, a new buffer each, as WebUSB gives them.
 */

import type {
  DevicePort,
  InputRing,
  TransferRequest,
} from "../../driver/port.ts";
import {
  type EndpointAddress,
  endpointAddress,
  interfaceNumber,
  type SetupPacket,
} from "../../driver/usb.ts";
import { LibusbPort } from "../../ffi/libusb_port.ts";
import { monotonicClock } from "./client_support.ts";

const ISO_PACKETS = 8;

interface Job {
  readonly mode: number;
  readonly endpoint: EndpointAddress;
  readonly bytes: number;
  readonly depth: number;
  readonly count: number;
  readonly latency: boolean;
}

/** What a running case has seen. */
class Tally {
  completed = 0;
  bad = 0;
  readonly latencies: Float64Array;
  readonly finished = Promise.withResolvers<void>();

  expected = 0;

  constructor(readonly job: Job) {
    this.latencies = new Float64Array(job.latency ? job.count : 0);
  }

  /** Records one completion; `startedNs` matters where the data carry no stamp. */
  record(data: Uint8Array, startedNs: number): void {
    const { job } = this;
    if (this.completed >= job.count) return;
    if ((job.endpoint & 0x80) !== 0) {
      const sequence = (data[0] ?? 0) | (data[1] ?? 0) << 8 |
        (data[2] ?? 0) << 16 | (data[3] ?? 0) << 24;
      if (data.length !== job.bytes || sequence !== this.expected++) this.bad++;
    }
    if (job.latency) {
      const from = job.mode !== 0 ? stampOf(data) : startedNs;
      this.latencies[this.completed] = nowNs() - from;
    }
    if (++this.completed === job.count) this.finished.resolve();
  }
}

/** CLOCK_MONOTONIC, which the data are stamped with. */
let nowNs: () => number = () => 0;

function stampOf(data: Uint8Array): number {
  const view = new DataView(data.buffer, data.byteOffset);
  return view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32;
}

const vendor = (request: number): SetupPacket => ({
  requestType: "vendor",
  recipient: "device",
  request,
  value: 0,
  index: 0,
});

async function helperCpuNs(device: DevicePort): Promise<number> {
  const { data } = await device.transfer({
    type: "controlIn",
    setup: vendor(2),
    lengthBytes: 8,
  });
  return Number(new DataView(data.buffer).getBigUint64(0, true));
}

/** Process CPU time, from Node's own accounting: no permission is needed for it. */
async function cpuNs(device: DevicePort): Promise<number> {
  const { cpuUsage } = await import("node:process");
  const { user, system } = cpuUsage();
  return (user + system) * 1000 - await helperCpuNs(device);
}

/** A standing input: what drivers use. */
async function runInput(device: DevicePort, tally: Tally): Promise<void> {
  const { job } = tally;
  let startedNs = nowNs();
  const isIsochronous = (job.endpoint & 0x7f) === 3;
  const input: InputRing = device.openInput({
    endpoint: job.endpoint,
    transfersInFlight: job.depth,
    ...(isIsochronous ? { packetsPerTransfer: ISO_PACKETS } : {}),
    transferLengthBytes: job.bytes,
    sink: ({ data }) => {
      tally.record(data, startedNs);
      if (job.latency) startedNs = nowNs();
      return true;
    },
    onEnd: ({ status }) => tally.finished.reject(new Error(status)),
  });
  await tally.finished.promise;
  await input.stop();
}

/** `depth` loops of one transfer at a time, each with a promise and a buffer of its own. */
async function runTransfers(device: DevicePort, tally: Tally): Promise<void> {
  const { job } = tally;
  const out = new Uint8Array(job.bytes).fill(1);
  const lengths = new Array<number>(ISO_PACKETS).fill(job.bytes / ISO_PACKETS);
  const request: TransferRequest = (job.endpoint & 0x7f) === 3
    ? {
      type: "isochronousIn",
      endpoint: job.endpoint,
      packetLengthsBytes: lengths,
    }
    : (job.endpoint & 0x80) !== 0
    ? { type: "in", endpoint: job.endpoint, lengthBytes: job.bytes }
    : { type: "out", endpoint: job.endpoint, data: out };
  let submitted = 0;
  const loop = async (): Promise<void> => {
    while (submitted < job.count) {
      submitted++;
      const startedNs = job.latency ? nowNs() : 0;
      const { status, data } = await device.transfer(request);
      if (status !== "completed") tally.bad++;
      tally.record(data, startedNs);
    }
  };
  await Promise.all(Array.from({ length: job.depth }, loop));
}

async function main(): Promise<void> {
  const [design = "", library = "", ...cases] = Deno.args;
  nowNs = monotonicClock(library);
  const port = await LibusbPort.open({ libraryPath: library });
  const [info] = await port.devices();
  if (info === undefined) throw new Error("no device");
  const device = await port.open(info);
  await device.claimInterface(interfaceNumber(0));
  for (const text of cases) {
    const [
      mode = 0,
      a = 0,
      b = 0,
      endpoint = 0,
      bytes = 0,
      depth = 0,
      count = 0,
      latency = 0,
    ] = text.split(",").map(Number);
    const model = new Uint8Array(
      BigUint64Array.from([mode, a, b].map(BigInt)).buffer,
    );
    await device.transfer({
      type: "controlOut",
      setup: vendor(1),
      data: model,
    });
    const job: Job = {
      mode,
      endpoint: endpointAddress(endpoint),
      bytes,
      depth,
      count,
      latency: latency !== 0,
    };
    const tally = new Tally(job);
    const isInput = design === "input" && (endpoint & 0x80) !== 0;
    const cpu = await cpuNs(device);
    const wall = nowNs();
    await (isInput ? runInput(device, tally) : runTransfers(device, tally));
    const wallNs = nowNs() - wall;
    const usedNs = await cpuNs(device) - cpu;
    tally.latencies.sort();
    const at = (part: number): number =>
      tally.latencies[Math.floor(tally.latencies.length * part)] ?? 0;
    console.log(JSON.stringify({
      case: text,
      count: tally.completed,
      wallNs: wallNs,
      cpuNs: usedNs,
      bad: tally.bad,
      p50Ns: at(0.5),
      p99Ns: at(0.99),
    }));
  }
  await device.close();
  await port.close();
}

await main();
