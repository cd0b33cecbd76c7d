/**
 * Names of topics, and words of devices and drivers made safe for them: what a
 * device says of itself must not reach another topic.
 *
 * @module
 */

/** Levels of a topic and identifiers are at most this long; MQTT allows 65,535 bytes in all. */
export const WORD_LENGTH_MAX = 64;

/** The topics of one bridge. */
export interface BridgeTopics {
  /** `online`, or `offline`, by the will too. */
  readonly bridgeState: string;
  /** Every device, and what was told of it: what a later bridge takes back. */
  readonly bridgeDevices: string;
  /** What was sent, dropped and refused so far. */
  readonly bridgeCounters: string;
  /** Subscription to the commands for any device. */
  readonly anySet: string;
  /** Where Home Assistant says `online` after it started. */
  readonly homeAssistantStatus: string;
  /** Topics of one device. */
  of(device: string): DeviceTopics;
  /** Name of the device a command is for; `undefined` for another topic. */
  deviceOfSet(topic: string): string | undefined;
}

/** The topics of one device. */
export interface DeviceTopics {
  readonly availability: string;
  readonly state: string;
  readonly event: string;
  readonly set: string;
  readonly result: string;
}

/** Makes the topics below a prefix. */
export function bridgeTopics(
  prefix: string,
  discoveryPrefix: string,
): BridgeTopics {
  const start = `${prefix}/`;
  const end = "/set";
  return {
    bridgeState: `${prefix}/bridge/state`,
    bridgeDevices: `${prefix}/bridge/devices`,
    bridgeCounters: `${prefix}/bridge/counters`,
    anySet: `${prefix}/+/set`,
    homeAssistantStatus: `${discoveryPrefix}/status`,
    of(device: string): DeviceTopics {
      const base = `${prefix}/${topicLevel(device)}`;
      return {
        availability: `${base}/availability`,
        state: `${base}/state`,
        event: `${base}/event`,
        set: `${base}/set`,
        result: `${base}/result`,
      };
    },
    deviceOfSet(topic: string): string | undefined {
      if (!topic.startsWith(start) || !topic.endsWith(end)) return undefined;
      const level = topic.slice(start.length, -end.length);
      return level === "" || level.includes("/") ? undefined : level;
    },
  };
}

/** A device's name as a level of a topic: itself where it may stand there. `bridge` is taken. */
export function topicLevel(name: string): string {
  return name === "bridge"
    ? `${safeWord(name)}_${hashOf(name)}`
    : safeWord(name);
}

/**
 * A word of letters, digits, dashes and underscores. One that was changed, or is
 * too long, ends in a hash of the whole, so that two words stay two.
 */
export function safeWord(text: string, lengthMax = WORD_LENGTH_MAX): string {
  const safe = text.replaceAll(/[^A-Za-z0-9_-]/g, "_");
  if (safe === text && text !== "" && text.length <= lengthMax) return text;
  const hash = hashOf(text);
  return `${safe.slice(0, lengthMax - hash.length - 1)}_${hash}`;
}

/** FNV-1a over UTF-16 units, 32 bits: tells words apart, hides nothing. */
function hashOf(text: string): string {
  let hash = 0x811c_9dc5;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
}
