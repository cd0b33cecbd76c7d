/**
 * Measuring without being asked: a poll at each interval, its answer read at
 * once or when the instrument requests service.
 *
 * @module
 */

import { UsbError } from "../../errors.ts";
import {
  clientOf,
  endsDriver,
  POLL_TIMER,
  type UsbtmcContext,
  type UsbtmcState,
} from "./driver_state.ts";
import { decodeText, parseNumbers, unitOf } from "./scpi_answer.ts";
import type { Usbtmc } from "./usbtmc.ts";

/** Status byte: an answer is waiting. IEEE 488.2-1992, 11.2.1.2. */
export const MESSAGE_AVAILABLE = 0x10;
/** Status byte: an enabled bit of the event status register is set. IEEE 488.2-1992, 11.2.1.1. */
export const EVENT_STATUS = 0x20;
/** Event status: operations complete. IEEE 488.2-1992, 11.5.1.1. */
export const OPERATION_COMPLETE = 0x01;
/** Event status: query, device, execution and command errors. IEEE 488.2-1992, 11.5.1.1. */
export const ANY_ERROR = 0x3c;

/** A tenth failure in a row is no accident: the supervisor decides. */
const FAILURES_MAX = 10;

/** The timer fired: sends the poll, and reads its answer unless service will be requested. */
export async function poll(
  state: UsbtmcState,
  context: UsbtmcContext,
): Promise<void> {
  if (state.poll === undefined) return;
  context.setTimer(POLL_TIMER, state.pollIntervalMs);
  await tolerant(
    state,
    context,
    () =>
      state.usesServiceRequest
        ? pollByService(state, context)
        : pollAtOnce(state, context),
  );
}

/**
 * A service request came: serial poll, then fetch what it announces. The serial
 * poll withdraws the request, so that the next one can be made.
 */
export async function serve(
  state: UsbtmcState,
  context: UsbtmcContext,
): Promise<void> {
  const client = state.client;
  if (client === undefined) return;
  await tolerant(state, context, async () => {
    const statusByte = await client.readStatusByte();
    context.emit("service-request", { statusByte });
    if (!state.usesServiceRequest) return;
    if (
      state.awaitingSinceMs !== undefined &&
      (statusByte & MESSAGE_AVAILABLE) !== 0
    ) {
      const answer = await client.read({ timeoutMs: state.timeoutMs });
      emitReadings(state, context, decodeText(answer.data));
      state.awaitingSinceMs = undefined;
    }
    if ((statusByte & EVENT_STATUS) !== 0) await serveEvent(state, context);
  });
}

/** Tells what is in the instrument's error queue, and empties it. */
export async function tellErrors(
  client: Usbtmc,
  context: UsbtmcContext,
): Promise<void> {
  if (!client.capabilities.scpi) return;
  for (const { number, message } of await client.readErrors()) {
    context.emit("error", { number, message });
  }
}

async function pollAtOnce(
  state: UsbtmcState,
  context: UsbtmcContext,
): Promise<void> {
  const client = clientOf(state, context);
  const { poll = "", timeoutMs } = state;
  if (!poll.includes("?")) {
    await client.write(poll, { timeoutMs });
    emitReadings(
      state,
      context,
      await client.query(state.fetch, { timeoutMs }),
    );
    return;
  }
  emitReadings(state, context, await client.query(poll, { timeoutMs }));
}

/** `*OPC` makes the instrument request service when the poll is done. */
async function pollByService(
  state: UsbtmcState,
  context: UsbtmcContext,
): Promise<void> {
  const client = clientOf(state, context);
  const nowMs = context.nowMs();
  if (state.awaitingSinceMs !== undefined) {
    if (nowMs - state.awaitingSinceMs < state.timeoutMs) return;
    context.log(
      "warn",
      "usbtmc.service_request_missing",
      "The instrument did not request service in time; clearing it",
      { waited_ms: Math.round(nowMs - state.awaitingSinceMs) },
    );
    state.awaitingSinceMs = undefined;
    await client.clear();
  }
  state.awaitingSinceMs = nowMs;
  await client.write(`${state.poll};*OPC`, { timeoutMs: state.timeoutMs });
}

/** Reading the register withdraws the summary bit. IEEE 488.2-1992, 11.5.1. */
async function serveEvent(
  state: UsbtmcState,
  context: UsbtmcContext,
): Promise<void> {
  const client = clientOf(state, context);
  const { timeoutMs } = state;
  const events = Number(await client.query("*ESR?", { timeoutMs }));
  if ((events & ANY_ERROR) !== 0) await tellErrors(client, context);
  const isDone = (events & OPERATION_COMPLETE) !== 0;
  if (!isDone || state.awaitingSinceMs === undefined) return;
  state.awaitingSinceMs = undefined;
  if (state.poll?.includes("?")) return;
  emitReadings(state, context, await client.query(state.fetch, { timeoutMs }));
}

function emitReadings(
  state: UsbtmcState,
  context: UsbtmcContext,
  answer: string,
): void {
  const values = parseNumbers(answer);
  const unit = state.unit ?? unitOf(state.poll ?? "");
  if (values === undefined) {
    context.log("warn", "usbtmc.no_number", "The answer is not a number", {
      answer: answer.slice(0, 100),
    });
    return;
  }
  const raws = answer.split(",");
  for (const [index, value] of values.entries()) {
    context.emit("reading", { value, unit, raw: raws[index]?.trim() ?? "" });
  }
}

/**
 * One failed poll is a line in the log: the client is back in step by then. A
 * device that is gone, and failures in a row, end the driver.
 */
async function tolerant(
  state: UsbtmcState,
  context: UsbtmcContext,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
    state.failures = 0;
  } catch (error) {
    if (endsDriver(error) || !(error instanceof UsbError)) throw error;
    state.awaitingSinceMs = undefined;
    state.failures++;
    context.log("warn", "usbtmc.poll_failed", error.message, {
      code: error.code,
      failures: state.failures,
    });
    if (state.failures >= FAILURES_MAX) throw error;
  }
}
