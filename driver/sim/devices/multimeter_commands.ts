/**
 * Common commands and those of status and system, as a table; measuring ones
 * are in a file of their own. IEEE 488.2-1992, 10; SCPI-99, volume 2, 20 and 21.
 *
 * @module
 */

import { scpi, type ScpiCommand } from "./multimeter_command.ts";
import type { MultimeterInstrument } from "./multimeter_instrument.ts";
import { MEASURING_COMMANDS } from "./multimeter_measuring.ts";
import { type NumericSpec, parseNumeric } from "./multimeter_scpi.ts";
import type { StatusRegister } from "./multimeter_status.ts";

/** `*SRE`, `*ESE`. */
const BYTE: NumericSpec = { minimum: 0, maximum: 255, preset: 0 };
/** SCPI registers have 16 bits, of which the highest is not used. */
const REGISTER: NumericSpec = { minimum: 0, maximum: 65535, preset: 0 };
/** `*SAV` and `*RCL`. */
const MEMORY: NumericSpec = { minimum: 0, maximum: 4, preset: 0 };
/** Year and revision of the standard. */
const SCPI_VERSION = "1999.0";

function integer(text: string | undefined, spec: NumericSpec): number {
  return Math.round(parseNumeric(text ?? "", spec));
}

const COMMON: readonly ScpiCommand[] = [
  scpi("*IDN?", (meter) => meter.respond(meter.identity)),
  scpi("*RST", (meter) => meter.reset()),
  scpi("*CLS", (meter) => meter.status.clear()),
  scpi("*ESE", (meter, [mask]) => {
    meter.status.eventEnable = integer(mask, BYTE);
  }, [1, 1]),
  scpi("*ESE?", (meter) => meter.respond(`${meter.status.eventEnable}`)),
  scpi("*ESR?", (meter) => meter.respond(`${meter.status.takeEvents()}`)),
  scpi("*SRE", (meter, [mask]) => {
    meter.status.serviceEnable = integer(mask, BYTE);
  }, [1, 1]),
  scpi("*SRE?", (meter) => meter.respond(`${meter.status.serviceEnable}`)),
  scpi("*STB?", (meter) => meter.respond(`${meter.status.statusByte}`)),
  scpi("*OPC", (meter) => meter.wantCompletion()),
  scpi("*OPC?", (meter) => () => meter.respond("1")),
  scpi("*WAI", () => () => {}),
  scpi("*TST?", (meter) => meter.respond("0")),
  scpi("*TRG", (meter) => meter.trigger()),
  scpi("*SAV", (meter, [register]) => {
    const { setup } = meter.acquisition;
    meter.saved.set(integer(register, MEMORY), { ...setup });
  }, [1, 1]),
  scpi("*RCL", (meter, [register]) => {
    const setup = meter.saved.get(integer(register, MEMORY));
    meter.acquisition.abort();
    if (setup !== undefined) meter.acquisition.setup = { ...setup };
  }, [1, 1]),
];

const SYSTEM: readonly ScpiCommand[] = [
  scpi(
    "SYSTem:ERRor[:NEXT]?",
    (meter) => meter.respond(meter.status.takeError()),
  ),
  scpi(
    "SYSTem:ERRor:COUNt?",
    (meter) => meter.respond(`${meter.status.errorCount}`),
  ),
  scpi("SYSTem:VERSion?", (meter) => meter.respond(SCPI_VERSION)),
  scpi("STATus:PRESet", (meter) => {
    meter.status.operation.enable = 0;
    meter.status.questionable.enable = 0;
    meter.status.update();
  }),
  ...registerCommands("OPERation", (meter) => meter.status.operation),
  ...registerCommands("QUEStionable", (meter) => meter.status.questionable),
];

/** Every command, in order of search. */
export const COMMANDS: readonly ScpiCommand[] = [
  ...COMMON,
  ...MEASURING_COMMANDS,
  ...SYSTEM,
];

function registerCommands(
  name: string,
  of: (meter: MultimeterInstrument) => StatusRegister,
): readonly ScpiCommand[] {
  return [
    scpi(
      `STATus:${name}[:EVENt]?`,
      (meter) => meter.respond(`${of(meter).takeEvent()}`),
    ),
    scpi(
      `STATus:${name}:CONDition?`,
      (meter) => meter.respond(`${of(meter).condition}`),
    ),
    scpi(`STATus:${name}:ENABle`, (meter, [mask]) => {
      of(meter).enable = integer(mask, REGISTER);
      meter.status.update();
    }, [1, 1]),
    scpi(
      `STATus:${name}:ENABle?`,
      (meter) => meter.respond(`${of(meter).enable}`),
    ),
  ];
}
