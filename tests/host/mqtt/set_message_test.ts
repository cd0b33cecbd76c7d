/** Messages on /set and the answers to them. */

import { CommandRunner } from "../../../driver/host/mqtt/command_runner.ts";
import { COMMANDS_MAX } from "../../../driver/host/mqtt/command_runner.ts";
import { Outbox } from "../../../driver/host/mqtt/outbox.ts";
import { MESSAGE_BYTES_MAX } from "../../../driver/host/mqtt/payloads.ts";
import {
  outcomeOf,
  readSetMessage,
  resultPayload,
} from "../../../driver/host/mqtt/set_message.ts";
import { bridgeTopics } from "../../../driver/host/mqtt/topics.ts";
import {
  type SupervisorAnswer,
  UnreachableError,
} from "../../../driver/host/supervisor/client.ts";
import { Chance } from "../../../driver/loop/chance.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../../driver/std.ts";

function read(
  text: string,
  isRetained = false,
): ReturnType<typeof readSetMessage> {
  return readSetMessage({
    payload: new TextEncoder().encode(text),
    isRetained,
  });
}

function refusalOf(text: string, isRetained = false): string {
  const found = read(text, isRetained);
  assert(found !== undefined && "error" in found, text);
  return `${found.error.code}: ${found.error.message}`;
}

Deno.test("A message names a command, its parameters, its deadline and the client's own word", () => {
  assertEquals(read('{"command":"clear"}'), {
    correlation: null,
    command: "clear",
    body: {},
  });
  assertEquals(
    read(
      '{"command":"query","params":{"command":"*IDN?"},"timeout_ms":500,"correlation":"a1"}',
    ),
    {
      correlation: "a1",
      command: "query",
      body: { params: { command: "*IDN?" }, timeout_ms: 500 },
    },
  );
  assertEquals(read('{"command":"a","correlation":7}')?.correlation, 7);
});

Deno.test("A retained message is refused with its word, and clearing it is no command", () => {
  const found = read('{"command":"clear","correlation":"x"}', true);
  assert(found !== undefined && "error" in found);
  assertEquals([found.correlation, found.command, found.error.code], [
    "x",
    "clear",
    "retained",
  ]);
  assertEquals(read("", true), undefined);
});

Deno.test("What is no command is refused with what it lacks", () => {
  const form = "badRequest: Cannot read the message: ";
  for (
    const [text, reason] of [
      ["", "it must be a JSON object"],
      ["ON", "it must be a JSON object"],
      ["[]", "it must be a JSON object"],
      ["null", "it must be a JSON object"],
      ["{}", "command must be text of 1 to 64 characters"],
      ['{"command":1}', "command must be text of 1 to 64 characters"],
      ['{"command":""}', "command must be text of 1 to 64 characters"],
      ['{"command":"a","colour":1}', '"colour" is not known here'],
      [
        '{"command":"a","timeout_ms":0}',
        "timeout_ms must be a whole number from 1 to 60000",
      ],
      [
        '{"command":"a","timeout_ms":"1"}',
        "timeout_ms must be a whole number from 1 to 60000",
      ],
      [
        '{"command":"a","correlation":{}}',
        "correlation must be a number or text of at most 128 characters",
      ],
    ] as const
  ) assertEquals(refusalOf(text), form + reason);
  const latin = readSetMessage({
    payload: Uint8Array.of(0x7b, 0xff, 0x7d),
    isRetained: false,
  });
  assert(latin !== undefined && "error" in latin);
  assertStringIncludes(
    refusalOf("x".repeat(MESSAGE_BYTES_MAX + 1)),
    "tooLong",
  );
});

Deno.test("Any bytes are a command, a refusal or nothing", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 1;
  const chance = new Chance(seed);
  const sound = '{"command":"query","params":{"a":1},"correlation":"c"}';
  for (let round = 0; round < 2_000; round++) {
    const payload = new TextEncoder().encode(sound);
    for (let change = chance.integer(1, 4); change > 0; change--) {
      payload[chance.integer(0, payload.length - 1)] = chance.integer(0, 255);
    }
    const found = readSetMessage({ payload, isRetained: chance.happens(0.5) });
    assert(found === undefined || "error" in found || "body" in found);
    if (found !== undefined && "error" in found) {
      JSON.parse(resultPayload(found, { error: found.error }));
    }
  }
});

Deno.test("An answer echoes the word, and an answer that is too long says so", () => {
  const asked = { correlation: "c", command: "query" };
  assertEquals(
    resultPayload(asked, { value: [1] }),
    '{"correlation":"c","command":"query","ok":true,"value":[1]}',
  );
  const long = JSON.parse(
    resultPayload(asked, { value: "x".repeat(MESSAGE_BYTES_MAX) }),
  );
  assertEquals([long.correlation, long.ok, long.error.code], [
    "c",
    false,
    "tooLong",
  ]);
});

Deno.test("The supervisor's own errors are passed on; what cannot be read is told as such", () => {
  assertEquals(
    outcomeOf({
      status: 409,
      body: '{"error":{"code":"state","message":"m","advice":"a"}}',
    }),
    { error: { code: "state", message: "m", advice: "a" } },
  );
  assertEquals(outcomeOf({ status: 200, body: '{"value":null}' }), {
    value: null,
  });
  for (const body of ["", "{}", "null", "[]", '{"error":null}']) {
    assertEquals(outcomeOf({ status: 200, body }), {
      error: {
        code: "bug",
        message: "The supervisor answered 200 and nothing to read",
      },
    });
  }
});

/** A runner with a supervisor in the test's hands. */
class RunnerBench {
  readonly outbox = new Outbox();
  readonly calls: string[] = [];
  answer: () => Promise<SupervisorAnswer> = () =>
    Promise.resolve({ status: 200, body: '{"value":1}' });
  readonly runner = new CommandRunner({
    outbox: this.outbox,
    topics: bridgeTopics("driverspace", "homeassistant"),
    nameOf: (level) => level === "dmm" ? "dmm" : undefined,
    call: (name, command, body) => {
      this.calls.push(`${name} ${command} ${JSON.stringify(body)}`);
      return this.answer();
    },
    onChange: () => {},
  });

  take(topic: string, text: string): Promise<void> {
    const payload = new TextEncoder().encode(text);
    return this.runner.take({ topic, payload, isRetained: false });
  }

  results(): string[] {
    const results: string[] = [];
    for (;;) {
      const message = this.outbox.take(0);
      if (message === undefined) return results;
      const { ok, error } = JSON.parse(message.payload);
      results.push(`${message.topic} ${ok ? "ok" : error.code}`);
      this.outbox.done(message);
    }
  }
}

Deno.test("Every command is answered beside the topic it came on, whatever becomes of it", async () => {
  const bench = new RunnerBench();
  await bench.take("driverspace/dmm/set", '{"command":"clear"}');
  await bench.take("driverspace/dmm/set", "garbage");
  await bench.take("driverspace/none/set", '{"command":"clear"}');
  bench.answer = () => Promise.reject(new UnreachableError("deaf", "gone"));
  await bench.take("driverspace/dmm/set", '{"command":"clear"}');
  await bench.take("driverspace/dmm/other", '{"command":"clear"}');
  assertEquals(bench.results(), [
    "driverspace/dmm/result ok",
    "driverspace/dmm/result badRequest",
    "driverspace/none/result notFound",
    "driverspace/dmm/result unavailable",
  ]);
  assertEquals(bench.calls, ["dmm clear {}", "dmm clear {}"]);
  assertEquals(bench.runner.counters, { carried: 1, refused: 3 });
});

Deno.test("So many commands run at a time; the next is refused and may be tried again", async () => {
  const bench = new RunnerBench();
  const answer = Promise.withResolvers<SupervisorAnswer>();
  bench.answer = () => answer.promise;
  const running = Array.from(
    { length: COMMANDS_MAX },
    () => bench.take("driverspace/dmm/set", '{"command":"a"}'),
  );
  await bench.take("driverspace/dmm/set", '{"command":"a"}');
  assertEquals(bench.results(), ["driverspace/dmm/result busy"]);
  answer.resolve({ status: 200, body: '{"value":1}' });
  await Promise.all(running);
  await bench.take("driverspace/dmm/set", '{"command":"a"}');
  assertEquals(bench.results().length, COMMANDS_MAX + 1);
});
