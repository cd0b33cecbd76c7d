/** Our own client's work, whatever it runs under. Cases as client.c. */

import type { DevicePort, TransferRequest } from "../../driver/port.ts";
import { endpointAddress, type SetupPacket } from "../../driver/usb.ts";
import {
  ISO_PACKETS,
  type Job,
  jobFrom,
  processCpuNs,
  resultLine,
  Tally,
} from "./client_support.ts";

const ISOCHRONOUS_NUMBER = 3;

const NO_DATA = new Uint8Array();

/** What a case took. */
interface Used {
  readonly wallNs: number;
  readonly cpuNs: number;
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

/** Times a case from now to its end. */
async function measured(device: DevicePort, tally: Tally): Promise<Used> {
  const helperNs = tally.helperNs;
  const cpuNs = processCpuNs();
  const wallNs = tally.nowNs();
  await tally.finished.promise;
  const used = {
    wallNs: tally.nowNs() - wallNs,
    cpuNs: processCpuNs() - cpuNs,
  };
  const helped = await helperCpuNs(device) - helperNs;
  return { ...used, cpuNs: used.cpuNs - helped };
}

/**
 * A standing input: what drivers use. Its transfers are made before the clock
 * starts, as C's are.
 */
async function runInput(device: DevicePort, tally: Tally): Promise<Used> {
  const { job } = tally;
  let startedNs = tally.nowNs();
  const input = device.openInput({
    endpoint: endpointAddress(job.endpoint),
    transfersInFlight: job.depth,
    ...(isIsochronous(job) ? { packetsPerTransfer: ISO_PACKETS } : {}),
    transferLengthBytes: job.bytes,
    sink: ({ data }) => {
      tally.record(data, startedNs);
      if (job.latency) startedNs = tally.nowNs();
      return true;
    },
    onEnd: ({ status }) => tally.finished.reject(new Error(status)),
  });
  const used = await measured(device, tally);
  await input.stop();
  return used;
}

/**
 * A standing output. The bytes are those of before, as C's callback resubmits
 * what it has; it begins when the clock does.
 */
async function runOutput(device: DevicePort, tally: Tally): Promise<Used> {
  const { job } = tally;
  let mostSubmitted = 0;
  let submitted = 0;
  let startedNs = 0;
  const output = device.openOutput({
    endpoint: endpointAddress(job.endpoint),
    transfersInFlight: job.depth,
    transferLengthBytes: job.bytes,
    source: (data) => {
      // But for the first of them, a transfer is back whenever the next is asked for.
      if (submitted >= job.depth) tally.record(data, startedNs);
      if (submitted >= mostSubmitted) return undefined;
      submitted++;
      if (job.latency) startedNs = tally.nowNs();
      return data.length;
    },
    onEnd: ({ status }) => tally.finished.reject(new Error(status)),
  });
  await output.drained();
  mostSubmitted = job.count;
  const used = measured(device, tally);
  output.resume();
  await output.drained();
  // Nothing was asked for behind the last of them.
  const { delivered } = output.counters;
  while (tally.completed < delivered) tally.record(NO_DATA, startedNs);
  const done = await used;
  await output.stop();
  return done;
}

/** `depth` loops of one transfer at a time, each with a promise and a buffer of its own. */
async function runTransfers(device: DevicePort, tally: Tally): Promise<Used> {
  const { job } = tally;
  const request = requestFor(job);
  let submitted = 0;
  const loop = async (): Promise<void> => {
    while (submitted < job.count) {
      submitted++;
      const startedNs = job.latency ? tally.nowNs() : 0;
      const { status, data } = await device.transfer(request);
      if (status !== "completed") tally.bad++;
      tally.record(data, startedNs);
    }
  };
  const used = measured(device, tally);
  for (let n = 0; n < job.depth; n++) {
    loop().catch((error) => tally.finished.reject(error));
  }
  return await used;
}

function requestFor(job: Job): TransferRequest {
  if (isControl(job)) {
    return { type: "controlIn", setup: vendor(3), lengthBytes: job.bytes };
  }
  const endpoint = endpointAddress(job.endpoint);
  if (isIsochronous(job)) {
    const lengths = new Array<number>(ISO_PACKETS)
      .fill(job.bytes / ISO_PACKETS);
    return { type: "isochronousIn", endpoint, packetLengthsBytes: lengths };
  }
  return isIn(job)
    ? { type: "in", endpoint, lengthBytes: job.bytes }
    : { type: "out", endpoint, data: new Uint8Array(job.bytes).fill(1) };
}

/** The default control pipe; its transfers are single ones, for everyone. */
function isControl(job: Job): boolean {
  return (job.endpoint & 0x7f) === 0;
}

function isIsochronous(job: Job): boolean {
  return (job.endpoint & 0x7f) === ISOCHRONOUS_NUMBER;
}

function isIn(job: Job): boolean {
  return (job.endpoint & 0x80) !== 0;
}

async function setModel(device: DevicePort, job: Job): Promise<void> {
  const model = BigUint64Array.from(job.model.map(BigInt));
  await device.transfer({
    type: "controlOut",
    setup: vendor(1),
    data: new Uint8Array(model.buffer),
  });
}

/** Runs cases one after the other, printing a line for each. */
export async function runCases(
  device: DevicePort,
  cases: readonly string[],
  by: { readonly design: string; readonly nowNs: () => number },
): Promise<void> {
  for (const text of cases) {
    const job = jobFrom(text);
    await setModel(device, job);
    const tally = new Tally(job, by.nowNs);
    tally.helperNs = await helperCpuNs(device);
    const run = by.design !== "input" || isControl(job)
      ? runTransfers
      : isIn(job)
      ? runInput
      : runOutput;
    const used = await run(device, tally);
    console.log(resultLine(tally, used));
  }
}
