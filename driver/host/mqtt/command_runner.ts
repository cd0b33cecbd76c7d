/**
 * Commands from the broker: each is carried out by the supervisor, or refused,
 * and answered on `/result` in any case.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import type { SupervisorAnswer } from "../supervisor/client.ts";
import { UnreachableError } from "../supervisor/client.ts";
import type { ArrivedMessage } from "./broker_link.ts";
import type { Outbox } from "./outbox.ts";
import {
  outcomeOf,
  readSetMessage,
  type ResultError,
  resultPayload,
  type SetCommand,
} from "./set_message.ts";
import type { BridgeTopics } from "./topics.ts";

/** What a runner is made of. */
export interface CommandRunnerOptions {
  readonly outbox: Outbox;
  readonly topics: BridgeTopics;
  /** Name of the driver that a level of topics stands for. */
  readonly nameOf: (level: string) => string | undefined;
  /** @throws {UnreachableError} */
  readonly call: (
    name: string,
    command: string,
    body: SetCommand["body"],
  ) => Promise<SupervisorAnswer>;
  /** The outbox has something. */
  readonly onChange: () => void;
}

/** What became of commands. */
export interface CommandCounters {
  /** Handed to the supervisor. */
  readonly carried: number;
  /** Not handed on: no command, retained, too many at a time. */
  readonly refused: number;
}

/** Half of what the supervisor takes at a time: others want something of it, too. */
export const COMMANDS_MAX = 32;

/** Runs commands. */
export class CommandRunner {
  readonly #options: CommandRunnerOptions;
  #running = 0;
  #carried = 0;
  #refused = 0;

  /** Nothing runs. */
  constructor(options: CommandRunnerOptions) {
    this.#options = options;
  }

  /** What became of commands. */
  get counters(): CommandCounters {
    return { carried: this.#carried, refused: this.#refused };
  }

  /** Takes a message; resolves when it is answered. One that is for no device's `/set` is nothing to us. */
  async take(message: ArrivedMessage): Promise<void> {
    const { topics, outbox, onChange } = this.#options;
    const level = topics.deviceOfSet(message.topic);
    if (level === undefined) return;
    const asked = readSetMessage(message);
    if (asked === undefined) return;
    const outcome = "error" in asked
      ? this.#refuse(asked.error)
      : await this.#carry(level, asked);
    // Beside the topic it came on, which the broker has let pass.
    const result = `${message.topic.slice(0, -"set".length)}result`;
    outbox.push(result, resultPayload(asked, outcome));
    onChange();
  }

  async #carry(
    level: string,
    { command, body }: SetCommand,
  ): Promise<{ readonly value: Json } | { readonly error: ResultError }> {
    const name = this.#options.nameOf(level);
    if (name === undefined) {
      const message = `There is no device ${
        JSON.stringify(level.slice(0, 64))
      }`;
      return this.#refuse({ code: "notFound", message });
    }
    if (this.#running >= COMMANDS_MAX) {
      const message = `More than ${COMMANDS_MAX} commands are running`;
      return this.#refuse({ code: "busy", message });
    }
    this.#running++;
    try {
      const answer = await this.#options.call(name, command, body);
      this.#carried++;
      return outcomeOf(answer);
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      return this.#refuse({ code: "unavailable", message: error.message });
    } finally {
      this.#running--;
    }
  }

  #refuse(error: ResultError): { readonly error: ResultError } {
    this.#refused++;
    return { error };
  }
}
