/** Names of topics, and words of devices made safe for them. */

import {
  bridgeTopics,
  safeWord,
  topicLevel,
  WORD_LENGTH_MAX,
} from "../../../driver/host/mqtt/topics.ts";
import { Chance } from "../../../driver/loop/chance.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
} from "../../../driver/std.ts";

Deno.test("Topics stand below the prefix, a device's below its name", () => {
  const topics = bridgeTopics("driverspace/lab1", "homeassistant");
  assertEquals(topics.bridgeState, "driverspace/lab1/bridge/state");
  assertEquals(topics.anySet, "driverspace/lab1/+/set");
  assertEquals(topics.homeAssistantStatus, "homeassistant/status");
  assertEquals(topics.of("dmm"), {
    availability: "driverspace/lab1/dmm/availability",
    state: "driverspace/lab1/dmm/state",
    event: "driverspace/lab1/dmm/event",
    set: "driverspace/lab1/dmm/set",
    result: "driverspace/lab1/dmm/result",
  });
});

Deno.test("The device of a command is told by its topic, and by no other topic", () => {
  const { deviceOfSet } = bridgeTopics("driverspace", "homeassistant");
  assertEquals(deviceOfSet("driverspace/dmm/set"), "dmm");
  for (
    const topic of [
      "driverspace//set",
      "driverspace/set",
      "driverspace/a/b/set",
      "driverspace/dmm/state",
      "other/dmm/set",
      "driverspace/dmm/set/",
      "",
    ]
  ) assertEquals(deviceOfSet(topic), undefined, topic);
});

Deno.test("The name of the bridge is taken: a device that bears it stands elsewhere", () => {
  assertEquals(topicLevel("dmm-2"), "dmm-2");
  assertMatch(topicLevel("bridge"), /^bridge_[0-9a-f]{8}$/);
});

Deno.test("Whatever a device says of itself becomes one short level, and two words stay two", () => {
  assertEquals(safeWord("MY47000001"), "MY47000001");
  const hostile = [
    "a/b",
    "a+b",
    "a#b",
    "a b",
    "../b",
    "",
    "/",
    "#",
    "+",
    "$SYS",
    "a\u0000b",
    "a\nb",
    "\u202eb",
    "ü".repeat(200),
    "x".repeat(65),
    "x".repeat(66),
    "\ud800",
  ];
  const words = hostile.map((text) => safeWord(text));
  for (const word of words) {
    assertMatch(word, /^[A-Za-z0-9_-]+$/);
    assert(word.length <= WORD_LENGTH_MAX, word);
  }
  assertEquals(new Set(words).size, words.length, words.join());
  assertNotEquals(safeWord("a/b"), safeWord("a_b"));
});

Deno.test("No text at random leaves its level", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 1;
  const chance = new Chance(seed);
  for (let round = 0; round < 2_000; round++) {
    const length = Math.floor(chance.next() * 100);
    const text = Array.from(
      { length },
      () => String.fromCharCode(Math.floor(chance.next() * 0x1_0000)),
    ).join("");
    assertMatch(safeWord(text), /^[A-Za-z0-9_-]{1,64}$/, `seed ${seed}`);
  }
});
