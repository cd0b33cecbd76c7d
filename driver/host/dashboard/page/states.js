// @ts-check
/**
 * What a state means to a person: a word, a tone, a mark that is told apart
 * without colour, and what to look at first.
 *
 * @module
 */

/** @import { DriverView } from "./words.d.ts" */

/**
 * How a state is shown.
 *
 * @typedef {object} Shown
 * @property {string} word
 * @property {"good" | "busy" | "wait" | "warn" | "bad" | "off"} tone
 * @property {string} meaning One sentence.
 */

/** @type {Readonly<Record<string, Shown>>} */
const STATES = {
  "ready": { word: "Ready", tone: "good", meaning: "It serves." },
  "degraded": {
    word: "Degraded",
    tone: "warn",
    meaning: "It serves, but not well.",
  },
  "starting": {
    word: "Starting",
    tone: "busy",
    meaning: "Its process runs and is not ready yet.",
  },
  "stopping": {
    word: "Stopping",
    tone: "busy",
    meaning: "It was told to stop, or its device is being made safe.",
  },
  "waiting-device": {
    word: "No device",
    tone: "wait",
    meaning: "Its device is not on the bus. It starts when the device comes.",
  },
  "backoff": {
    word: "Restarting",
    tone: "warn",
    meaning: "Its process ended. It waits for the next attempt.",
  },
  "quarantined": {
    word: "Quarantine",
    tone: "bad",
    meaning: "It failed too often. Attempts are rare until somebody looks.",
  },
  "failed": {
    word: "Failed",
    tone: "bad",
    meaning: "No attempt helps until somebody changes something.",
  },
  "unkillable": {
    word: "Stuck",
    tone: "bad",
    meaning:
      "Its process was killed and is still there, stuck in the kernel. No second one is started.",
  },
  "stopped": { word: "Stopped", tone: "off", meaning: "It is not wanted." },
};

/**
 * How a driver is shown; a state of a newer supervisor by its own name.
 *
 * @param {Pick<DriverView, "state" | "degraded">} driver
 * @returns {Shown}
 */
export function shownState({ state, degraded }) {
  const name = state === "ready" && degraded !== null ? "degraded" : state;
  return Object.hasOwn(STATES, name)
    ? /** @type {Shown} */ (STATES[name])
    : { word: state, tone: "wait", meaning: "" };
}

/**
 * How a state is shown, whatever else is known of the driver.
 *
 * @param {string} state
 * @returns {Shown}
 */
export function shownStateName(state) {
  return shownState({ state, degraded: null });
}

/**
 * How many drivers are in which state, the worst first.
 *
 * @param {readonly DriverView[]} drivers
 * @returns {{ readonly shown: Shown; readonly count: number }[]}
 */
export function summaryOf(drivers) {
  /** @type {Map<string, { shown: Shown; count: number }>} */
  const found = new Map();
  for (const driver of drivers) {
    const shown = shownState(driver);
    const entry = found.get(shown.word) ?? { shown, count: 0 };
    entry.count++;
    found.set(shown.word, entry);
  }
  return [...found.values()].sort((a, b) =>
    TONES.indexOf(a.shown.tone) - TONES.indexOf(b.shown.tone)
  );
}

/**
 * Whether somebody should look.
 *
 * @param {DriverView} driver
 * @returns {boolean}
 */
export function needsAttention(driver) {
  const { tone } = shownState(driver);
  return tone === "bad" || tone === "warn";
}

/**
 * Whether an operator's retry does something.
 *
 * @param {DriverView} driver
 * @returns {boolean}
 */
export function canRetry({ state }) {
  return state === "failed" || state === "quarantined";
}

const TONES = ["bad", "warn", "busy", "wait", "off", "good"];

/** What the classes of ends are to a person. */
const EXITS = new Map(Object.entries({
  "clean": "Stopped",
  "device-gone": "Unplugged",
  "config": "Configuration",
  "permission": "Permission",
  "fault": "Failed",
  "native-crash": "Native crash",
  "out-of-memory": "Killed or out of memory",
  "sandbox-kill": "Sandbox",
  "start-crash": "Crashed at start",
  "hang": "Hang",
  "protocol": "Protocol",
  "killed": "Killed",
}));

/**
 * A class of ends in a word or two.
 *
 * @param {string} exitClass
 * @returns {string}
 */
export function exitWord(exitClass) {
  return EXITS.get(exitClass) ?? exitClass;
}

/**
 * The tone of a class: an end in order is none of a failure's.
 *
 * @param {string} exitClass
 * @returns {Shown["tone"]}
 */
export function exitTone(exitClass) {
  if (exitClass === "clean") return "off";
  return exitClass === "device-gone" ? "wait" : "bad";
}

/**
 * Ends by reason, without stops in order; the most frequent first.
 *
 * @param {Readonly<Record<string, number>>} counts
 * @returns {{ readonly exitClass: string; readonly count: number }[]}
 */
export function restartReasons(counts) {
  return Object.entries(counts)
    .filter(([exitClass]) => exitClass !== "clean")
    .map(([exitClass, count]) => ({ exitClass, count }))
    .sort((a, b) => b.count - a.count);
}
