/**
 * The bridge between a supervisor and a broker: both may come and go in any
 * order.
 *
 * @module
 */

import type { Clock, Timer } from "../../loop/clock.ts";
import type { ArrivedMessage, BrokerLink } from "./broker_link.ts";
import {
  BrokerSide,
  type BrokerSideOptions,
  type Note,
} from "./broker_side.ts";
import { CommandRunner } from "./command_runner.ts";
import { DeviceTable } from "./device_table.ts";
import { isDiscoveryTopic } from "./discovery.ts";
import { Outbox } from "./outbox.ts";
import { OFFLINE, ONLINE, readDevicesPayload } from "./payloads.ts";
import type { MqttSettings } from "./settings.ts";
import { SupervisorSide } from "./supervisor_side.ts";
import { type BridgeTopics, bridgeTopics } from "./topics.ts";

/** What a bridge is made of. */
export interface BridgeOptions {
  readonly settings: MqttSettings;
  /** The supervisor's Unix socket. */
  readonly socket: string;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Connects once. @throws {BrokerError} */
  readonly connect: (
    options: {
      readonly willTopic: string;
      readonly onMessage: (message: ArrivedMessage) => void;
    },
  ) => Promise<BrokerLink>;
  readonly note: Note;
  /** Of this package. */
  readonly version: string;
  /** Waits between attempts to reach the broker. */
  readonly backoff?: BrokerSideOptions["backoff"];
}

/** How often counters are told when they have changed. */
const COUNTERS_INTERVAL_MS = 5_000;
/** Home Assistant has just started: a moment for it to listen, and not all bridges at once. */
const BIRTH_DELAY_MS = 500;

/** A bridge. */
export class Bridge {
  readonly #options: BridgeOptions;
  readonly #topics: BridgeTopics;
  readonly #outbox = new Outbox();
  readonly #table: DeviceTable;
  readonly #broker: BrokerSide;
  readonly #supervisor: SupervisorSide;
  readonly #commands: CommandRunner;
  #birth: Timer | undefined;

  /** Does nothing before `run`. */
  constructor(options: BridgeOptions) {
    this.#options = options;
    const { settings, clock, random, note, socket } = options;
    const { prefix, discoveryPrefix } = settings;
    const topics = this.#topics = bridgeTopics(prefix, discoveryPrefix);
    const outbox = this.#outbox;
    const onChange = (): void => this.#changed();
    this.#table = new DeviceTable({
      outbox,
      topics,
      ...settings,
      version: options.version,
    });
    this.#supervisor = new SupervisorSide({
      clock,
      random,
      socket,
      table: this.#table,
      onChange,
      note,
    });
    this.#commands = new CommandRunner({
      outbox,
      topics,
      nameOf: (level) => this.#table.nameOf(level),
      call: (name, command, body) => this.#supervisor.call(name, command, body),
      onChange,
    });
    this.#broker = new BrokerSide({
      clock,
      random,
      outbox,
      connect: () =>
        options.connect({
          willTopic: topics.bridgeState,
          onMessage: (message) => this.#take(message),
        }),
      subscriptions: this.#subscriptions(),
      onEventDone: () => this.#count(),
      farewell: () => outbox.keep(topics.bridgeState, () => OFFLINE),
      note,
      ...(options.backoff === undefined ? {} : { backoff: options.backoff }),
    });
    outbox.keep(topics.bridgeState, () => ONLINE);
    this.#count();
  }

  /**
   * Bridges until the signal fires, then says `offline` and leaves.
   *
   * @throws {BrokerError} {UnreachableError} When the first attempt fails for a reason that waiting does not mend.
   */
  async run(signal: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    const sides = [this.#broker.run(either), this.#supervisor.run(either)];
    try {
      await Promise.all(sides);
    } finally {
      failed.abort();
      this.#birth?.cancel();
      await Promise.allSettled(sides);
    }
  }

  /** What an earlier bridge left comes first, so that it is known before our own is told. */
  #subscriptions(): readonly string[] {
    const { takesCommands, tellsHomeAssistant } = this.#options.settings;
    return [
      this.#topics.bridgeDevices,
      ...(takesCommands ? [this.#topics.anySet] : []),
      ...(tellsHomeAssistant ? [this.#topics.homeAssistantStatus] : []),
    ];
  }

  #take(message: ArrivedMessage): void {
    const { settings, note } = this.#options;
    const { topic, payload } = message;
    if (topic === this.#topics.bridgeDevices) {
      const text = new TextDecoder().decode(payload);
      const isOurs = (topic: string): boolean =>
        isDiscoveryTopic(topic, settings);
      this.#table.recall(readDevicesPayload(text, isOurs));
      this.#changed();
    } else if (topic === this.#topics.homeAssistantStatus) {
      if (new TextDecoder().decode(payload) === ONLINE) this.#born();
    } else {
      this.#commands.take(message).catch((error) =>
        note("error", "bridge.bug", String(error))
      );
    }
  }

  /** Home Assistant has started: it is told everything again, once. */
  #born(): void {
    const { clock, random, note } = this.#options;
    this.#birth ??= clock.setTimer(BIRTH_DELAY_MS * (1 + random()), () => {
      this.#birth = undefined;
      note("info", "home_assistant.online", "Home Assistant has started");
      this.#outbox.again();
      this.#broker.wake();
    });
  }

  #changed(): void {
    this.#count();
    this.#broker.wake();
  }

  #count(): void {
    this.#outbox.keep(this.#topics.bridgeCounters, () => {
      const { sent, dropped, waiting } = this.#outbox.counters;
      const commands = this.#commands.counters;
      const broker = this.#broker.counters;
      const supervisor = this.#supervisor.counters;
      return JSON.stringify({
        "events_sent": sent,
        "events_waiting": waiting,
        "events_dropped": dropped,
        "events_missed": supervisor.missed,
        "commands_carried": commands.carried,
        "commands_refused": commands.refused,
        "messages_refused": broker.refused,
        "broker_connections": broker.connections,
        "supervisor_connections": supervisor.connections,
      });
    }, { minIntervalMs: COUNTERS_INTERVAL_MS });
  }
}
