/**
 * Commands that configure, measure, trigger and fetch. SCPI-99, volume 2, 3
 * (MEASure), 18 (SENSe), 24 (TRIGger).
 *
 * @module
 */

import { encodeBlockHeader } from "../../class/usbtmc/block.ts";
import { scpi, type ScpiCommand } from "./multimeter_command.ts";
import type { MultimeterInstrument } from "./multimeter_instrument.ts";
import {
  presetSetup,
  READINGS_MAX,
  type TriggerSource,
} from "./multimeter_acquisition.ts";
import { bytesSegment, type OutputSegment } from "./multimeter_output.ts";
import {
  choose,
  type NumericSpec,
  parseNumeric,
  ScpiFault,
} from "./multimeter_scpi.ts";
import {
  type MeasuredQuantity,
  QUANTITIES,
  rangeFor,
} from "./multimeter_source.ts";

/** Largest block `DATA:BLOCk?` gives. */
export const BLOCK_BYTES_MAX = 16 * 1024 * 1024;

const COUNT: NumericSpec = { minimum: 1, maximum: 1_000_000, preset: 1 };
const REMOVED: NumericSpec = {
  minimum: 1,
  maximum: READINGS_MAX,
  preset: READINGS_MAX,
};
const CYCLES: NumericSpec = { minimum: 0.02, maximum: 100, preset: 1 };
const BLOCK: NumericSpec = {
  minimum: 0,
  maximum: BLOCK_BYTES_MAX,
  preset: 1024,
};
const SOURCES: readonly TriggerSource[] = ["IMMediate", "BUS", "EXTernal"];

const HEADERS: readonly (readonly [string, MeasuredQuantity])[] = [
  ["VOLTage[:DC]", "VOLT"],
  ["VOLTage:AC", "VOLT:AC"],
  ["CURRent[:DC]", "CURR"],
  ["CURRent:AC", "CURR:AC"],
  ["RESistance", "RES"],
  ["FRESistance", "FRES"],
  ["FREQuency", "FREQ"],
  ["TEMPerature", "TEMP"],
];

/** Measuring commands, in order of search. */
export const MEASURING_COMMANDS: readonly ScpiCommand[] = [
  ...HEADERS.flatMap(([header, quantity]) =>
    quantityCommands(header, quantity)
  ),
  scpi("CONFigure?", (meter) => meter.respond(configuration(meter))),
  scpi("READ?", (meter) => {
    // Only the bus could trigger, and the bus waits for the answer.
    if (meter.acquisition.setup.source === "BUS") throw new ScpiFault(-214);
    meter.acquisition.initiate();
    return () => fetchReadings(meter);
  }),
  scpi("INITiate[:IMMediate]", (meter) => meter.acquisition.initiate()),
  scpi("FETCh?", (meter) => {
    const { acquisition } = meter;
    if (acquisition.isIdle && acquisition.readings.length === 0) {
      throw new ScpiFault(-230);
    }
    return () => fetchReadings(meter);
  }),
  scpi("ABORt", (meter) => meter.acquisition.abort()),
  scpi("SAMPle:COUNt", (meter, [count = ""]) => {
    meter.acquisition.setup.samples = Math.round(parseNumeric(count, COUNT));
  }, [1, 1]),
  scpi(
    "SAMPle:COUNt?",
    (meter) => meter.respond(`${meter.acquisition.setup.samples}`),
  ),
  scpi("TRIGger:COUNt", (meter, [count = ""]) => {
    meter.acquisition.setup.triggers = choose(count, ["INFinity"])
      ? Infinity
      : Math.round(parseNumeric(count, COUNT));
  }, [1, 1]),
  scpi("TRIGger:COUNt?", (meter) => {
    const { triggers } = meter.acquisition.setup;
    meter.respond(triggers === Infinity ? "9.9E+37" : `${triggers}`);
  }),
  scpi("TRIGger:SOURce", (meter, [name = ""]) => {
    const source = choose(name, SOURCES);
    if (source === undefined) throw new ScpiFault(-224);
    meter.acquisition.setup.source = source;
  }, [1, 1]),
  scpi("TRIGger:SOURce?", (meter) => {
    const { source } = meter.acquisition.setup;
    meter.respond(source.replace(/[a-z]+$/, ""));
  }),
  ...dataCommands(),
];

function quantityCommands(
  header: string,
  quantity: MeasuredQuantity,
): readonly ScpiCommand[] {
  return [
    scpi(`MEASure[:SCALar]:${header}?`, (meter, parameters) => {
      configure(meter, quantity, parameters);
      meter.acquisition.initiate();
      return () => fetchReadings(meter);
    }, [0, 2]),
    scpi(
      `CONFigure[:SCALar]:${header}`,
      (meter, parameters) => configure(meter, quantity, parameters),
      [0, 2],
    ),
    scpi(`[SENSe]:${header}:RANGe[:UPPer]`, (meter, [range = ""]) => {
      meter.acquisition.setup.range = rangeOf(quantity, range);
    }, [1, 1]),
    scpi(`[SENSe]:${header}:RANGe[:UPPer]?`, (meter) => {
      meter.respond(scientific(liveRange(meter, quantity)));
    }),
    scpi(`[SENSe]:${header}:NPLCycles`, (meter, [cycles = ""]) => {
      meter.acquisition.setup.cycles = parseNumeric(cycles, CYCLES);
    }, [1, 1]),
    scpi(
      `[SENSe]:${header}:NPLCycles?`,
      (meter) => meter.respond(scientific(meter.acquisition.setup.cycles)),
    ),
  ];
}

function dataCommands(): readonly ScpiCommand[] {
  const remove = (meter: MultimeterInstrument, count: number): void => {
    const { acquisition } = meter;
    if (acquisition.readings.length === 0) throw new ScpiFault(-230);
    respondReadings(meter, acquisition.remove(count));
  };
  return [
    scpi(
      "DATA:POINts?",
      (meter) => meter.respond(`${meter.acquisition.readings.length}`),
    ),
    scpi("DATA:REMove?", (meter, [count = ""]) => {
      const wanted = Math.round(parseNumeric(count, REMOVED));
      if (wanted > meter.acquisition.readings.length) throw new ScpiFault(-222);
      remove(meter, wanted);
    }, [1, 1]),
    scpi("R?", (meter, [count = "MAX"]) => {
      remove(meter, Math.round(parseNumeric(count, REMOVED)));
    }, [0, 1]),
    scpi("DATA:LAST?", (meter) => {
      const last = meter.acquisition.readings.at(-1);
      if (last === undefined) throw new ScpiFault(-230);
      meter.respond(scientific(last));
    }),
    scpi("DATA:BLOCk?", (meter, [length = ""]) => {
      respondBlock(meter, testBlock(Math.round(parseNumeric(length, BLOCK))));
    }, [1, 1]),
    scpi("FORMat[:DATA]", (meter, [name = "", digits = "64"]) => {
      const format = choose(name, ["ASCii", "REAL"]);
      if (format === undefined) throw new ScpiFault(-224);
      if (format === "REAL" && digits !== "64") throw new ScpiFault(-224);
      meter.format = format;
    }, [1, 2]),
    scpi(
      "FORMat[:DATA]?",
      (meter) => meter.respond(meter.format === "REAL" ? "REAL,64" : "ASC,9"),
    ),
  ];
}

/** CONFigure presets triggering as well. SCPI-99, volume 2, 3.1. */
function configure(
  meter: MultimeterInstrument,
  quantity: MeasuredQuantity,
  [range, resolution]: readonly string[],
): void {
  const { unit, ranges } = QUANTITIES[quantity];
  if (resolution !== undefined && resolution !== "") {
    parseNumeric(resolution, {
      minimum: 0,
      maximum: ranges.at(-1) ?? 1,
      preset: 0,
      unit,
    });
  }
  meter.acquisition.abort();
  meter.acquisition.setup = {
    ...presetSetup(),
    quantity,
    range: range === undefined ? undefined : rangeOf(quantity, range),
  };
}

/** `undefined`: automatic. */
function rangeOf(
  quantity: MeasuredQuantity,
  text: string,
): number | undefined {
  const spec = QUANTITIES[quantity];
  if (text === "" || choose(text, ["AUTO", "DEFault"])) return undefined;
  const value = parseNumeric(text, {
    minimum: spec.ranges[0] ?? 0,
    maximum: spec.ranges.at(-1) ?? 1,
    preset: spec.ranges[0] ?? 0,
    unit: spec.unit,
  });
  return rangeFor(spec, value);
}

function liveRange(
  meter: MultimeterInstrument,
  quantity: MeasuredQuantity,
): number {
  const { setup } = meter.acquisition;
  const spec = QUANTITIES[quantity];
  return (setup.quantity === quantity ? setup.range : undefined) ??
    rangeFor(spec, spec.level);
}

function configuration(meter: MultimeterInstrument): string {
  const { quantity } = meter.acquisition.setup;
  const range = liveRange(meter, quantity);
  return `"${quantity} ${scientific(range)},${scientific(range / 1e6)}"`;
}

function fetchReadings(meter: MultimeterInstrument): void {
  respondReadings(meter, meter.acquisition.readings);
}

/** Readings as text, or as a block of 64-bit floats, most significant byte first. */
function respondReadings(
  meter: MultimeterInstrument,
  readings: readonly number[],
): void {
  if (meter.format === "ASCii") {
    meter.respond(readings.map(scientific).join(","));
    return;
  }
  const bytes = new Uint8Array(readings.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, reading] of readings.entries()) {
    view.setFloat64(index * 8, reading);
  }
  respondBlock(meter, bytesSegment(bytes));
}

function respondBlock(
  meter: MultimeterInstrument,
  block: OutputSegment,
): void {
  const head = encodeBlockHeader(block.lengthBytes);
  meter.respond({
    lengthBytes: head.length + block.lengthBytes,
    read: (offset, lengthBytes) =>
      offset < head.length
        ? head.subarray(offset, offset + lengthBytes)
        : block.read(offset - head.length, lengthBytes),
  });
}

/** A pattern whose every byte says where it is, made as it is read. */
function testBlock(lengthBytes: number): OutputSegment {
  return {
    lengthBytes,
    read: (offset, wanted) => {
      const bytes = new Uint8Array(Math.min(wanted, lengthBytes - offset));
      for (let index = 0; index < bytes.length; index++) {
        bytes[index] = blockByte(offset + index);
      }
      return bytes;
    },
  };
}

/** Byte `index` of `DATA:BLOCk?`: no power of two divides its period. */
export function blockByte(index: number): number {
  return index % 251;
}

/** `+1.23456789E-03`, as instruments write numbers. */
function scientific(value: number): string {
  const [mantissa = "0", exponent = "+0"] = value.toExponential(8).split("e");
  const sign = mantissa.startsWith("-") ? "" : "+";
  const digits = exponent.slice(1).padStart(2, "0");
  return `${sign}${mantissa}E${exponent[0]}${digits}`;
}
