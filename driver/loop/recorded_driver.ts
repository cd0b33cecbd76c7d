/**
 * A driver whose life is recorded: the same driver, with a full journal around
 * its handlers. Nothing else of the loop knows.
 *
 * @module
 */

import type {
  AnyDriver,
  DriverCommand,
  DriverContext,
  DriverInput,
  EventMap,
  Json,
  Parameters,
} from "../driver.ts";
import type { DeviceInfo, Report } from "../port.ts";
import { hex } from "../usb.ts";
import { errorData } from "./error_data.ts";
import { RecordedContext } from "./recorded_context.ts";
import type { Noted, Recorder } from "./recorder.ts";
import { toHex } from "./recording.ts";
import { reportDetail } from "./transfer_words.ts";

type Context = DriverContext<EventMap>;
type Input = DriverInput<unknown, EventMap>;
type Command = DriverCommand<unknown, EventMap>;

/** Puts a full journal around a driver's handlers. */
export function recordedDriver(
  driver: AnyDriver,
  recorder: Recorder,
): AnyDriver {
  const { inputs = [], commands = {} } = driver;
  const handlers = new RecordedHandlers(driver, recorder);
  return over(driver, {
    inputs: inputs.map((input, index) => handlers.input(input, index)),
    commands: Object.fromEntries(
      Object.entries(commands).map(([name, command]) => [
        name,
        handlers.command(name, command),
      ]),
    ),
    ...(driver.start === undefined ? {} : { start: handlers.start }),
    ...(driver.onTimer === undefined ? {} : { onTimer: handlers.onTimer }),
    ...(driver.stop === undefined ? {} : { stop: handlers.stop }),
  });
}

interface Handling<T> {
  readonly name: string;
  readonly state: unknown;
  readonly context: Context;
  readonly noted?: Noted;
  readonly call: (context: Context) => T;
}

class RecordedHandlers {
  readonly #driver: AnyDriver;
  readonly #recorder: Recorder;
  /** One for all the driver's life, as the context itself. */
  readonly #contexts = new WeakMap<Context, RecordedContext>();

  constructor(driver: AnyDriver, recorder: Recorder) {
    this.#driver = driver;
    this.#recorder = recorder;
  }

  input(input: Input, index: number): Input {
    const name = input.name ??
      (typeof input.endpoint === "number"
        ? hex(input.endpoint)
        : `input ${index}`);
    return over(input, {
      handle: (state: unknown, report: Report, context: Context) =>
        this.#run("report", {
          name,
          state,
          context,
          noted: { data: report.data, detail: [index, reportDetail(report)] },
          call: (recorded) => input.handle(state, report, recorded),
        }),
    });
  }

  command(name: string, command: Command): Command {
    return over(command, {
      run: (state: unknown, params: Parameters, context: Context) =>
        this.#run("command", {
          name,
          state,
          context,
          noted: { detail: paramsDetail(params) },
          call: (recorded) => command.run(state, params, recorded),
        }),
    });
  }

  readonly start = (state: unknown, context: Context): void | Promise<void> =>
    this.#run("start", {
      name: "start",
      state,
      context,
      call: (recorded) => this.#driver.start?.(state, recorded),
    });

  readonly onTimer = (
    state: unknown,
    name: string,
    context: Context,
  ): void | Promise<void> =>
    this.#run("timer", {
      name,
      state,
      context,
      call: (recorded) => this.#driver.onTimer?.(state, name, recorded),
    });

  readonly stop = (state: unknown, context: Context): void | Promise<void> =>
    this.#run("stop", {
      name: "stop",
      state,
      context,
      call: (recorded) => this.#driver.stop?.(state, recorded),
    });

  #run<T>(
    kind: "start" | "report" | "timer" | "command" | "stop",
    handling: Handling<T>,
  ): T {
    const recorder = this.#recorder;
    const { context, state, noted, name } = handling;
    const recorded = this.#recorded(context);
    recorder.checkpoint(() => ({ state, device: settingsOf(context) }));
    recorder.note(kind, name, noted);
    recorder.opened();
    let result: T;
    try {
      result = handling.call(recorded);
    } catch (error) {
      this.#over("failure", name, errorData(error));
      throw error;
    }
    if (!(result instanceof Promise)) {
      this.#over("end", name, result);
      return result;
    }
    return result.then((value: unknown) => {
      this.#over("end", name, value);
      return value;
    }, (error: unknown) => {
      this.#over("failure", name, errorData(error));
      throw error;
    }) as T;
  }

  #over(kind: "end" | "failure", name: string, detail: unknown): void {
    this.#recorder.closed();
    this.#recorder.note(kind, name, detail === undefined ? {} : { detail });
  }

  #recorded(context: Context): RecordedContext {
    const known = this.#contexts.get(context);
    if (known !== undefined) return known;
    const made = new RecordedContext(context, this.#recorder);
    const { info, device } = context;
    this.#recorder.note("device", device.label, { detail: placeOf(info) });
    this.#contexts.set(context, made);
    return made;
  }
}

/** The same object with other members; what is not named stays its own, whatever it is made of. */
function over<T extends object>(original: T, members: Partial<T>): T {
  return Object.create(
    original,
    Object.getOwnPropertyDescriptors(members),
  ) as T;
}

/** What the driver's process knows of a device besides its descriptors. */
function placeOf(info: DeviceInfo): Json {
  const { id, busNumber, deviceAddress, portPath, speed } = info;
  return {
    id,
    busNumber,
    deviceAddress,
    portPath,
    speed,
    manufacturer: info.manufacturer ?? null,
    product: info.product ?? null,
    serialNumber: info.serialNumber ?? null,
    configurationValue: info.configurationValue ?? null,
    nodePath: info.nodePath ?? null,
  };
}

/** What a driver may have changed of its device. */
function settingsOf({ device }: Context): Json {
  return {
    configuration: device.port.configuration?.configurationValue ?? null,
    claimed: [...device.claimed].map(([number, setting]) => [number, setting]),
  };
}

function paramsDetail(params: Parameters): Json {
  const members: [string, Json][] = [];
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined) continue;
    members.push([
      name,
      value instanceof Uint8Array ? { hex: toHex(value) } : value,
    ]);
  }
  return Object.fromEntries(members);
}
