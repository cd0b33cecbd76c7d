/**
 * The table `[mqtt]` of a configuration: which broker, by which name, below
 * which topics. The password stands in a file of its own.
 *
 * @module
 */

import type { TableReader } from "../supervisor/table_reader.ts";

/** Where and how the bridge speaks to its broker. */
export interface MqttSettings extends BrokerPlace {
  readonly user?: string;
  /** File whose first line is the password. Nobody but its owner may read it. */
  readonly passwordFile?: string;
  /** File with the certificates to trust. Absent: those the runtime trusts. */
  readonly caFile?: string;
  readonly clientId: string;
  /** Every topic of ours begins with it. */
  readonly prefix: string;
  /** Whether commands are taken from the broker. */
  readonly takesCommands: boolean;
  /** Whether Home Assistant is told of the devices. */
  readonly tellsHomeAssistant: boolean;
  /** Where Home Assistant looks for them. */
  readonly discoveryPrefix: string;
}

/** Where a broker is. */
export interface BrokerPlace {
  /** A name or an address; an IPv6 address without its brackets. */
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

/** `HOST:PORT`, an IPv6 address in brackets: as Deno's permission names it. */
export function brokerAddress({ host, port }: BrokerPlace): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Reads the table; `undefined` when it names no usable broker, which was noted then. */
export function readMqttSettings(
  table: TableReader,
): MqttSettings | undefined {
  const place = readBroker(table);
  const user = table.text("user", NAME_LENGTH_MAX);
  const passwordFile = table.filePath("password_file");
  const caFile = table.filePath("ca_file");
  const prefix = readTopic(table, "prefix") ?? "driverspace";
  const clientId = readClientId(table) ?? prefix.replaceAll("/", "_");
  const takesCommands = table.flag("commands") ?? true;
  const tellsHomeAssistant = table.flag("home_assistant") ?? false;
  const discoveryPrefix = readTopic(table, "discovery_prefix") ??
    "homeassistant";
  if (passwordFile !== undefined && table.raw("user") === undefined) {
    table.complain("password_file", "needs a user");
  }
  if (caFile !== undefined && place?.isTls === false) {
    table.complain("ca_file", "needs a broker that begins with mqtts://");
  }
  table.finish();
  if (place === undefined) return undefined;
  return {
    ...place,
    ...(user === undefined ? {} : { user }),
    ...(passwordFile === undefined ? {} : { passwordFile }),
    ...(caFile === undefined ? {} : { caFile }),
    clientId,
    prefix,
    takesCommands,
    tellsHomeAssistant,
    discoveryPrefix,
  };
}

/** Longer ones are no names, and brokers refuse them. */
const NAME_LENGTH_MAX = 128;
/** Leaves room for the levels below within every broker's limit. */
const PREFIX_LENGTH_MAX = 64;

function readBroker(table: TableReader): BrokerPlace | undefined {
  if (table.raw("broker") === undefined) {
    table.complain("broker", 'is missing: which one, as "mqtt://host:1883"?');
    return undefined;
  }
  const text = table.text("broker", 512);
  if (text === undefined) return undefined;
  const found = placeOf(text);
  if (typeof found !== "string") return found;
  table.complain("broker", found);
  return undefined;
}

/** The place, or what is wrong with its text. */
function placeOf(text: string): BrokerPlace | string {
  const found = /^(mqtts?):\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:\d+)?\/?$/
    .exec(text);
  if (found === null) {
    return text.includes("@")
      ? "bears a user: name it by user, and the password by password_file"
      : 'must be as "mqtt://host:1883" or "mqtts://host:8883"';
  }
  const [, scheme = "", host = "", behind] = found;
  if (!URL.canParse(`http://${host}`)) return "has no such host";
  const isTls = scheme === "mqtts";
  const port = behind === undefined
    ? (isTls ? 8883 : 1883)
    : Number(behind.slice(1));
  if (port < 1 || port > 65_535) return "has no such port";
  return { host: host.replace(/^\[|\]$/g, "").toLowerCase(), port, isTls };
}

/** Levels without wildcards; MQTT 5.0, 4.7 would allow more than is wise. */
function readTopic(table: TableReader, name: string): string | undefined {
  const text = table.text(name, PREFIX_LENGTH_MAX);
  if (text === undefined) return undefined;
  if (/^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/.test(text)) return text;
  table.complain(
    name,
    "must be letters, digits, dots, dashes and underscores, divided by /",
  );
  return undefined;
}

function readClientId(table: TableReader): string | undefined {
  const text = table.text("client_id", NAME_LENGTH_MAX);
  if (text === undefined || /^[A-Za-z0-9_.-]+$/.test(text)) return text;
  table.complain(
    "client_id",
    "must be letters, digits, dots, dashes and underscores",
  );
  return undefined;
}
