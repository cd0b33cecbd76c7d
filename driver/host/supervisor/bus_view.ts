/**
 * What a supervisor knows of the bus: the last list, and whether it is fresh.
 * That looking fails, and that it works again, is told once each.
 *
 * @module
 */

import type { DeviceInfo } from "../../port.ts";
import type { EventRing } from "./event_ring.ts";
import type { SupervisorLog } from "./supervisor_words.ts";

/** What it is made of. */
export interface BusViewOptions {
  /** What is on the bus. @throws {Error} When it cannot be told now: the last list stands. */
  readonly devices: () => Promise<readonly DeviceInfo[]>;
  readonly events: EventRing;
  readonly log: SupervisorLog;
}

/** Looks at the bus, and remembers. */
export class BusView {
  readonly #options: BusViewOptions;
  #devices: readonly DeviceInfo[] = [];
  #problem: string | undefined;

  /** Knows of no device. */
  constructor(options: BusViewOptions) {
    this.#options = options;
  }

  /** The last list there was. */
  get devices(): readonly DeviceInfo[] {
    return this.#devices;
  }

  /** Why it may be old, if so. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Looks. Never throws: the list may stay as it was. */
  async look(): Promise<void> {
    try {
      this.#devices = await this.#options.devices();
      this.#tell(undefined);
    } catch (error) {
      this.#tell(error instanceof Error ? error.message : String(error));
    }
  }

  #tell(problem: string | undefined): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    const { events, log } = this.#options;
    const event = problem === undefined ? "bus.recovered" : "bus.failed";
    const message = problem === undefined
      ? "The bus is looked at again"
      : `Cannot look at the bus, what was seen last stands: ${problem}`;
    log.record(problem === undefined ? "info" : "error", event, message);
    events.publish(event, { message });
  }
}
