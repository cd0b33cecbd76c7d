/**
 * What every part of the client works on: the device, its pipes, its quirks
 * and the time, and class requests whose answers are checked.
 *
 * @module
 */

import type { Device } from "../../device.ts";
import { UsbError } from "../../errors.ts";
import type { Clock } from "../../loop/clock.ts";
import { REQUEST_TIMEOUT_MS } from "./bounds.ts";
import {
  type ClassRequest,
  decodeStatus,
  Status,
  statusName,
} from "./control_requests.ts";
import type { Pipes } from "./pipes.ts";
import type { UsbtmcQuirks } from "./quirks.ts";

/** Time as the client needs it. A driver's context is one. */
export interface UsbtmcTime {
  /** Monotonic, in milliseconds. */
  nowMs(): number;
  /** Resolves after `durationMs`, or at once when the signal fires, if it looks at it. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

/** The time of a clock. */
export function timeOf(clock: Clock): UsbtmcTime {
  return {
    nowMs: () => clock.nowMs(),
    sleep: (durationMs, signal) =>
      new Promise((resolve) => {
        const timer = clock.setTimer(durationMs, resolve);
        signal?.addEventListener("abort", () => {
          timer.cancel();
          resolve();
        }, { once: true });
      }),
  };
}

/** An instrument's interface with all that is known of it. */
export interface Link {
  readonly device: Device;
  readonly pipes: Pipes;
  readonly quirks: UsbtmcQuirks;
  readonly time: UsbtmcTime;
}

/**
 * Makes a class request and reads its answer.
 *
 * @throws {UsbError} As the transfer; `protocol` when the answer is too short.
 */
export async function ask<Answer>(
  link: Link,
  request: ClassRequest,
  decode: (bytes: Uint8Array) => Answer | undefined,
): Promise<Answer> {
  const bytes = await link.device.controlIn(
    request.setup,
    request.lengthBytes,
    { timeoutMs: REQUEST_TIMEOUT_MS },
  );
  const answer = decode(bytes);
  if (answer === undefined) {
    throw link.device.error(
      "protocol",
      `make request ${request.name}`,
      `the answer has ${bytes.length} bytes instead of ${request.lengthBytes}`,
    );
  }
  return answer;
}

/**
 * Makes a class request that answers with a status only.
 *
 * @throws {UsbError} As the transfer; `protocol` when the status is not success.
 */
export async function command(
  link: Link,
  request: ClassRequest,
): Promise<void> {
  const { status } = await ask(link, request, decodeStatus);
  if (status !== Status.success) throw refused(link, request, status);
}

/** The error for a request that was answered with another status than success. */
export function refused(
  link: Link,
  request: ClassRequest,
  status: number,
): UsbError {
  return link.device.error(
    "protocol",
    `make request ${request.name}`,
    `the device answered "${statusName(status)}"`,
  );
}

/** Whether an error means that going on is pointless: gone, closed, or told to stop. */
export function isFinal(error: unknown): boolean {
  return !(error instanceof UsbError) || error.code === "noDevice" ||
    error.code === "state" || error.code === "access";
}
