/** A supervisor in virtual time: a bus, drivers and a disk in a test's hands. */

import { encodeSafeStateFrame } from "../../../driver/host/safe_state_frame.ts";
import { UsbError } from "../../../driver/errors.ts";
import { FAMILIES } from "../../../driver/host/metrics/families.ts";
import { MetricRegistry } from "../../../driver/host/metrics/registry.ts";
import { manifestOf } from "../../../driver/host/manifest.ts";
import {
  parseConfiguration,
  type SupervisorConfiguration,
} from "../../../driver/host/supervisor/configuration.ts";
import type { StartedStandby } from "../../../driver/host/supervisor/standby.ts";
import { EventRing } from "../../../driver/host/supervisor/event_ring.ts";
import {
  Supervisor,
  type SupervisorOptions,
} from "../../../driver/host/supervisor/supervisor.ts";
import { VirtualClock } from "../../../driver/loop/clock.ts";
import type { DeviceInfo } from "../../../driver/port.ts";
import { fakeDevice, METER_DRIVER } from "../../cli/fake_parts.ts";
import { MADE_SAFE } from "./driver_bench.ts";
import { beat, FakeProcess, READY } from "../fake_process.ts";

/** A configuration of usbtmc drivers by name and serial number. */
export function configure(
  serials: Readonly<Record<string, string>>,
  more = "",
): SupervisorConfiguration {
  const entries = Object.entries(serials).map(([name, serial]) =>
    `[drivers.${name}]\ndriver = "usbtmc"\ndevice.serial = "${serial}"\n`
  );
  return parseConfiguration(entries.join("") + more, "lab.toml");
}

/** A meter on a port. */
export function meter(serialNumber: string, port: number): DeviceInfo {
  return fakeDevice({
    serialNumber,
    portPath: `1-${port}`,
    id: `1-${port}#${port}`,
  });
}

/** The bench. */
export class SupervisorBench {
  readonly clock = new VirtualClock();
  readonly registry = new MetricRegistry(FAMILIES);
  readonly events = new EventRing(this.clock);
  readonly lines: string[] = [];
  readonly processes: { readonly port: string; process: FakeProcess }[] = [];
  devices: DeviceInfo[] = [meter("A", 1), meter("B", 2)];
  file: string | undefined;
  fileError: Error | undefined;
  busError: Error | undefined;
  /** How often the bus was looked at. */
  looks = 0;
  safeStates = 0;
  isAutomatic = true;
  /** What hinders the drivers' logs. */
  logProblem: string | undefined;
  /** Times a driver's log was flushed. */
  logSyncs = 0;
  onSpawn: () => void = () => {};
  /** Whether drivers get standbys. */
  hasStandby = false;
  readonly standbys: FakeProcess[] = [];
  readonly supervisor: Supervisor;

  constructor(options: Pick<SupervisorOptions, "crashes"> = {}) {
    this.supervisor = new Supervisor({
      ...options,
      clock: this.clock,
      random: () => 0.5,
      devices: () => {
        this.looks++;
        return this.busError === undefined
          ? Promise.resolve(this.devices)
          : Promise.reject(this.busError);
      },
      prepare: (entry) => {
        if (entry.driver !== "usbtmc") {
          return Promise.reject(
            new Error(`There is no driver ${entry.driver}`),
          );
        }
        return Promise.resolve({
          manifest: {
            ...manifestOf(METER_DRIVER),
            commands: {
              ...manifestOf(METER_DRIVER).commands,
              read: { description: "Reads", params: {}, idempotent: true },
            },
          },
          logPath: `/var/log/${entry.name}.log`,
          spawn: (device: DeviceInfo) => this.#spawn(device),
          standby: this.hasStandby
            ? { spawn: () => this.#spawnStandby(), refusal: () => undefined }
            : undefined,
          logProblem: () => this.logProblem,
          syncLog: () => Promise.resolve(void this.logSyncs++),
          makeSafe: () => {
            this.safeStates++;
            return Promise.resolve(MADE_SAFE);
          },
        });
      },
      registry: this.registry,
      events: this.events,
      log: {
        write: (_, event) => this.lines.push(event),
        record: (_, event) => this.lines.push(event),
      },
      stateFile: {
        read: () => {
          if (this.fileError !== undefined) throw this.fileError;
          return this.file;
        },
        write: (text) => {
          if (this.fileError !== undefined) throw this.fileError;
          this.file = text;
        },
      },
    });
  }

  #spawn(device: DeviceInfo): Promise<FakeProcess> {
    const process: FakeProcess = new FakeProcess((frame) => {
      if (frame.type === "stop") process.stop();
      if (frame.type === "gone") process.end(69);
      if (frame.type !== "command") return;
      const { id, command, params } = frame;
      if (params["message"] === "hang") return;
      if (params["message"] === "fail") {
        const { message, code } = new UsbError({
          code: "stall",
          operation: "query",
          reason: "stalled",
        });
        process.say({ type: "result", id, failure: { code, message } });
      } else process.say({ type: "result", id, value: { command, params } });
    });
    this.onSpawn();
    this.processes.push({ port: device.portPath, process });
    if (this.isAutomatic) queueMicrotask(() => process.say(READY));
    return Promise.resolve(process);
  }

  #spawnStandby(): Promise<StartedStandby> {
    const client: FakeProcess = new FakeProcess(
      (frame) => frame.type === "stop" && client.stop(),
      (order) => {
        if (order === "stop") client.end(0);
        if (order !== "safe") return;
        this.safeStates++;
        client.sayBytes(encodeSafeStateFrame(MADE_SAFE));
      },
    );
    this.standbys.push(client);
    client.park();
    return Promise.resolve({ client, isStale: () => false, taken: () => {} });
  }

  /** Lets time pass; drivers beat. */
  async pass(durationMs: number): Promise<void> {
    for (let passedMs = 0; passedMs < durationMs; passedMs += 250) {
      for (const { process } of this.processes) process.say(beat(1));
      await this.clock.advance(Math.min(250, durationMs - passedMs));
    }
  }

  /** States by name. */
  states(): Record<string, string> {
    return Object.fromEntries(
      this.supervisor.status().map(({ name, state }) => [name, state]),
    );
  }

  /** Ends it. */
  async stop(): Promise<void> {
    const stopped = this.supervisor.stop("test over");
    await this.clock.advance(6_000);
    await stopped;
  }
}
