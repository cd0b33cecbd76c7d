/**
 * Follows a supervisor for as long as the bridge lives: its events, and each
 * driver as it shows it, asked anew where events alone do not tell.
 *
 * @module
 */

import type { Clock } from "../../loop/clock.ts";
import {
  askSupervisor,
  type SupervisorAnswer,
  UnreachableError,
} from "../supervisor/client.ts";
import {
  followEvents,
  type StreamedEvent,
} from "../supervisor/event_follower.ts";
import { Backoff } from "./backoff.ts";
import type { Note } from "./broker_side.ts";
import type { DeviceTable } from "./device_table.ts";
import { readDriver, readGap, readNews, readSnapshot } from "./driver_facts.ts";

/** What this side is made of. */
export interface SupervisorSideOptions {
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly socket: string;
  readonly table: DeviceTable;
  /** The outbox has something. */
  readonly onChange: () => void;
  readonly note: Note;
}

/** What became of connections and events. */
export interface SupervisorCounters {
  readonly connections: number;
  /** Events of the supervisor that were no longer there when it was reached again. */
  readonly missed: number;
}

/** It is on this machine, and comes back in a second. */
const BACKOFF = { firstMs: 200, maxMs: 5_000 } as const;

/** The side of the supervisor. */
export class SupervisorSide {
  readonly #options: SupervisorSideOptions;
  readonly #backoff: Backoff;
  /** Drivers to ask for, in order. */
  readonly #asking = new Set<string>();
  #isAsking = false;
  #started: string | undefined;
  #lastEventId: number | undefined;
  #restart: (() => void) | undefined;
  #connections = 0;
  #missed = 0;

  /** Not connected. */
  constructor(options: SupervisorSideOptions) {
    this.#options = options;
    const { clock, random } = options;
    this.#backoff = new Backoff({ clock, random, ...BACKOFF });
  }

  /** What became of connections and events. */
  get counters(): SupervisorCounters {
    return { connections: this.#connections, missed: this.#missed };
  }

  /**
   * Follows until the signal fires.
   *
   * @throws {UnreachableError} `denied`, when it was never reached: waiting does not mend that.
   */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const isAnother = await this.#follow(signal);
      if (!isAnother && !signal.aborted) await this.#backoff.wait(signal);
    }
  }

  /** Has a command carried out. @throws {UnreachableError} */
  call(
    name: string,
    command: string,
    body: { readonly "timeout_ms"?: number },
  ): Promise<SupervisorAnswer> {
    const { timeout_ms: timeoutMs = CALL_TIMEOUT_MS } = body;
    return askSupervisor(
      this.#options.socket,
      `/drivers/${encodeURIComponent(name)}/commands/${
        encodeURIComponent(command)
      }`,
      {
        method: "POST",
        body: JSON.stringify(body),
        timeoutMs: timeoutMs + ANSWER_MARGIN_MS,
      },
    );
  }

  /** Follows one stream; `true` when it turned out to be that of another supervisor. */
  async #follow(signal: AbortSignal): Promise<boolean> {
    const { socket, table, note, onChange } = this.#options;
    const own = new AbortController();
    let isAnother = false;
    this.#restart = () => {
      isAnother = true;
      own.abort();
    };
    try {
      await followEvents(socket, {
        lastEventId: this.#lastEventId,
        onEvent: (event) => this.#take(event),
        signal: AbortSignal.any([signal, own.signal]),
      });
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      if (error.kind === "denied" && this.#connections === 0) throw error;
      note("warn", "supervisor.away", error.message);
    }
    if (!isAnother && !signal.aborted) {
      table.lost();
      onChange();
    }
    return isAnother;
  }

  #take(event: StreamedEvent): void {
    try {
      this.#read(event);
    } catch (error) {
      this.#options.note(
        "error",
        "supervisor.unreadable",
        `Cannot read ${event.event} of the supervisor: ${error}`,
      );
    }
    this.#options.onChange();
  }

  #read({ id, event, data }: StreamedEvent): void {
    if (event === "snapshot") return this.#begin(data, id);
    if (id !== undefined) this.#lastEventId = id;
    if (event === "gap") {
      const missed = readGap(data);
      this.#missed += missed;
      return this.#options.note(
        "warn",
        "supervisor.missed",
        `${missed} events of the supervisor are lost`,
        { missed },
      );
    }
    if (event === "supervisor.reloaded") return this.#ask(ALL);
    const news = readNews(event, data);
    if (news === undefined) return;
    this.#options.table.news(news);
    // Its device, its commands: what comes with another state.
    if (news.kind !== "event") this.#ask(news.driver);
  }

  #begin(data: string, id: number | undefined): void {
    const { started, names } = readSnapshot(data);
    const isAnother = this.#started !== undefined && this.#started !== started;
    this.#started = started;
    if (isAnother && this.#lastEventId !== 0) {
      // Its numbers are its own: what it has told so far is asked for from the first.
      this.#lastEventId = 0;
      return this.#restart?.();
    }
    this.#connections++;
    this.#backoff.began();
    this.#lastEventId = id ?? this.#lastEventId;
    this.#options.note(
      "info",
      "supervisor.connected",
      "The supervisor is there",
      {
        drivers: names.length,
      },
    );
    this.#options.table.names(names);
    for (const name of names) this.#ask(name);
  }

  /** A driver that is asked for while it is asked for is asked for once more. */
  #ask(name: string): void {
    this.#asking.add(name);
    if (!this.#isAsking) void this.#askAll();
  }

  async #askAll(): Promise<void> {
    this.#isAsking = true;
    for (const name of this.#asking) {
      this.#asking.delete(name);
      try {
        if (name === ALL) await this.#askNames();
        else await this.#askOne(name);
      } catch (error) {
        this.#options.note(
          "error",
          "supervisor.unreadable",
          `Cannot ask the supervisor for ${name || "its drivers"}: ${error}`,
        );
      }
      this.#options.onChange();
    }
    this.#isAsking = false;
  }

  async #askNames(): Promise<void> {
    const { socket, table } = this.#options;
    const { body } = await askSupervisor(socket, "/status");
    const { names } = readSnapshot(body);
    table.names(names);
    for (const name of names) this.#asking.add(name);
  }

  async #askOne(name: string): Promise<void> {
    const path = `/drivers/${encodeURIComponent(name)}`;
    const { socket, table } = this.#options;
    const { status, body } = await askSupervisor(socket, path);
    // A change of state meanwhile has put it on the list again: this answer may be older.
    if (status !== 200) table.absent(name);
    else if (!this.#asking.has(name)) table.learn(readDriver(body));
  }
}

/** Not a name of a driver: all of them. */
const ALL = "";
/** The longest a driver takes whose commands say nothing else; the supervisor ends it before. */
const CALL_TIMEOUT_MS = 60_000;
const ANSWER_MARGIN_MS = 5_000;
