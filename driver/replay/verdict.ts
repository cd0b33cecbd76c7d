/**
 * What a replay says about a failure: the same again, or why not.
 *
 * @module
 */

import { eventText } from "../loop/journal_text.ts";
import type { ReplayResult } from "./replay.ts";

/** How it failed then. */
export interface RecordedEnd {
  /** Of the process: `fault`, `hang`, … */
  readonly exitClass: string;
  /** One sentence. */
  readonly message: string;
}

/** What came of a replay. */
export interface Verdict {
  readonly kind: "reproduced" | "diverged" | "not-reproduced";
  /** For people, in one line. */
  readonly sentence: string;
}

/** What the loop says of a handler that did not end when it was told to. */
const STUCK = /it did not end when told to|its time limit passed/;

/** Judges. `rejections` are sentences of promises that nobody awaited. */
export function judge(
  result: ReplayResult,
  end: RecordedEnd,
  rejections: readonly string[] = [],
): Verdict {
  const { problem, divergence, lastEnd, lastHandler = "no handler" } = result;
  if (problem !== undefined) return no(`It cannot go on: ${problem}`);
  if (divergence !== undefined) {
    return { kind: "diverged", sentence: describeDivergence(result) };
  }
  const isFault = end.exitClass === "fault";
  if (isFault && lastEnd?.failure !== undefined) {
    return lastEnd.failure === end.message
      ? yes(`${lastHandler} fails again: ${end.message}`)
      : no(
        `${lastHandler} fails as it did (${lastEnd.failure}), ` +
          `which is not what ended the driver: ${end.message}`,
      );
  }
  const [rejection] = rejections;
  if (isFault && rejection !== undefined) {
    return yes(`a promise is rejected that nobody awaits: ${rejection}`);
  }
  if (isFault && lastEnd === undefined && STUCK.test(end.message)) {
    return yes(`${lastHandler} does not end, as then: ${end.message}`);
  }
  return no(whyNot(end, lastHandler));
}

/** The first difference, in one line. */
export function describeDivergence({ divergence }: ReplayResult): string {
  const { expected, actual, part } = divergence ?? {};
  const then = expected === undefined ? "nothing" : eventText(expected);
  const now = actual === undefined ? "nothing" : eventText(actual);
  const where = expected === undefined ? "" : ` at event ${expected.sequence}`;
  if (part === "state") {
    return `Diverged${where}: the driver's state is not what it was`;
  }
  const what = part === undefined ? "" : ` (another ${part})`;
  return `Diverged${where}${what}: then ${then}; now ${now}`;
}

/** Ends that the driver's own code does not bring about by itself. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "native-crash": "native code crashed, which a replay does not run",
  "sandbox-kill":
    "native code made a forbidden system call, and a replay runs none",
  "start-crash":
    "it crashed before it was ready, outside the driver's handlers",
  "protocol": "its process sent what is no frame, which no handler can do",
};

function whyNot({ exitClass, message }: RecordedEnd, handler: string): string {
  const same = `The driver does the same up to the last event, in ${handler}`;
  const elsewhere = ELSEWHERE[exitClass];
  if (elsewhere !== undefined) return `${same}; ${elsewhere}`;
  if (exitClass === "hang") {
    return `${same}, which comes back here: it hung in native code, or in ` +
      "something that is not in the journal";
  }
  if (exitClass === "out-of-memory") {
    return `${same}, and its memory is enough here: it was used up before, ` +
      "by native code, or somebody killed it";
  }
  return `${same}. What ended it was no handler of the driver: ${message}`;
}

function yes(sentence: string): Verdict {
  return { kind: "reproduced", sentence: `Reproduced: ${sentence}` };
}

function no(sentence: string): Verdict {
  return { kind: "not-reproduced", sentence: `Not reproduced: ${sentence}` };
}
