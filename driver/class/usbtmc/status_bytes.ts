/**
 * READ_STATUS_BYTE and service requests. The answer comes by the interrupt
 * endpoint where there is one, between service requests, and is told apart by
 * its tag. USB488 1.00, 3.4 and 4.3.1.
 *
 * @module
 */

import { UsbError } from "../../errors.ts";
import {
  CHECK_INTERVAL_MS,
  NOTIFICATIONS_PER_ANSWER_MAX,
  STATUS_BYTE_ATTEMPTS,
  STATUS_BYTE_TIMEOUT_MS,
  STATUS_BYTE_WAITERS,
} from "./bounds.ts";
import {
  decodeStatusByte,
  readStatusByte,
  Status,
} from "./control_requests.ts";
import { ask, type Link, refused } from "./link.ts";
import { decodeNotification, nextStatusTag } from "./notification.ts";

/**
 * Waits for a notification, as `DriverContext.receive` does: those for which
 * `take` is true come here, others go their usual way.
 */
export type ReceiveNotification = (
  take: (data: Uint8Array) => boolean,
  options: { readonly timeoutMs: number },
) => Promise<Uint8Array>;

/**
 * Who reads the interrupt endpoint. `onDemand`: the client does, when it waits
 * for an answer. `fed`: a standing input, whose reports are given to
 * `Usbtmc.handleNotification`. A function: a driver's context.
 */
export type NotificationSource = "onDemand" | "fed" | ReceiveNotification;

/** Called with the status byte of each service request. */
export type ServiceRequestHandler = (statusByte: number) => void;

/** Reads status bytes and hands on service requests. */
export class StatusBytes {
  readonly #link: Link;
  readonly #source: NotificationSource;
  readonly #onServiceRequest: ServiceRequestHandler;
  readonly #waiters = new Map<number, (statusByte: number) => void>();
  #tag = 0;
  #ignored = 0;

  constructor(
    link: Link,
    source: NotificationSource,
    onServiceRequest: ServiceRequestHandler,
  ) {
    this.#link = link;
    this.#source = source;
    this.#onServiceRequest = onServiceRequest;
  }

  /** Notifications that meant nothing to us: vendor's, garbled, or too late. */
  get ignored(): number {
    return this.#ignored;
  }

  /** Takes a notification that a standing input brought. Never throws. */
  handle(data: Uint8Array): void {
    const notification = decodeNotification(data);
    if (notification?.type === "serviceRequest") {
      this.#onServiceRequest(notification.statusByte);
      return;
    }
    const waiter = notification === undefined
      ? undefined
      : this.#waiters.get(notification.tag);
    if (notification === undefined || waiter === undefined) {
      this.#ignored++;
      return;
    }
    this.#waiters.delete(notification.tag);
    waiter(notification.statusByte);
  }

  /**
   * The status byte, RQS in bit 6.
   *
   * @throws {UsbError} `timedOut` when the answer does not come, `protocol` when it is refused.
   */
  async read(): Promise<number> {
    const { pipes, time } = this.#link;
    for (let attempt = 0; attempt < STATUS_BYTE_ATTEMPTS; attempt++) {
      const tag = this.#tag = nextStatusTag(this.#tag);
      const statusByte = await this.#readWith(tag);
      if (statusByte !== undefined) return statusByte;
      if (this.#source === "onDemand") await this.#fetchOld();
      else await time.sleep(CHECK_INTERVAL_MS);
    }
    const request = readStatusByte(this.#tag, pipes.interfaceNumber);
    throw refused(this.#link, request, Status.interruptInBusy);
  }

  /** `undefined`: the interrupt endpoint is busy with an earlier answer. */
  async #readWith(tag: number): Promise<number | undefined> {
    const { pipes } = this.#link;
    const request = readStatusByte(tag, pipes.interfaceNumber);
    // Waits before it asks: the answer may overtake the status stage.
    const waiting = this.#source === "fed" && pipes.interruptIn !== undefined
      ? this.#expect(tag)
      : undefined;
    try {
      const answer = await ask(this.#link, request, decodeStatusByte);
      if (answer.status === Status.interruptInBusy) return undefined;
      if (answer.status !== Status.success) {
        throw refused(this.#link, request, answer.status);
      }
      if (pipes.interruptIn === undefined) return answer.statusByte;
      return await (waiting?.() ?? this.#receive(tag));
    } finally {
      this.#waiters.delete(tag);
    }
  }

  #expect(tag: number): () => Promise<number> {
    const { device, time } = this.#link;
    if (this.#waiters.size >= STATUS_BYTE_WAITERS) {
      throw device.error(
        "busy",
        "read the status byte",
        "too many are asking already",
      );
    }
    const arrived = new Promise<number>((resolve) => {
      this.#waiters.set(tag, resolve);
    });
    return async () => {
      const answered = new AbortController();
      const late = time.sleep(STATUS_BYTE_TIMEOUT_MS, answered.signal);
      const statusByte = await Promise.race([arrived, late]);
      answered.abort();
      if (statusByte === undefined) throw this.#late();
      return statusByte;
    };
  }

  async #receive(tag: number): Promise<number> {
    const isAnswer = (data: Uint8Array): boolean => {
      const found = decodeNotification(data);
      return found?.type === "statusByte" && found.tag === tag;
    };
    const data = typeof this.#source === "function"
      ? await this.#source(isAnswer, { timeoutMs: STATUS_BYTE_TIMEOUT_MS })
      : await this.#readOnDemand(isAnswer);
    return data[1] ?? 0;
  }

  /** Reads the endpoint itself; what is not the answer is handled as it comes. */
  async #readOnDemand(
    isAnswer: (data: Uint8Array) => boolean,
  ): Promise<Uint8Array> {
    const { device, pipes, time } = this.#link;
    const pipe = pipes.interruptIn;
    const untilMs = time.nowMs() + STATUS_BYTE_TIMEOUT_MS;
    for (let count = 0; count < NOTIFICATIONS_PER_ANSWER_MAX; count++) {
      const leftMs = Math.ceil(untilMs - time.nowMs());
      if (leftMs < 1 || pipe === undefined) break;
      try {
        const data = await device.transferIn(pipe.address, pipe.maxPacketSize, {
          timeoutMs: leftMs,
        });
        if (isAnswer(data)) return data;
        this.handle(data);
      } catch (error) {
        const isTimeOut = error instanceof UsbError &&
          error.code === "timedOut";
        throw isTimeOut ? this.#late() : error;
      }
    }
    throw this.#late();
  }

  /** Makes room in the endpoint: service requests that nobody fetched. */
  async #fetchOld(): Promise<void> {
    const { device, pipes } = this.#link;
    const pipe = pipes.interruptIn;
    for (let count = 0; count < NOTIFICATIONS_PER_ANSWER_MAX; count++) {
      if (pipe === undefined) return;
      try {
        const options = { timeoutMs: CHECK_INTERVAL_MS };
        this.handle(
          await device.transferIn(pipe.address, pipe.maxPacketSize, options),
        );
      } catch (error) {
        if (error instanceof UsbError && error.code === "timedOut") return;
        throw error;
      }
    }
  }

  #late(): UsbError {
    return this.#link.device.error(
      "timedOut",
      "read the status byte",
      `no answer by the interrupt endpoint in ${STATUS_BYTE_TIMEOUT_MS} ms`,
    );
  }
}
