/**
 * Commands of the USBTMC driver, their parameters as data.
 *
 * @module
 */

import type {
  DriverCommand,
  Json,
  Parameters,
  ParameterSpec,
} from "../../driver.ts";
import { MAX_FRAME_BYTES } from "../../limits.ts";
import {
  clientOf,
  type UsbtmcContext,
  type UsbtmcEvents,
  type UsbtmcState,
} from "./driver_state.ts";
import type { UsbtmcReadOptions } from "./options.ts";
import { decodeText } from "./scpi_answer.ts";
import type { Usbtmc } from "./usbtmc.ts";

/** An answer must fit into one frame, as base64 and with its envelope. */
const ANSWER_BYTES_MAX = Math.floor(MAX_FRAME_BYTES * 0.7);
/** A block of that size over full speed, from an instrument that measures first. */
const BLOCK_TIMEOUT_MS = 60_000;

type Command = DriverCommand<UsbtmcState, UsbtmcEvents>;

/** What a command does with the instrument, and the limits of its transfers. */
type Action = (
  client: Usbtmc,
  params: Parameters,
  limits: UsbtmcReadOptions,
) => Promise<Json | void>;

const COMMAND_PARAM: ParameterSpec = {
  type: "string",
  maxLength: 65_536,
  description: "SCPI or IEEE 488.2 text, for example MEASure:VOLTage:DC?",
};
const MAX_BYTES_PARAM: ParameterSpec = {
  type: "integer",
  minimum: 1,
  maximum: ANSWER_BYTES_MAX,
  optional: true,
  description: `The most bytes to read; default ${ANSWER_BYTES_MAX}`,
};

/** Everything a client may ask of the instrument. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  "query": {
    description: "Sends a query and gives its answer as text",
    params: { command: COMMAND_PARAM },
    run: action((client, params, limits) =>
      client.query(String(params["command"]), limits)
    ),
  },
  "write": {
    description: "Sends a command that has no answer",
    params: { command: COMMAND_PARAM },
    run: action((client, params, limits) =>
      client.write(String(params["command"]), limits)
    ),
  },
  "read": {
    description: "Reads the answer to a query that was written, as text",
    params: { "max-bytes": MAX_BYTES_PARAM },
    run: action(async (client, _params, limits) => {
      const { data, endOfMessage } = await client.read(limits);
      return { text: decodeText(data), endOfMessage };
    }),
  },
  "read-block": {
    description: "Sends a query and gives the block it answers with, as base64",
    params: { command: COMMAND_PARAM, "max-bytes": MAX_BYTES_PARAM },
    timeoutMs: BLOCK_TIMEOUT_MS,
    run: action(async (client, params, limits) => {
      const block = await client.queryBlock(String(params["command"]), limits);
      return { lengthBytes: block.length, data: base64(block) };
    }),
  },
  "read-status-byte": {
    description: "Reads the status byte by serial poll",
    idempotent: true,
    run: action((client) => client.readStatusByte()),
  },
  "clear": {
    description: "Clears the instrument's input, output and pending answer",
    idempotent: true,
    run: action((client) => client.clear()),
  },
  "trigger": {
    description: "Triggers the instrument",
    run: action((client, _params, limits) => client.trigger(limits)),
  },
  "remote": {
    description: "Puts the instrument under remote control",
    idempotent: true,
    run: action((client) => client.remote()),
  },
  "local": {
    description: "Gives the front panel back to the person at the instrument",
    idempotent: true,
    run: action((client) => client.goToLocal()),
  },
  "lockout": {
    description: "Locks the front panel until local or the driver's end",
    idempotent: true,
    run: action((client) => client.lockout()),
  },
  "pulse": {
    description: "Makes the instrument show itself, by its light or display",
    idempotent: true,
    run: action((client) => client.indicatorPulse()),
  },
  "identify": {
    description: "Asks who the instrument is",
    idempotent: true,
    run: action(async (client, _params, limits) => ({
      ...await client.identify(limits),
    })),
  },
};

function action(run: Action): Command["run"] {
  return async (
    state: UsbtmcState,
    params: Parameters,
    context: UsbtmcContext,
  ): Promise<Json> => {
    const client = clientOf(state, context);
    checkCommand(params["command"], context);
    const maxBytes = params["max-bytes"];
    const answer = await run(client, params, {
      timeoutMs: state.timeoutMs,
      maxBytes: typeof maxBytes === "number" ? maxBytes : ANSWER_BYTES_MAX,
    });
    return answer ?? null;
  };
}

/** What a client types must not end the driver: it is told so instead. */
function checkCommand(
  command: Parameters[string],
  context: UsbtmcContext,
): void {
  if (typeof command !== "string") return;
  const isSendable = command !== "" &&
    [...command].every((character) => character <= "\u00ff");
  if (isSendable) return;
  throw context.device.error(
    "invalidParameter",
    "send the command",
    command === "" ? "it is empty" : "it has characters of more than one byte",
  );
}

function base64(bytes: Uint8Array): string {
  return btoa(decodeText(bytes));
}
