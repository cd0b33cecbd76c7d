/**
 * Runs of the simulated port under chance: faults of every kind, cancels, pauses,
 * unplugs at any moment. Whatever happens, every transfer ends once, counters
 * add up, nothing is charged at the end, and the same seed gives the same run.
 */

import { VirtualClock } from "../../driver/loop/clock.ts";
import type { DevicePort, InputRing, UsbPort } from "../../driver/port.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import type { Fault } from "../../driver/sim/faults.ts";
import { seededRandom } from "../../driver/sim/seeded_random.ts";
import { SimulatedPort } from "../../driver/sim/simulated_port.ts";
import { VirtualBus } from "../../driver/sim/virtual_bus.ts";
import { assert, assertEquals } from "../../driver/std.ts";
import { interfaceNumber } from "../../driver/usb.ts";
import { assertLaw } from "../contract/input_contract.ts";
import {
  bytes,
  ECHO_IN,
  ECHO_OUT,
  REPORTS,
  SINK,
  SOURCE,
  vendor,
} from "../contract/contract_kit.ts";

const SEEDS = 200;
const STEPS = 40;

const FAULTS: readonly Fault[] = [
  { kind: "stall" },
  { kind: "babble" },
  { kind: "short", lengthBytes: 7 },
  { kind: "zeroLength" },
  { kind: "late", delayMs: 9 },
  { kind: "silent" },
  { kind: "status", errno: "PROTO" },
  { kind: "status", errno: "ILSEQ" },
  { kind: "disconnect", when: "before" },
  { kind: "disconnect", when: "during", atBytes: 5 },
  { kind: "disconnect", when: "after" },
];

/** One run: what happened, line by line. */
class Run {
  readonly trace: string[] = [];
  readonly #random: () => number;
  readonly #clock = new VirtualClock();
  readonly #bus: VirtualBus;
  readonly #virtual = new Loopback();
  readonly #port: UsbPort;
  readonly #inputs: InputRing[] = [];
  #device: DevicePort | undefined;
  #pending = 0;
  #ended = 0;
  #transfers = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#bus = new VirtualBus({
      clock: this.#clock,
      random: seededRandom(seed + 1),
      usbfsMemoryBytes: 12 * 1024,
    });
    this.#bus.plug(this.#virtual);
    const jitterMs = this.#pick([0, 0, 1, 20]);
    this.#port = new SimulatedPort(this.#bus, { jitterMs });
  }

  async all(): Promise<void> {
    await this.#open();
    for (let step = 0; step < STEPS; step++) {
      await this.#step();
      for (const input of this.#inputs) assertLaw(input.counters);
      await this.#clock.advance(this.#random() * 5);
    }
    const closing = this.#port.close();
    await this.#clock.advance(10_000);
    await closing;
    this.#check();
  }

  #check(): void {
    assertEquals(this.#pending, 0, "every transfer ended");
    assertEquals(this.#ended, this.#transfers, "and did so once");
    assertEquals(this.#bus.usbfsMemory.usedBytes, 0, "nothing stays charged");
    for (const { counters } of this.#inputs) {
      assertLaw(counters);
      assertEquals(counters.inFlight, 0);
    }
    this.#bus.close();
    assertEquals(this.#clock.pendingTimers, 0, "no timer is left");
  }

  async #step(): Promise<void> {
    const chance = this.#random();
    if (this.#bus.devices.length === 0 || this.#device === undefined) {
      await this.#return();
    } else if (chance < 0.5) this.#transfer(this.#device);
    else if (chance < 0.65) this.#fault();
    else if (chance < 0.75) this.#openInput(this.#device);
    else if (chance < 0.85) this.#pick(this.#inputs)?.resume();
    else if (chance < 0.95) await this.#clear(this.#device);
    else this.#bus.unplug(this.#virtual);
  }

  async #open(): Promise<void> {
    const [info] = await this.#port.devices();
    if (info === undefined) return;
    this.#device = await this.#port.open(info);
    await this.#device.claimInterface(interfaceNumber(0));
  }

  async #return(): Promise<void> {
    const closing = this.#device?.close();
    await this.#clock.advance(100);
    await closing;
    this.#inputs.length = 0;
    if (this.#bus.devices.length === 0) this.#bus.plug(this.#virtual);
    await this.#open();
  }

  #transfer(device: DevicePort): void {
    const number = this.#transfers++;
    this.#pending++;
    const abort = new AbortController();
    const timeoutMs = this.#pick([0, 1, 5, 50]);
    const options = { signal: abort.signal, timeoutMs };
    const lengthBytes = this.#pick([0, 1, 100, 512, 5000]);
    const request = this.#pick(
      [
        { type: "in", endpoint: ECHO_IN, lengthBytes },
        { type: "in", endpoint: SOURCE, lengthBytes },
        { type: "out", endpoint: ECHO_OUT, data: bytes(lengthBytes) },
        { type: "out", endpoint: SINK, data: bytes(lengthBytes) },
        { type: "controlIn", setup: vendor(1), lengthBytes: 64 },
        { type: "controlIn", setup: vendor(2, 7), lengthBytes: 1 },
      ] as const,
    );
    if (this.#random() < 0.2) {
      this.#clock.setTimer(this.#random() * 10, () => abort.abort());
    }
    void device.transfer({ ...request, ...options }).then((outcome) => {
      this.#pending--;
      this.#ended++;
      this.trace.push(
        `${this.#clock.nowMs().toFixed(3)} ${number} ${request.type} ` +
          `${outcome.status} ${outcome.actualLengthBytes}`,
      );
    });
  }

  #openInput(device: DevicePort): void {
    if (this.#inputs.length >= 2) return;
    const name = `input ${this.#transfers}`;
    this.#inputs.push(device.openInput({
      endpoint: this.#pick([SOURCE, REPORTS]),
      transfersInFlight: this.#pick([1, 2, 8]),
      sink: (report) => {
        this.trace.push(`${name} ${report.data.length}`);
        return this.#random() < 0.9;
      },
      onEnd: (outcome) => void this.trace.push(`${name} ${outcome.status}`),
    }));
  }

  #fault(): void {
    const endpoint = this.#pick([0, ECHO_IN, ECHO_OUT, SOURCE, REPORTS]);
    const fault = this.#pick(FAULTS);
    this.#bus.devices[0]?.device.faults.add({ endpoint, fault });
  }

  async #clear(device: DevicePort): Promise<void> {
    const endpoint = this.#pick([ECHO_IN, ECHO_OUT, SOURCE, REPORTS]);
    await device.clearHalt(endpoint).catch(() => {});
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.#random() * choices.length)] as T;
  }
}

Deno.test("Whatever happens, every transfer ends once and the counters add up", async () => {
  const statuses = new Set<string>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const run = new Run(seed);
    try {
      await run.all();
    } catch (error) {
      throw new Error(`Seed ${seed} fails`, { cause: error });
    }
    for (const line of run.trace) {
      const [, , type = "", status = ""] = line.split(" ");
      if (/^(in|out|controlIn)$/.test(type)) statuses.add(status);
    }
  }
  for (
    const status of [
      "completed",
      "timedOut",
      "cancelled",
      "stall",
      "overflow",
      "noDevice",
      "error",
      "noMemory",
    ]
  ) {
    assert(statuses.has(status), `no transfer of any run ended as ${status}`);
  }
});

Deno.test("The same seed gives the same run, line by line", async () => {
  for (const seed of [7, 77, 777]) {
    const [first, second] = [new Run(seed), new Run(seed)];
    await first.all();
    await second.all();
    assert(first.trace.length > 10);
    assertEquals(first.trace, second.trace);
  }
});
