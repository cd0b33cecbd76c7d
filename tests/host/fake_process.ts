/** A driver process without a process: frames in and out, and an end when told. */

import type { ClientProcess } from "../../driver/host/client_process.ts";
import { LineSplitter } from "../../driver/host/line_splitter.ts";
import {
  decodeStandbyOrder,
  encodeParked,
  type StandbyOrder,
} from "../../driver/host/standby_words.ts";
import {
  decodeHostFrame,
  type DriverFrame,
  encodeFrame,
  type HostFrame,
  type SandboxSummary,
} from "../../driver/host/wire.ts";
import type { WireTelemetry } from "../../driver/host/wire_telemetry.ts";

/** READY of a device nobody has. */
export const READY: DriverFrame = {
  type: "ready",
  device: { vid: "0957", pid: "1755", path: "1-1" },
  sandbox: { mode: "direct", layers: {} },
};

/** A heartbeat of an idle driver. */
export function beat(sequence: number, reports = 0): DriverFrame {
  return {
    type: "heartbeat",
    sequence,
    lagMs: 0,
    depth: { reports: 0 },
    inFlight: 1,
    reports,
    dropped: 0,
    progress: 0,
  };
}

/** Last words of a driver that stopped in order. */
export const STOPPED: DriverFrame = {
  type: "exit",
  reason: "clean",
  message: "Stopped as asked",
  safeState: "done",
};

/** Counters of a meter that was read twice. */
export const TELEMETRY: WireTelemetry = {
  endpoints: [
    {
      endpoint: 0x81,
      type: "interrupt",
      ended: { completed: 2, stall: 1 },
      bytesIn: 16,
      bytesOut: 0,
      inFlight: 2,
      isPaused: true,
    },
    {
      endpoint: 0,
      type: "control",
      ended: { completed: 3 },
      bytesIn: 24,
      bytesOut: 8,
      inFlight: 0,
      isPaused: false,
    },
  ],
  drops: [{ endpoint: 0x81, dropped: { keepLatest: 5 } }],
  durations: { control: { counts: [2, 1, ...zeros(13)], sumMs: 0.25 } },
  latency: { counts: [1, 0, 0, 0, 1, ...zeros(10)], sumMs: 1.5 },
  retries: { stall: 1 },
  refused: { commands: 2, events: 0 },
  logged: { lines: { info: 4, warn: 1 }, dropped: 1 },
};

function zeros(length: number): number[] {
  return new Array(length).fill(0);
}

/** What a process can be told from a test. */
export class FakeProcess implements ClientProcess {
  readonly pid = 4711;
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  readonly status: Promise<Deno.CommandStatus>;
  /** Frames the host sent. */
  readonly received: HostFrame[] = [];
  /** Orders the host sent while it was a standby. */
  readonly orders: StandbyOrder[] = [];
  /** Signals the host sent. */
  readonly signals: Deno.Signal[] = [];
  /** Ends when it is sent SIGKILL. Default true. */
  isKillable = true;
  readonly #splitter = new LineSplitter();
  readonly #ended = Promise.withResolvers<Deno.CommandStatus>();
  #out: ReadableStreamDefaultController<Uint8Array> | undefined;
  #err: ReadableStreamDefaultController<Uint8Array> | undefined;
  #isOver = false;

  /** With `onOrder` it is a standby until it is told to go. */
  constructor(
    onFrame?: (frame: HostFrame) => void,
    onOrder?: (order: StandbyOrder) => void,
  ) {
    const isStandby = (): boolean =>
      onOrder !== undefined && !this.orders.includes("go");
    this.status = this.#ended.promise;
    this.stdin = new WritableStream({
      write: (bytes) => {
        for (const line of this.#splitter.push(bytes)) {
          if (isStandby()) {
            const order = decodeStandbyOrder(line);
            this.orders.push(order);
            onOrder?.(order);
            continue;
          }
          const frame = decodeHostFrame(line);
          this.received.push(frame);
          onFrame?.(frame);
        }
      },
    });
    this.stdout = new ReadableStream({ start: (c) => void (this.#out = c) });
    this.stderr = new ReadableStream({ start: (c) => void (this.#err = c) });
  }

  /** Says frames on stdout. */
  say(...frames: DriverFrame[]): void {
    for (const frame of frames) this.sayBytes(encodeFrame(frame));
  }

  /** Says that it waits, as a standby. */
  park(sandbox: SandboxSummary = { mode: "direct", layers: {} }): void {
    this.sayBytes(encodeParked(sandbox));
  }

  /** Says anything on stdout. */
  sayBytes(bytes: Uint8Array): void {
    if (!this.#isOver) this.#out?.enqueue(bytes);
  }

  /** Says something on stderr. */
  complain(text: string): void {
    this.#err?.enqueue(new TextEncoder().encode(text));
  }

  /** Ends it as a driver that was told to stop. */
  stop(): void {
    this.say(STOPPED);
    this.end(0);
  }

  /** Ends the process. */
  end(code: number, signal: Deno.Signal | null = null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const stream of [this.#out, this.#err]) {
      try {
        stream?.close();
      } catch {
        // The host has cancelled it.
      }
    }
    this.#ended.resolve({ success: code === 0, code, signal });
  }

  kill(signal: Deno.Signal): void {
    if (this.#isOver) throw new TypeError("Child process has terminated");
    this.signals.push(signal);
    if (signal === "SIGKILL" && this.isKillable) this.end(137, signal);
  }
}
