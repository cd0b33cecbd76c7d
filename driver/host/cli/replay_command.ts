/**
 * `driverspace replay`: lives a recorded failure again, in virtual time.
 *
 * @module
 */

import { readProblem } from "../read_problem.ts";
import type { JournalEvent } from "../../loop/journal.ts";
import { eventText } from "../../loop/journal_text.ts";
import { toHex } from "../../loop/recording.ts";
import {
  BUNDLE_BYTES_MAX,
  type CrashBundle,
  readBundle,
} from "../crash/crash_bundle.ts";
import { hashOfManifest } from "../crash/crash_keeper.ts";
import {
  type ReplayEnd,
  type ReplayLine,
  type ReplayVerdict,
  runReplay,
} from "../replay_process.ts";
import { WireError } from "../wire_check.ts";
import type { CliIo, Command, CommandCall } from "./command.ts";
import { CliError, EXIT, type ExitCode } from "./exit_codes.ts";
import { chooseDriver, type ChosenDriver } from "./run_plan.ts";
import { harmless, parseDuration } from "./text.ts";

/** The command. */
export const replayCommand: Command = {
  name: "replay",
  summary: "Live a recorded failure again, from its crash bundle",
  usage: "BUNDLE [--driver NAME|PATH] [--json] [--speed FACTOR]",
  details: "Calls the driver's handlers with what came to them then, in the " +
    "same order and at the same times, without the device, and compares step " +
    "by step what it does. Ends with 0 when the failure comes again, with 1 " +
    "when the driver does otherwise or the failure is none of its own, with " +
    "65 when the bundle cannot be read. The driver runs in a process without " +
    "any right. A bundle without bytes (no --record-payloads) is only shown.",
  flags: {
    driver: {
      description: "Where the driver is; default: the one of that name",
      value: "NAME|PATH",
    },
    speed: {
      description: "1: as fast as it was; 10: ten times; default: at once",
      value: "FACTOR",
    },
    limit: {
      description: "A handler that takes longer hangs; default 5s",
      value: "TIME",
    },
    changed: {
      description: "Also with a driver whose options, commands or match differ",
    },
    json: { description: "One JSON object a step, the verdict last" },
  },
  examples: [
    "driverspace replay ~/.local/state/driverspace/bundles/dmm/*-fault-*.json",
    "driverspace replay bundle.json --driver ./my_driver.ts",
  ],
  positionals: [1, 1],
  run: replay,
};

type ReplayStepLine = Exclude<ReplayLine, ReplayVerdict>;

/** Longer than any handler takes that does not wait. */
const LIMIT_MS = 5_000;

async function replay(call: CommandCall): Promise<ExitCode> {
  const bytes = readFile(call.positionals[0] ?? "");
  const bundle = decode(bytes);
  const output = new Output(call.io, {
    isJson: call.has("json"),
    speed: speedOf(call),
  });
  output.head(bundle);
  if (!bundle.process.payloads) return await show(bundle, output);
  const driver = await driverOf(call, bundle);
  const limit = call.value("limit");
  const limitMs = limit === undefined
    ? LIMIT_MS
    : parseDuration(limit, "limit");
  let verdict: ReplayVerdict | undefined;
  const lines: ReplayStepLine[] = [];
  let shown = Promise.resolve();
  const end = await runReplay({
    moduleUrl: driver.moduleUrl,
    bundle: bytes,
    clock: call.io.clock,
    limitMs,
    onLine: (line) => {
      if (line.type === "verdict") verdict = line;
      else {
        lines.push(line);
        shown = shown.then(() => output.line(line));
      }
    },
  });
  await shown;
  const final = verdict ?? verdictOf(end, { bundle, lines, limitMs });
  output.verdict(final);
  return final.verdict === "reproduced" ? EXIT.done : EXIT.failed;
}

/** Names and sizes say what happened, and are not enough to let it happen. */
async function show(bundle: CrashBundle, output: Output): Promise<ExitCode> {
  for (const event of bundle.journal) {
    await output.line({ type: "step", event });
  }
  output.verdict({
    type: "verdict",
    verdict: "not-reproduced",
    sentence:
      "Not reproduced: no payloads were recorded, so there is nothing " +
      "to feed the driver with. Record them: run --record-payloads, or " +
      "payloads = true in the configuration",
    steps: 0,
    traceHash: "",
    areValuesCompared: false,
  });
  return EXIT.failed;
}

function readFile(path: string): Uint8Array {
  if (/^\d+$/.test(path)) {
    throw new CliError(
      EXIT.usage,
      `${path} is a seed, not a bundle`,
      "Seeds are those of the simulation in the sources: " +
        `deno run tests/campaign/simulation.ts FIRST=${path} SEEDS=1`,
    );
  }
  try {
    const { size, isFile } = Deno.statSync(path);
    if (!isFile) throw new Error("it is no file");
    if (size > BUNDLE_BYTES_MAX) {
      throw new Error(`it has ${size} bytes, and no bundle has so many`);
    }
    return Deno.readFileSync(path);
  } catch (error) {
    throw new CliError(
      EXIT.data,
      `Cannot read ${harmless(path)}: ${harmless(readProblem(error))}`,
    );
  }
}

function decode(bytes: Uint8Array): CrashBundle {
  try {
    return readBundle(bytes);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new CliError(EXIT.data, error.message);
  }
}

/** @throws {CliError} `config` when there is none, `failed` when it is another one. */
async function driverOf(
  call: CommandCall,
  bundle: CrashBundle,
): Promise<ChosenDriver> {
  const { name, manifest_hash: recorded } = bundle.driver;
  const given = call.value("driver");
  const isOurs = call.toolbox.drivers.some(({ driver }) =>
    driver.name === name
  );
  if (given === undefined && !isOurs) {
    throw new CliError(
      EXIT.config,
      `Driver ${harmless(name)} does not come with the package`,
      "Say where it is: --driver ./my_driver.ts",
    );
  }
  const driver = await chooseDriver(call.toolbox, given ?? name);
  const isSame = await hashOfManifest(driver.manifest) === recorded;
  if (isSame || call.has("changed")) return driver;
  throw new CliError(
    EXIT.failed,
    `Driver ${harmless(name)} has changed since: the hash of its manifest ` +
      "(options, commands, match, interfaces, safe state) differs",
    "Replay with the driver that was recorded, or try this one: --changed",
  );
}

/** What the end of the replay's own process says. */
function verdictOf(
  end: ReplayEnd,
  known: {
    readonly bundle: CrashBundle;
    readonly lines: readonly ReplayStepLine[];
    readonly limitMs: number;
  },
): ReplayVerdict {
  const { bundle, lines, limitMs } = known;
  const at = lastHandler(lines);
  const is = (exitClass: string): boolean => bundle.end.class === exitClass;
  const steps = lines.filter(({ type }) => type === "step").length;
  const made = (
    verdict: ReplayVerdict["verdict"],
    sentence: string,
  ): ReplayVerdict => ({
    type: "verdict",
    verdict,
    sentence,
    steps,
    traceHash: "",
    areValuesCompared: true,
  });
  switch (end.kind) {
    case "hang": {
      const what = `${at} does not come back within ${limitMs} ms`;
      return is("hang")
        ? made("reproduced", `Reproduced: ${what}`)
        : made("diverged", `Diverged: ${what}`);
    }
    case "memory": {
      const what = `${at} uses up its memory`;
      return is("out-of-memory")
        ? made("reproduced", `Reproduced: ${what}`)
        : made("diverged", `Diverged: ${what}`);
    }
    case "done":
      return made("not-reproduced", "Not reproduced: the replay said nothing");
    case "broken":
      return made(
        "not-reproduced",
        `Not reproduced: ${harmless(end.reason, 500)}`,
      );
  }
}

const BEGINS = ["start", "report", "timer", "command", "stop"];

function lastHandler(lines: readonly ReplayStepLine[]): string {
  const last = lines.findLast((line) =>
    line.type === "step" && BEGINS.includes(line.event.kind)
  );
  if (last?.type !== "step") return "loading the driver";
  const { kind, name, sequence } = last.event;
  return `${kind} ${harmless(name, 80)} (event ${sequence})`;
}

function speedOf(call: CommandCall): number {
  const text = call.value("speed");
  if (text === undefined) return Infinity;
  const speed = Number(text);
  if (speed > 0 && speed <= 1e6) return speed;
  throw new CliError(
    EXIT.usage,
    `Cannot use ${JSON.stringify(harmless(text))} for --speed: ` +
      "expected a number above 0, such as 1 or 10",
  );
}

/** Shows a replay, as fast as is wanted. */
class Output {
  readonly #io: CliIo;
  readonly #isJson: boolean;
  readonly #speed: number;
  #lastMs: number | undefined;

  constructor(
    io: CliIo,
    options: { readonly isJson: boolean; readonly speed: number },
  ) {
    this.#io = io;
    this.#isJson = options.isJson;
    this.#speed = options.speed;
  }

  head({ driver, end, device, at, process }: CrashBundle): void {
    if (this.#isJson) return;
    const where = device === undefined ? "" : ` with ${device.label}`;
    const seed = process.seed === undefined ? "" : `, seed ${process.seed}`;
    this.#say(
      `driver ${driver.name}${where}, ${at}${seed}`,
      `ended then: ${end.class}${
        end.signal === undefined ? "" : ` (${end.signal})`
      }: ${end.message}`,
    );
  }

  async line(line: ReplayStepLine): Promise<void> {
    if (line.type !== "gap") await this.#pace(line.event);
    if (this.#isJson) return this.#json(dataOf(line));
    if (line.type === "gap") {
      const goesOn = line.goesOn === "checkpoint"
        ? "it goes on from a checkpoint of the driver's state"
        : "the driver's state is not what it was: only what it does is compared, not with which values";
      return this.#say(
        `        …  ${line.events} events are missing; ${goesOn}`,
      );
    }
    const { event } = line;
    const time = (event.timeMs / 1000).toFixed(6).padStart(12);
    const mark = line.type === "beyond" ? "+ " : "  ";
    this.#say(`${time} ${mark}${eventText(event)}`);
  }

  verdict(verdict: ReplayVerdict): void {
    const { sentence, steps, traceHash, areValuesCompared } = verdict;
    if (this.#isJson) {
      return this.#json({
        type: "verdict",
        verdict: verdict.verdict,
        sentence,
        steps,
        trace_hash: traceHash,
        values_compared: areValuesCompared,
      });
    }
    const hash = traceHash === "" ? "" : `, trace hash ${traceHash}`;
    this.#say(`${steps} steps the same${hash}`, sentence);
  }

  #json(line: object): void {
    this.#io.out(`${JSON.stringify(line)}\n`);
  }

  #say(...lines: readonly string[]): void {
    for (const line of lines) this.#io.out(`${harmless(line, 2_000)}\n`);
  }

  async #pace({ timeMs }: JournalEvent): Promise<void> {
    const waitMs = (timeMs - (this.#lastMs ?? timeMs)) / this.#speed;
    this.#lastMs = timeMs;
    if (!(waitMs >= 1)) return;
    await new Promise<void>((resolve) =>
      void this.#io.clock.setTimer(waitMs, resolve)
    );
  }
}

function dataOf(line: ReplayStepLine): object {
  if (line.type === "gap") {
    return { type: "gap", events: line.events, goes_on: line.goesOn };
  }
  const { sequence, timeMs, epoch, kind, name, sizeBytes, ...more } =
    line.event;
  return {
    type: line.type,
    sequence,
    time_ms: timeMs,
    epoch,
    kind,
    name,
    size_bytes: sizeBytes,
    ...(more.id === undefined ? {} : { id: more.id }),
    ...(more.payload === undefined ? {} : { data: toHex(more.payload) }),
    ...(more.detail === undefined ? {} : { detail: more.detail }),
  };
}
