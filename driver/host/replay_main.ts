/**
 * A replay as a process of its own, which may do nothing at all but import the
 * driver: it reads a bundle from its input and tells each step on its output,
 * before it is taken, so that a driver that hangs or eats its memory is seen to.
 *
 * @module
 */

import type { AnyDriver, Json } from "../driver.ts";
import { bundledDeviceInfo } from "./crash/bundle_device.ts";
import { readBundle } from "./crash/crash_bundle.ts";
import { errorData, errorText } from "../loop/error_data.ts";
import { encodeEvent } from "../loop/recording.ts";
import { replay, type ReplayStep } from "../replay/replay.ts";
import { judge } from "../replay/verdict.ts";

/** Turns until the runtime has told of a promise that was rejected in the last step. */
const REJECTION_TURNS = 3;
/** What a driver must not ask the machine for: it is in no journal. */
const UNDECLARED = "the driver uses what is in no journal: ";

/** Replays the bundle on standard input with a driver, and ends. */
export async function serveReplay(driver: AnyDriver): Promise<never> {
  // What a driver prints is none of our lines.
  for (const name of ["log", "info", "debug"] as const) {
    console[name] = console.error;
  }
  const turn = untouchedTurn();
  const rejections: string[] = [];
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    rejections.push(errorText(errorData(event.reason)));
  });
  const bundle = readBundle(await readInput());
  const { device } = bundle;
  if (device === undefined) throw new Error("The bundle has no device");
  const used = watchTheMachine();
  const result = await replay({
    driver,
    events: bundle.journal,
    device: bundledDeviceInfo(device),
    options: bundle.options,
    turn,
    onStep: (step) => tell(stepData(step)),
  });
  // The runtime tells of them between turns: on a busy machine after the next one.
  for (let n = 0; n < REJECTION_TURNS; n++) await turn();
  const { class: exitClass, message } = bundle.end;
  const verdict = judge(result, { exitClass, message }, rejections);
  const machine = [...used].join(", ");
  const isDeaf = verdict.kind !== "reproduced" && machine !== "";
  for (const event of result.beyond) {
    tell({ type: "beyond", event: encodeEvent(event) });
  }
  tell({
    type: "verdict",
    verdict: verdict.kind,
    sentence: isDeaf
      ? `${verdict.sentence} (${UNDECLARED}${machine})`
      : verdict.sentence,
    steps: result.steps,
    trace_hash: result.traceHash,
    values_compared: !result.isLoose,
  });
  Deno.exit(0);
}

function stepData(step: ReplayStep): { readonly [key: string]: Json } {
  return step.kind === "event"
    ? { type: "step", event: encodeEvent(step.event) }
    : { type: "gap", events: step.events, goes_on: step.goesOn };
}

function tell(line: { readonly [key: string]: Json }): void {
  const bytes = new TextEncoder().encode(JSON.stringify(line) + "\n");
  for (let done = 0; done < bytes.length;) {
    done += Deno.stdout.writeSync(bytes.subarray(done));
  }
}

async function readInput(): Promise<Uint8Array> {
  return new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer());
}

/** Taken before anything is watched. */
function untouchedTurn(): () => Promise<void> {
  const { setTimeout } = globalThis;
  return () => new Promise((resolve) => void setTimeout(resolve, 0));
}

/** Notes which of the machine's own time and chance the driver asks for. */
function watchTheMachine(): ReadonlySet<string> {
  const used = new Set<string>();
  const watch = <T extends object>(owner: T, name: keyof T & string): void => {
    const original = owner[name];
    if (typeof original !== "function") return;
    const label = owner === globalThis ? name : `${OWNERS.get(owner)}.${name}`;
    Object.defineProperty(owner, name, {
      configurable: true,
      writable: true,
      value(this: unknown, ...args: unknown[]): unknown {
        used.add(label);
        return Reflect.apply(original, this, args);
      },
    });
  };
  watch(Date, "now");
  watch(Math, "random");
  watch(performance, "now");
  watch(globalThis, "setTimeout");
  watch(globalThis, "setInterval");
  return used;
}

const OWNERS: ReadonlyMap<object, string> = new Map<object, string>([
  [Date, "Date"],
  [Math, "Math"],
  [performance, "performance"],
]);
