/** docs/performance.md and its plots, from the bench's data alone. */

import { type Standing, standingLines } from "./ahead.ts";
import { CASES, sizeName } from "./cases.ts";
import { MAPPED_FLOOR, run, SANDBOXED } from "./peers.ts";
import { type Plot, type Series, svg } from "./plots.ts";
import { type CaseProfile, profileTable } from "./profile.ts";
import type { ProductFigures } from "./product.ts";
import { productLines, type ProductVerdict } from "./product_run.ts";
import { type Summary, targetLines, type Verdict } from "./report.ts";

/** All that one run of the bench found. */
export interface BenchData {
  readonly when: string;
  readonly rounds: number;
  readonly isQuick: boolean;
  /** Peers that could not be had, and why. */
  readonly absent: readonly string[];
  readonly measured: readonly Summary[];
  readonly targets: readonly Verdict[];
  /** Beside other languages' bindings. */
  readonly ahead: readonly Standing[];
  readonly product: ProductFigures;
  readonly promises: readonly ProductVerdict[];
  /** Of our client, in the cases whose targets it missed. */
  readonly profiles?: readonly CaseProfile[];
}

const docs = new URL("../../docs/", import.meta.url);
const DEPTHS = [1, 4, 16, 32];
const SIZES = [64, 512, 16_384, 262_144];

/** Writes the page and its plots. */
export async function writePage(data: BenchData): Promise<void> {
  await Deno.mkdir(docs, { recursive: true });
  const plots: Readonly<Record<string, Plot>> = {
    "performance-depth.svg": {
      title: "64-byte bulk reads by queue depth",
      axis: "transfers per second",
      points: DEPTHS.map((depth) => `depth ${depth}`),
      series: throughput(data, DEPTHS.map((d) => `bulk in 64 B depth ${d}`)),
    },
    "performance-size.svg": {
      title: "Bulk reads at depth 16 by transfer size",
      axis: "transfers per second",
      points: SIZES.map(sizeName),
      series: throughput(
        data,
        SIZES.map((size) => `bulk in ${sizeName(size)} depth 16`),
      ),
    },
    "performance-latency.svg": {
      title: "From completion to the program, median and 99th percentile",
      axis: "microseconds",
      points: ["round trip p50", "p99", "each 125 µs p50", "p99", "1 ms p50"],
      series: latencies(data),
    },
    "performance-devices.svg": {
      title: "From interrupt to the reader of events, by number of devices",
      axis: "microseconds",
      points: [1, 8, 64].map((count) => `${count} devices`),
      series: byDevices(data.product),
    },
  };
  for (const [name, plot] of Object.entries(plots)) {
    await Deno.writeTextFile(new URL(name, docs), svg(plot));
  }
  const file = new URL("performance.md", docs);
  await Deno.writeTextFile(file, page(data));
  await run([Deno.execPath(), "fmt", "--quiet", file.pathname]);
}

function peersOf(data: BenchData): string[] {
  return [...new Set(data.measured.map((s) => s.peer))]
    .filter((peer) => !peer.endsWith(", trapped"));
}

function find(
  data: BenchData,
  peer: string,
  caseName: string,
): Summary | undefined {
  return data.measured.find((s) => s.peer === peer && s.caseName === caseName);
}

/** Those that do every case. */
function drawnPeersOf(data: BenchData): string[] {
  return peersOf(data)
    .filter((peer) => peer !== SANDBOXED && peer !== MAPPED_FLOOR);
}

function throughput(data: BenchData, cases: readonly string[]): Series[] {
  return drawnPeersOf(data).map((peer) => ({
    name: peer,
    values: cases.map((name) => find(data, peer, name)?.transfersPerSecond),
  }));
}

function latencies(data: BenchData): Series[] {
  const [trip, quick, slow] = [
    "interrupt round trip 64 B depth 1",
    "interrupts each 125 µs",
    "interrupts each 1 ms (parked)",
  ].map((name) => (peer: string) => find(data, peer, name));
  return drawnPeersOf(data).map((peer) => ({
    name: peer,
    values: [
      trip?.(peer)?.p50Microseconds,
      trip?.(peer)?.p99Microseconds,
      quick?.(peer)?.p50Microseconds,
      quick?.(peer)?.p99Microseconds,
      slow?.(peer)?.p50Microseconds,
    ],
  }));
}

function byDevices(product: ProductFigures): Series[] {
  const paced = product.paths.filter((p) => p.periodMicroseconds === 1_000);
  return [
    {
      name: "handler p50",
      values: paced.map((p) => p.handlerMicroseconds.p50),
    },
    {
      name: "handler p99",
      values: paced.map((p) => p.handlerMicroseconds.p99),
    },
    { name: "event p50", values: paced.map((p) => p.eventMicroseconds.p50) },
    { name: "event p99", values: paced.map((p) => p.eventMicroseconds.p99) },
  ];
}

function page(data: BenchData): string {
  return `# Performance

This page and its plots are written by \`deno task bench --docs\` from one run
(${data.when}, ${data.rounds} ${data.isQuick ? "quick " : ""}rounds). Run it on
your machine: only ratios of one run mean anything, and those of a busy machine
vary.

## Method

A zero-latency usbfs inside the measured process (\`tests/bench/fake_usbfs.c\`),
under the system's real libusb, so that only software is measured: no kernel, no
bus, no device. In every round each peer does the same work in changing order, C
on libusb's asynchronous API among them. Reported are medians over the rounds of
the ratio to C **of the same round**. Data are checked: a transfer with wrong
content makes its row void. Our own client runs under the flags a driver has,
\`--allow-ffi\` for libusb's path and one device node, and its C library keeps the
memory that was freed as in a driver process. Each case is run twice
and counted once: compilers and caches warm up on the first. What is made before
the first transfer, memory above all, is made before the clock starts, in C and
here. What is not compiled while it runs warms up on a part of the work. What is,
node's programs and ours, has done every case once before the first is counted:
compiled code is thrown away when it meets a case unlike those before, and a driver
that runs for months meets that once.

"driverspace, sandboxed" is the same client started as a driver process is: by the
launcher, behind Landlock and the filter, with the device as a descriptor, stage 2
entered and verified before the first case, the runtime's permissions revoked. Two
things differ from a driver process: this usbfs is preloaded into it, for which it
may read one file more, and takes the place of the descriptor that the launcher
opened. In the cases with usbfs's system calls the filter sees each submit and reap
as it would see them with a device. It does the cases that targets are about, and
those nearer to a real device.

The floor is a program in this language that makes the same native calls under
the same flags, and does nothing else: it waits inside libusb, never lets the
event loop have a turn and serves one endpoint. Where it misses a target, no
binding by FFI can meet it on that machine, with that device: see the limits
below.

${
    data.absent.length === 0
      ? "No peer was absent."
      : `Absent: ${data.absent.join("; ")}.`
  }

![Transfers per second by depth](performance-depth.svg)

![Transfers per second by size](performance-size.svg)

![Latency](performance-latency.svg)

![By number of devices](performance-devices.svg)

## Targets

${verdictSection(data)}

What the sandbox costs, a start and a transfer, is measured apart: \`deno task
bench start\`.

${LIMITS}${profileSection(data)}
## All ratios

Throughput above 1 is faster than C; CPU and latency below 1 are better.

${ratioTable(data)}`;
}

function verdictSection(data: BenchData): string {
  return `A target that is not met is written down as not met.

\`\`\`text
${targetLines(data.targets)}

${standingLines(data.ahead)}

${productLines(data.promises, data.product)}
\`\`\`
`;
}

/** Where the time goes in what was missed, as this run found it. */
function profileSection({ profiles = [] }: BenchData): string {
  const table = profileTable(profiles);
  return table === "" ? "" : `### Where the time goes

A sampling profile of our client in each case in which it missed a target against
C. A native call counts where it is made, so the first lines are libusb's, libc's
and the device's work, which C has as well.

${table}
`;
}

/** Found with a sampling profiler; true of the design, whatever the numbers of a run. */
const LIMITS = `## The limit that remains, and why

- **Depth below 26.** C resubmits inside its callback, and this device completes
  inside the submit: so C reaps up to 26 transfers for one poll(2) at any depth,
  and the queue of finished ones never runs empty. We let libusb hand over what is
  ready, then look: at depth 16 a look brings at most 16, and each time the queue
  runs empty, which costs the fake device two more system calls (real usbfs: none,
  and there is no device that completes inside the submit). Three system calls per
  look are all that parts the floor at depth 16 from the floor at depth 32. Where a
  system call takes 100 ns that is little. On a virtual machine with page-table
  isolation, as this was written on, one takes 1.06 µs and empties the translation
  buffers, so that the copies which follow are slower, too: 4 to 10 µs per look.
- **Done by the next look.** The cases of that name are of a device that completes
  what was submitted by the time it is asked again, and nothing inside the submit.
  No real one does that either, yet it is what an ever faster one comes to, and it
  costs no program a system call more than another: C as well polls once per look.
  What is left of the ratio there is the language's part.
- **With usbfs's system calls.** Each submit and each reap of real usbfs is a
  system call, for every program alike. The cases of that name add one to each:
  they are nearer to what a machine with a device shows.
- **Depth 32.** Three native calls belong to each transfer (sentinel, submit,
  look), 7 to 10 ns each as pointers. With what is around them compiled code takes
  30 ns of a transfer in the floor and 45 ns in the product, by a sampling profile;
  C's own 290 ns are libusb's and the fake device's. After 26 transfers of 16 KiB
  the nearest cache holds nothing of ours any more, which adds as much again. A turn
  of the event loop, one in a millisecond while all is busy, costs 5 to 30 µs and what it
  does to the caches.
- **Other bindings.** Where one is ahead it resubmits inside its callback, which
  libusb calls: at small depths of a device that completes inside the submit it
  need not look again, as C need not. Its wake is libusb's own, too. It pays for
  that with each callback, which no depth makes cheaper.
- **Depth 1.** Each round trip is a look of its own: a poll, a read of the clock
  and a submit. C has none of these between two completions of this device.
- **Interrupts.** Between the wake and the handler libusb comes back to us first,
  then we look: 1.5 µs with cold caches, in the floor as well, where C's callback
  runs inside. A parked wake goes through the runtime's thread pool: two wakes of
  threads where C has one. When reports come in a rhythm, the pump is back on the
  thread before the next is due, early enough for most of the ways back, and waits
  there inside libusb.
- **An event out of the process** is a line of JSON on a pipe, as every driver
  writes it; it counts when a program at the other end has read and checked it. In
  a flood that program is the slower one: what finds the pipe full is dropped and
  counted, and the reports' way to the handler stays as it is.
- **What a driver tells its host.** Metrics ride on the heartbeat, and the journal's
  outline goes in one frame for all that came in 10 ms. A full journal puts every
  report with all its bytes into a frame of its own, before the driver sees it: that
  is for the hunt for a bug, at a part of the rate. Measured without the pipe, and
  beside what a process counts in any case.
- **Readers with bytes of their own.** \`for await\` gives each report as an array
  of the reader's. Making and collecting a fresh array of 16 KiB is nearly all it
  costs; where speed matters, use a driver's input, which lends. A stream copies
  once, into the buffer of a reader that brings one (BYOB), and makes nothing; what
  is left is the stream's own: two promises and a handed-over buffer per read.
  Reading into that buffer itself would save the copy, 0.5 to 1 µs for 16 KiB, and
  cost the queue: a stream shows one such buffer at a time, so one transfer would
  be in flight. Compare depth 1 with depth 4 in the table below.
- **A pipe to a file** takes a new array and an asynchronous write per step, a copy
  in each, on both sides of the runtime's thread pool. It takes all that waited in
  one step. At 400 MB/s a write takes as long as the bus takes for a few transfers,
  so a stream has 16 of 64 KiB in flight on such a bus. A bus of 40 MB/s (high speed) leaves it idle most
  of the time. "Through one buffer" reads into a buffer of the reader's own and writes
  from there.
- **Idle devices** cost one parked thread, which nothing wakes. The figure is of the
  whole process, with the timer that ends the window; beside it stands that of the
  process before it opened them.
- **Buffers of the kernel's, mapped** (\`libusb_dev_mem_alloc\`) save the kernel's
  copy. A permission for one library gives no view of memory that is not
  JavaScript's, so we would copy instead: "floor: mapped buffers" does it, beside
  the floor that uses our own. Hence there is no such option. The sandbox's filter
  would allow the mapping.
- **Large transfers** are made in pieces of 1 MiB by \`Device.transferIn\` and
  \`transferOut\`, one after the other, so that usbfs's memory (16 MiB for all
  programs by default) has room for them.
- **OUT data and single transfers.** A standing output asks its source to fill the
  buffer of a transfer right when it is back, and allocates nothing per transfer,
  as a standing input does; OUT is measured so, the source resubmitting what the
  buffer holds, as C does. \`transfer\` copies OUT data when called and gives a
  promise and, for IN, a buffer of the caller's own: "fresh buffers".

`;

function ratioTable(data: BenchData): string {
  const peers = peersOf(data).filter((peer) => peer !== "C");
  const head = `| Case | figure | ${peers.join(" | ")} |\n| --- | --- | ${
    peers.map(() => "---:").join(" | ")
  } |`;
  const rows = CASES.flatMap((c) => {
    const figures = c.latency
      ? ["throughput", "cpu", "p50"] as const
      : ["throughput", "cpu"] as const;
    return figures.map((figure) =>
      `| ${c.name} | ${figure} | ${
        peers.map((peer) => ratioText(find(data, peer, c.name)?.toC[figure]))
          .join(" | ")
      } |`
    );
  });
  return [head, ...rows, ""].join("\n");
}

function ratioText(value: number | undefined): string {
  return value === undefined || Number.isNaN(value)
    ? "-"
    : value.toPrecision(2);
}
