/**
 * The floor under our own client: the same native calls, under the same flags,
 * with nothing around them. It waits inside libusb, never lets the event loop
 * have a turn, and serves one endpoint of one device. What it costs beside C no
 * program in this language can save; what `client.ts` costs beside it is ours.
 *
 *     floor.ts LIBRARY CASE...
 *     floor.ts LIBRARY mapped CASE...
 *
 * mapped: the kernel puts data into memory of its own that is mapped here
 * (`libusb_dev_mem_alloc`), which saves its copy. A permission for one library
 * gives no view of memory that is not JavaScript's, so they are copied all the
 * same, by us.
 */

import { createContext } from "../../ffi/context.ts";
import { type Library, openLibrary } from "../../ffi/library.ts";
import {
  LIBUSB_CONTROL_SETUP_SIZE,
  LIBUSB_TRANSFER_TYPE,
  STATUS_PENDING,
  STATUS_PENDING_BYTE,
} from "../../ffi/libusb_constants.ts";
import {
  PACKET,
  PACKET_TABLE_OFFSET,
  TIMEVAL,
  TRANSFER,
} from "../../ffi/libusb_structs.ts";
import { nativeBytes, type Pointer } from "../../ffi/memory.ts";
import {
  ISO_PACKETS,
  type Job,
  jobFrom,
  monotonicClock,
  processCpuNs,
  resultLine,
  Tally,
} from "./client_support.ts";

const { fields } = TRANSFER;
/** Every case has transfers in flight: something wakes it long before. */
const WAIT_S = 10;

/** libusb, an open device, and memory that all of its transfers share. */
class Bench {
  readonly library: Library;
  readonly symbols: Library["symbols"];
  readonly context: Pointer;
  readonly handle: bigint;
  readonly look = nativeBytes(12);
  readonly lookWords = new Int32Array(this.look.buffer);
  readonly lookPointer: Pointer;
  readonly waitTime = nativeBytes(TIMEVAL.sizeBytes);
  readonly waitTimePointer: Pointer;
  /** Gives memory of the kernel's; `undefined` where we use our own. */
  readonly mapped: ((lengthBytes: number) => Pointer) | undefined;

  constructor(
    library: Library,
    context: Pointer,
    of: { readonly handle: bigint; readonly isMapped: boolean },
  ) {
    const { handle } = of;
    this.mapped = of.isMapped ? mapper(library, handle) : undefined;
    this.library = library;
    this.symbols = library.symbols;
    this.context = context;
    this.handle = handle;
    this.lookPointer = library.memory.pointerTo(this.look);
    new DataView(this.waitTime.buffer)
      .setUint32(TIMEVAL.fields.tv_sec[0], WAIT_S, true);
    this.waitTimePointer = library.memory.pointerTo(this.waitTime);
  }

  handleEvents(): void {
    // SAFETY: the time is ours and only read.
    this.symbols.libusb_handle_events_timeout_completed(
      this.context,
      this.waitTimePointer,
      null,
    );
  }
}

/** A transfer, and what is called for it each time. */
class FloorTransfer {
  readonly bench: Bench;
  readonly struct: Pointer;
  readonly status: Pointer;
  /** With the setup of a control transfer in front. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Without it. */
  readonly payload: Uint8Array<ArrayBuffer>;
  readonly #mapped: Pointer | undefined;
  readonly #bytes: bigint;
  startedNs = 0;

  constructor(bench: Bench, job: Job) {
    const { memory, symbols } = bench.library;
    const packets = job.type === LIBUSB_TRANSFER_TYPE.ISOCHRONOUS
      ? ISO_PACKETS
      : 0;
    // SAFETY: ours until the process ends.
    const struct = symbols.libusb_alloc_transfer(packets);
    if (struct === null) throw new Error("no memory");
    const address = memory.address(struct);
    const status = memory.pointer(address + BigInt(fields.status[0]));
    if (status === null) throw new Error("no address");
    this.bench = bench;
    this.struct = struct;
    this.status = status;
    const isControl = job.type === LIBUSB_TRANSFER_TYPE.CONTROL;
    const headBytes = isControl ? LIBUSB_CONTROL_SETUP_SIZE : 0;
    this.data = nativeBytes(headBytes + job.bytes).fill(1);
    this.payload = isControl ? this.data.subarray(headBytes) : this.data;
    this.#mapped = isControl ? undefined : bench.mapped?.(job.bytes);
    this.#bytes = BigInt(job.bytes);
    const table = packets * PACKET.sizeBytes;
    const bytes = nativeBytes(PACKET_TABLE_OFFSET + table);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(fields.dev_handle[0], bench.handle, true);
    view.setUint8(fields.endpoint[0], isControl ? 0 : job.endpoint);
    view.setUint8(fields.type[0], job.type);
    view.setInt32(fields.length[0], this.data.length, true);
    const buffer = this.#mapped === undefined
      ? memory.addressOf(this.data)
      : memory.address(this.#mapped);
    view.setBigUint64(fields.buffer[0], buffer, true);
    view.setInt32(fields.num_iso_packets[0], packets, true);
    for (let n = 0; n < packets; n++) {
      const at = PACKET_TABLE_OFFSET + n * PACKET.sizeBytes;
      view.setUint32(at, job.bytes / packets, true);
    }
    // SAFETY: our own struct, not in flight; the buffer lives with this object.
    memory.write(struct, bytes);
  }

  submit(): void {
    const { symbols } = this.bench;
    // SAFETY: four bytes of our own struct, not in flight.
    symbols.fillNative(this.status, STATUS_PENDING_BYTE, 4);
    // SAFETY: struct and buffer live until the process ends.
    const result = symbols.libusb_submit_transfer(this.struct);
    if (result !== 0) throw new Error(`submit: ${result}`);
  }

  isFinished(): boolean {
    const { symbols, lookPointer, lookWords } = this.bench;
    // SAFETY: twelve bytes of our own struct into a buffer of ours.
    symbols.copyNative(lookPointer, this.status, 12);
    if (lookWords[0] === STATUS_PENDING) return false;
    if (this.#mapped !== undefined) {
      // SAFETY: both are as long as the transfer, which is not in flight.
      symbols.copyOut(this.data, this.#mapped, this.#bytes);
    }
    return true;
  }
}

function mapper(
  library: Library,
  handle: bigint,
): (lengthBytes: number) => Pointer {
  const { symbols } = Deno.dlopen(library.path, {
    libusb_dev_mem_alloc: { parameters: ["u64", "usize"], result: "pointer" },
  });
  return (lengthBytes) => {
    // SAFETY: an open handle; the memory is ours until the process ends.
    const pointer = symbols.libusb_dev_mem_alloc(handle, BigInt(lengthBytes));
    if (pointer === null) throw new Error("no mapped memory");
    return pointer;
  };
}

/** One look, and all that it finds. Called often: what is called once is not compiled well. */
class Reader {
  readonly #bench: Bench;
  readonly #tally: Tally;
  readonly #all: readonly FloorTransfer[];
  #submitted = 0;
  #next = 0;

  constructor(bench: Bench, tally: Tally) {
    this.#bench = bench;
    this.#tally = tally;
    this.#all = Array.from(
      { length: tally.job.depth },
      () =>
        tally.job.type === LIBUSB_TRANSFER_TYPE.CONTROL
          ? controlTransfer(bench, 3, tally.job.bytes)
          : new FloorTransfer(bench, tally.job),
    );
  }

  start(): void {
    for (const transfer of this.#all) this.#submit(transfer);
  }

  look(): void {
    this.#bench.handleEvents();
    for (let n = 0; n < this.#all.length; n++) {
      const transfer = this.#all[this.#next];
      if (transfer === undefined || !transfer.isFinished()) break;
      this.#tally.record(transfer.payload, transfer.startedNs);
      if (this.#submitted < this.#tally.job.count) this.#submit(transfer);
      this.#next = this.#next + 1 === this.#all.length ? 0 : this.#next + 1;
    }
  }

  #submit(transfer: FloorTransfer): void {
    const { job } = this.#tally;
    this.#submitted++;
    if (job.latency) transfer.startedNs = this.#tally.nowNs();
    transfer.submit();
  }
}

async function openDevice(
  library: Library,
  isMapped: boolean,
): Promise<Bench> {
  const { memory, symbols } = library;
  const context = await createContext(library, { hasDiscovery: true });
  const out = nativeBytes(8);
  // SAFETY: out-parameters of ours; the list and the device live until the end.
  symbols.libusb_get_device_list(context, out);
  const list = memory.out(out);
  const first = list && memory.out(memory.read(list, 8));
  if (first === null) throw new Error("no device");
  // SAFETY: as above.
  const result = await symbols.libusb_open(first, out);
  const handle = memory.out(out);
  if (result !== 0 || handle === null) throw new Error(`open: ${result}`);
  // SAFETY: an open handle.
  await symbols.libusb_claim_interface(handle, 0);
  return new Bench(library, context, {
    handle: memory.address(handle),
    isMapped,
  });
}

/** One of the fake device's vendor requests. */
function controlTransfer(
  bench: Bench,
  request: number,
  bytes: number,
): FloorTransfer {
  const transfer = new FloorTransfer(bench, {
    ...jobFrom("0,0,0,0,0,1,1,0"),
    type: LIBUSB_TRANSFER_TYPE.CONTROL,
    bytes,
  });
  const type = request === 1 ? 0x40 : 0xc0;
  transfer.data.set([type, request, 0, 0, 0, 0, bytes & 255, bytes >> 8]);
  return transfer;
}

/** A control transfer to the fake device, waited for on the spot. */
function control(
  bench: Bench,
  request: number,
  data: Uint8Array<ArrayBuffer>,
): void {
  const transfer = controlTransfer(bench, request, data.length);
  transfer.payload.set(data);
  transfer.submit();
  while (!transfer.isFinished()) bench.handleEvents();
  data.set(transfer.payload);
}

function cpuNs(bench: Bench): number {
  const helper = nativeBytes(16);
  control(bench, 2, helper);
  return processCpuNs() -
    Number(new DataView(helper.buffer).getBigUint64(0, true));
}

async function main(): Promise<void> {
  const [path = "", ...rest] = Deno.args;
  const isMapped = rest[0] === "mapped";
  const cases = isMapped ? rest.slice(1) : rest;
  const bench = await openDevice(openLibrary({ path }), isMapped);
  const nowNs = monotonicClock(path);
  for (const text of cases) {
    const job = jobFrom(text);
    const model = nativeBytes(24);
    new BigUint64Array(model.buffer).set(job.model.map(BigInt));
    control(bench, 1, model);
    const tally = new Tally(job, nowNs);
    const reader = new Reader(bench, tally);
    const cpu = cpuNs(bench);
    const wall = nowNs();
    reader.start();
    while (tally.completed < job.count) reader.look();
    const wallNs = nowNs() - wall;
    console.log(resultLine(tally, { wallNs, cpuNs: cpuNs(bench) - cpu }));
  }
  Deno.exit(0);
}

await main();
