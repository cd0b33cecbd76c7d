// Types of the parts of `mqtt` that this project uses.

/** Properties of MQTT 5.0 that a broker answers a connection with. */
export interface Connack {
  readonly properties?: {
    /** Publications under way at a time. MQTT 5.0, 3.2.2.3.3. */
    readonly receiveMaximum?: number;
    /** Bytes of a packet. MQTT 5.0, 3.2.2.3.6. */
    readonly maximumPacketSize?: number;
  };
}

/** A message, as its packet said. */
export interface IncomingMessage {
  readonly retain: boolean;
}

/** What a connection is made with. */
export interface ConnectOptions {
  readonly protocol: "mqtt" | "mqtts";
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly protocolVersion: 5;
  readonly clean: boolean;
  readonly keepalive: number;
  readonly connectTimeout: number;
  /** 0: never, we do it ourselves. */
  readonly reconnectPeriod: number;
  readonly resubscribe: boolean;
  readonly queueQoSZero: boolean;
  readonly username?: string;
  readonly password?: string;
  readonly ca?: string;
  readonly rejectUnauthorized: boolean;
  readonly timerVariant: "native";
  readonly properties: {
    readonly sessionExpiryInterval: number;
    readonly maximumPacketSize: number;
  };
  readonly will: {
    readonly topic: string;
    readonly payload: string;
    readonly qos: 1;
    readonly retain: boolean;
  };
}

/** A client of one connection. */
export interface MqttClient {
  on(event: "connect", listener: (packet: Connack) => void): this;
  on(
    event: "message",
    listener: (
      topic: string,
      payload: Uint8Array,
      packet: IncomingMessage,
    ) => void,
  ): this;
  on(
    event: "disconnect",
    listener: (packet: { readonly reasonCode?: number }) => void,
  ): this;
  on(event: "error", listener: (error: Error) => void): this;
  on(event: "close", listener: () => void): this;
  publish(
    topic: string,
    payload: string,
    options: { readonly qos: 1; readonly retain: boolean },
    callback: (error?: Error | null) => void,
  ): this;
  subscribe(
    topic: string,
    options: {
      readonly qos: 1;
      /** Retain as published. MQTT 5.0, 3.8.3.1. */
      readonly rap: boolean;
      /** No local. */
      readonly nl: boolean;
    },
    callback: (error?: Error | null) => void,
  ): this;
  end(
    force: boolean,
    options: Readonly<Record<string, never>>,
    callback: () => void,
  ): this;
}

export declare function connect(options: ConnectOptions): MqttClient;
