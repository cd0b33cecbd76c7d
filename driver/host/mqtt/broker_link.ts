/**
 * One connection to a broker, over npm's `mqtt`: it connects once, and when it
 * is gone it is gone. Whoever uses it decides when to connect again.
 *
 * @module
 */

import type { OutMessage } from "./outbox.ts";
import { MESSAGE_BYTES_MAX, OFFLINE } from "./payloads.ts";
import { brokerAddress, type MqttSettings } from "./settings.ts";

type Library = typeof import("./mqtt_client.ts");
type MqttClient = ReturnType<Library["connect"]>;

/**
 * `away`: to be tried again. `refused`: user, password or client id. `untrusted`:
 * its certificate. `unsupported`: it speaks no MQTT 5.
 */
export type BrokerErrorKind = "away" | "refused" | "untrusted" | "unsupported";

/** A broker that cannot be used. */
export class BrokerError extends Error {
  override readonly name = "BrokerError";
  readonly kind: BrokerErrorKind;
  /** What to do next. */
  readonly advice: string | undefined;

  /** Makes an error from its sentence. */
  constructor(kind: BrokerErrorKind, message: string, advice?: string) {
    super(message);
    this.kind = kind;
    this.advice = advice;
  }
}

/** The broker has the connection, but not this message or subscription. */
export class RefusedByBrokerError extends Error {
  override readonly name = "RefusedByBrokerError";
}

/** The connection ended while something was under way. */
export class LinkClosedError extends Error {
  override readonly name = "LinkClosedError";
}

/** A message from the broker. */
export interface ArrivedMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly isRetained: boolean;
}

/** A connection. */
export interface BrokerLink {
  /** Messages the broker takes at a time before it acknowledges. */
  readonly inFlightMax: number;
  /** Bytes of a packet that the broker takes. */
  readonly packetBytesMax: number;
  /** Resolves when the broker has it. @throws {RefusedByBrokerError | LinkClosedError} */
  publish(message: OutMessage): Promise<void>;
  /** Our own messages do not come back. @throws {RefusedByBrokerError | LinkClosedError} */
  subscribe(topic: string): Promise<void>;
  /** Resolves with the reason when it is gone. */
  readonly closed: Promise<string>;
  /** Leaves in order: the will is not published. */
  close(): Promise<void>;
}

/** How to connect. */
export interface LinkOptions {
  readonly settings: MqttSettings;
  readonly password?: string | undefined;
  /** Certificates to trust, as PEM. */
  readonly ca?: string | undefined;
  /** What the broker publishes when the connection breaks, retained. */
  readonly willTopic: string;
  readonly onMessage: (message: ArrivedMessage) => void;
}

/** A broker that is there answers in milliseconds; far away, in a second or two. */
const CONNECT_TIMEOUT_MS = 10_000;
/** Silence after which each side knows that the other is gone, times one and a half. */
const KEEP_ALIVE_S = 30;
/** What the broker is asked not to exceed: a command's parameters, its topic and properties. */
const PACKET_BYTES_MAX = MESSAGE_BYTES_MAX + 4_096;
/** Enough for a fast pipeline, and within mosquitto's default of 20. */
const IN_FLIGHT_MAX = 16;
/** From the last acknowledgement to the end of the connection. */
const CLOSE_TIMEOUT_MS = 1_000;

/**
 * Connects.
 *
 * @throws {BrokerError} With one sentence.
 */
export async function connectBroker(options: LinkOptions): Promise<BrokerLink> {
  // Here and not above: whoever imports this for its types pays nothing.
  const { connect } = await import("./mqtt_client.ts");
  const { settings } = options;
  const client = connect(connectOptions(options));
  const { promise, resolve, reject } = Promise.withResolvers<BrokerLink>();
  const closed = Promise.withResolvers<string>();
  let reason = "the connection ended";
  client.on("connect", ({ properties }) => {
    const link = new Link(client, closed.promise, {
      inFlightMax: Math.min(
        IN_FLIGHT_MAX,
        properties?.receiveMaximum ?? IN_FLIGHT_MAX,
      ),
      packetBytesMax: properties?.maximumPacketSize ?? Infinity,
    });
    resolve(link);
  });
  client.on("message", (topic, payload, { retain }) => {
    options.onMessage({ topic, payload, isRetained: retain });
  });
  client.on("disconnect", ({ reasonCode }) => {
    reason = reasonCode === SESSION_TAKEN_OVER
      ? "another client came with the same client_id"
      : `the broker ended it with code ${reasonCode ?? 0}`;
  });
  client.on("error", (error) => {
    reason = error.message;
    reject(brokerError(settings, error));
    client.end(true, {}, () => {});
  });
  client.on("close", () => {
    closed.resolve(reason);
    reject(brokerError(settings, new Error(reason)));
  });
  return await promise;
}

/** MQTT 5.0, 3.14.2.1. */
const SESSION_TAKEN_OVER = 142;

class Link implements BrokerLink {
  readonly inFlightMax: number;
  readonly packetBytesMax: number;
  readonly closed: Promise<string>;
  readonly #client: MqttClient;
  /** The library forgets whom it owes an answer when the connection breaks. */
  readonly #owed = new Set<(error: Error) => void>();

  constructor(
    client: MqttClient,
    closed: Promise<string>,
    limits: Pick<BrokerLink, "inFlightMax" | "packetBytesMax">,
  ) {
    this.#client = client;
    this.closed = closed;
    this.inFlightMax = limits.inFlightMax;
    this.packetBytesMax = limits.packetBytesMax;
    void closed.then((reason) => {
      for (const fail of this.#owed) fail(new LinkClosedError(reason));
      this.#owed.clear();
    });
  }

  publish({ topic, payload, retain }: OutMessage): Promise<void> {
    return this.#answered((done) =>
      this.#client.publish(topic, payload, { qos: 1, retain }, done)
    );
  }

  subscribe(topic: string): Promise<void> {
    return this.#answered((done) =>
      this.#client.subscribe(topic, { qos: 1, rap: true, nl: true }, done)
    );
  }

  close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const late = setTimeout(
      () => this.#client.end(true, {}, resolve),
      CLOSE_TIMEOUT_MS,
    );
    this.#client.end(false, {}, resolve);
    return Promise.race([promise, this.closed]).then(() => clearTimeout(late));
  }

  #answered(
    ask: (done: (error?: Error | null) => void) => void,
  ): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#owed.add(reject);
    ask((error) => {
      // Without a code it is the library's own: the connection goes away.
      if (error && !("code" in error)) return;
      this.#owed.delete(reject);
      if (error) reject(new RefusedByBrokerError(error.message));
      else resolve();
    });
    return promise;
  }
}

function connectOptions(
  { settings, password, ca, willTopic }: LinkOptions,
): Parameters<Library["connect"]>[0] {
  const { host, port, isTls, user, clientId } = settings;
  return {
    protocol: isTls ? "mqtts" : "mqtt",
    host,
    port,
    clientId,
    protocolVersion: 5,
    clean: true,
    keepalive: KEEP_ALIVE_S,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    timerVariant: "native",
    rejectUnauthorized: true,
    ...(user === undefined ? {} : { username: user }),
    ...(password === undefined ? {} : { password }),
    ...(ca === undefined ? {} : { ca }),
    properties: {
      sessionExpiryInterval: 0,
      maximumPacketSize: PACKET_BYTES_MAX,
    },
    will: { topic: willTopic, payload: OFFLINE, qos: 1, retain: true },
  };
}

/** What went wrong with a connection, and the next step. */
export function brokerError(settings: MqttSettings, error: Error): BrokerError {
  const scheme = settings.isTls ? "mqtts" : "mqtt";
  const where = `${scheme}://${brokerAddress(settings)}`;
  const code: unknown = "code" in error ? error.code : undefined;
  const say = (
    kind: BrokerErrorKind,
    reason: string,
    advice?: string,
  ): BrokerError =>
    new BrokerError(
      kind,
      `Cannot connect to the broker ${where}: ${reason}`,
      advice,
    );
  if (typeof code === "number") return refusedBy(code, error.message, say);
  const isCertificate = /CERT|SIGNATURE|UNABLE_TO_(GET|VERIFY)|ALTNAME/;
  if (typeof code !== "string" || !isCertificate.test(code)) {
    return say("away", error.message);
  }
  // A machine that just started may not know the time yet.
  const isTime = /NOT_YET_VALID|HAS_EXPIRED/.test(code);
  return say(
    isTime ? "away" : "untrusted",
    `its certificate is not trusted: ${error.message}`,
    isTime
      ? "Check the clock of this machine and the certificate of the broker"
      : "Name the certificate that signed it by ca_file, and the broker as " +
        "its certificate does",
  );
}

/** By the codes of MQTT 5.0, 3.2.2.2, and of 3.1.1, which an older broker answers with. */
function refusedBy(
  code: number,
  message: string,
  say: (kind: BrokerErrorKind, reason: string, advice?: string) => BrokerError,
): BrokerError {
  if ([1, 132].includes(code)) {
    return say(
      "unsupported",
      "it does not speak MQTT 5",
      "Use a broker that does: mosquitto since 1.6, for instance",
    );
  }
  if ([4, 5, 134, 135, 138, 140].includes(code)) {
    return say(
      "refused",
      `it refuses user and password (${message})`,
      "Check user and password_file in [mqtt], and the broker's own users",
    );
  }
  if ([2, 133].includes(code)) {
    return say(
      "refused",
      `it refuses the client id (${message})`,
      "Give another client_id in [mqtt]",
    );
  }
  return say("away", message);
}
