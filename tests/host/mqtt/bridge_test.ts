/** The bridge with exactly its rights, against Debian's broker: both come and go. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertStringIncludes,
} from "../../../driver/std.ts";
import { EVENTS_MAX } from "../../../driver/host/mqtt/outbox.ts";
import { BridgeBench } from "./bridge_bench.ts";
import { HAS_MOSQUITTO, Mosquitto, type Subscriber } from "./mosquitto.ts";

const DMM = "driverspace/dmm";
const BRIDGE = "driverspace/bridge/state";

/** A test that needs the broker. */
function brokerTest(name: string, fn: () => Promise<void>): void {
  const reason = HAS_MOSQUITTO ? "" : " [not run: there is no mosquitto]";
  Deno.test({ name: `${name}${reason}`, ignore: !HAS_MOSQUITTO, fn });
}

brokerTest(
  "Whoever comes first, every device's availability is told",
  async () => {
    await using broker = await Mosquitto.start();
    await using bench = new BridgeBench(broker);
    await using seen = await broker.follow();
    // The bridge first: nobody is known, and it waits.
    {
      await using bridge = await bench.bridge();
      await seen.untilLast(BRIDGE, "online");
      await bridge.untilLine(/supervisor.away/);
      await bench.serve();
      await seen.untilLast(`${DMM}/availability`, "online");
      await seen.untilLast("driverspace/scope/availability", "offline");
      bridge.signal("SIGTERM");
      assertEquals(await bridge.code(), 0, bridge.lines.join("\n"));
    }
    // The supervisor first; what was retained is told anew, not only when it changes.
    const before = seen.payloads(`${DMM}/availability`).length;
    await using bridge = await bench.bridge();
    await seen.untilCount(`${DMM}/availability`, before + 1);
    await seen.untilLast(`${DMM}/availability`, "online");
    await seen.untilLast("driverspace/scope/availability", "offline");
    await seen.untilLast(`${DMM}/state`, /"state":"ready".*"stale":false/);
    await bridge.untilLine(/supervisor.connected/);
    // For whoever subscribes later.
    await using late = await broker.follow();
    for (const topic of [BRIDGE, `${DMM}/availability`, `${DMM}/state`]) {
      await late.untilCount(topic, 1);
    }
  },
);

brokerTest(
  "A bridge that is killed is offline by its will, one that is stopped by its own word",
  async () => {
    await using broker = await Mosquitto.start();
    await using bench = new BridgeBench(broker);
    await bench.serve();
    await using seen = await broker.follow();
    await using killed = await bench.bridge();
    await seen.untilLast(`${DMM}/availability`, "online");
    killed.signal("SIGKILL");
    await seen.untilLast(BRIDGE, "offline");
    // Only the bridge is known to be gone: consumers look at both topics.
    assertEquals(seen.payloads(`${DMM}/availability`).at(-1), "online");
    await using stopped = await bench.bridge();
    await seen.untilLast(BRIDGE, "online");
    await seen.untilLast(`${DMM}/state`, /"stale":false/);
    stopped.signal("SIGINT");
    assertEquals(await stopped.code(), 0);
    await seen.untilLast(BRIDGE, "offline");
    await using late = await broker.follow([BRIDGE]);
    await late.untilLast(BRIDGE, "offline");
  },
);

brokerTest(
  "Events wait for a broker that is away, in order; what does not fit is counted exactly",
  async () => {
    await using broker = await Mosquitto.start();
    await using bench = new BridgeBench(broker);
    await bench.serve();
    await using bridge = await bench.bridge();
    await using early = await broker.follow([`${DMM}/event`], {
      id: "watcher",
    });
    await using states = await broker.follow([`${DMM}/state`]);
    await states.untilLast(`${DMM}/state`, /"stale":false/);
    early.signal("SIGTERM");
    await early.code();
    await broker.halt();
    await bridge.untilLine(/broker.lost/);

    const emitted = EVENTS_MAX + 300;
    for (let event = 1; event <= emitted; event++) {
      bench.emit("dmm", { volts: event });
      // Not faster than a client of the events may be.
      if (event % 50 === 0) await new Promise((done) => setTimeout(done, 50));
    }
    await broker.run();
    // The broker keeps what this one misses; so it may come when it likes.
    await using second = await broker.follow(
      [`${DMM}/event`, "driverspace/bridge/counters"],
      { id: "watcher" },
    );
    bench.emit("dmm", { volts: -1 });
    await second.untilLast(`${DMM}/event`, /"volts":-1/);
    const volts = second.payloads(`${DMM}/event`)
      .map((payload) => JSON.parse(payload).data.volts);
    const received = volts.slice(0, -1);
    await second.untilLast(
      "driverspace/bridge/counters",
      new RegExp(`"events_sent":${received.length + 1},"events_waiting":0`),
    );
    const counters = JSON.parse(
      second.payloads("driverspace/bridge/counters").at(-1) ?? "",
    );
    assertEquals(
      received.length + counters.events_dropped + counters.events_missed,
      emitted,
      JSON.stringify(counters),
    );
    // The last ones, in their order.
    const oldest = emitted - received.length + 1;
    const strangers = received.filter((value, at) => value !== oldest + at);
    const what = JSON.stringify({ counters, received: received.length });
    if (counters.events_missed === 0) {
      assertEquals(strangers.slice(0, 5), [], what);
      assertGreater(counters.events_dropped, 200, what);
    }
    await using state = await broker.follow([`${DMM}/state`]);
    await state.untilLast(`${DMM}/state`, /"volts":-1/);
  },
);

type Result = Record<string, unknown>;

function query(message: unknown, more = ""): string {
  return `{"command":"query","params":{"message":${
    JSON.stringify(message)
  }}${more}}`;
}

/** What comes back for a message, its error by its code. */
async function resultOf(
  broker: Mosquitto,
  seen: Subscriber,
  asked: { readonly device: string; readonly message: string | Uint8Array },
): Promise<Result> {
  const topic = `driverspace/${asked.device}/result`;
  const before = seen.payloads(topic).length;
  await broker.publish(`driverspace/${asked.device}/set`, asked.message);
  await seen.untilCount(topic, before + 1);
  const { error, ...result } = JSON.parse(seen.payloads(topic).at(-1) ?? "");
  return error === undefined ? result : { ...result, code: error.code };
}

brokerTest(
  "A command is carried out and its word echoed; every failure has its code",
  async () => {
    await using broker = await Mosquitto.start();
    await using bench = new BridgeBench(broker);
    await bench.serve();
    await using bridge = await bench.bridge();
    await using seen = await broker.follow();
    await seen.untilLast(`${DMM}/availability`, "online");
    const results = (device: string, message: string): Promise<Result> =>
      resultOf(broker, seen, { device, message });
    assertEquals(await results("dmm", query("*IDN?", ',"correlation":"a/1"')), {
      correlation: "a/1",
      command: "query",
      ok: true,
      value: "answer",
    });
    assertEquals(bench.commands, ['dmm query {"message":"*IDN?"}']);
    const failed = { correlation: null, command: "query", ok: false };
    assertEquals(await results("dmm", query("fail", ',"correlation":2')), {
      ...failed,
      correlation: 2,
      code: "stall",
    });
    // Typed as over HTTP: the driver sees none of these.
    assertEquals(await results("dmm", query(7)), {
      ...failed,
      code: "badRequest",
    });
    assertEquals(await results("dmm", query("x".repeat(81))), {
      ...failed,
      code: "badRequest",
    });
    assertEquals(await results("dmm", '{"command":"none"}'), {
      ...failed,
      command: "none",
      code: "notFound",
    });
    assertEquals(await results("scope", query("x")), {
      ...failed,
      code: "state",
    });
    assertEquals(await results("nobody", query("x")), {
      ...failed,
      code: "notFound",
    });
    await bridge[Symbol.asyncDispose]();
  },
);

brokerTest(
  "Garbage of every kind is answered, and the bridge lives",
  async () => {
    await using broker = await Mosquitto.start();
    await using bench = new BridgeBench(broker);
    await bench.serve();
    await using bridge = await bench.bridge();
    await using seen = await broker.follow();
    await seen.untilLast(`${DMM}/availability`, "online");
    const results = (message: string | Uint8Array): Promise<Result> =>
      resultOf(broker, seen, { device: "dmm", message });
    const random = crypto.getRandomValues(new Uint8Array(1_000));
    for (const garbage of ["x", "{", "null", '{"command":{}}', random]) {
      assertEquals(await results(garbage), {
        correlation: null,
        command: null,
        ok: false,
        code: "badRequest",
      });
    }
    assertEquals(bench.commands, []);
    await broker.publish("homeassistant/status", random);
    await broker.publish("driverspace/bridge/devices", random, ["--retain"]);
    // Longer than a packet the bridge takes: the broker keeps it to itself.
    await broker.publish(`${DMM}/set`, "x".repeat(512 * 1024));
    assertEquals((await results(query("still there")))["ok"], true);
    bridge.signal("SIGTERM");
    assertEquals(await bridge.code(), 0);
  },
);

brokerTest(
  "A retained command is refused: when it comes, and at every start",
  async () => {
    await using broker = await Mosquitto.start();
    await using bench = new BridgeBench(broker);
    await bench.serve();
    await using seen = await broker.follow();
    await using first = await bench.bridge();
    await seen.untilLast(`${DMM}/availability`, "online");
    const message = '{"command":"clear","correlation":"r"}';
    await broker.publish(`${DMM}/set`, message, ["--retain"]);
    await seen.untilLast(`${DMM}/result`, /"correlation":"r".*"retained"/);
    first.signal("SIGTERM");
    await first.code();
    await using second = await bench.bridge();
    await seen.untilCount(`${DMM}/result`, 2);
    await seen.untilLast(`${DMM}/result`, /"correlation":"r".*"retained"/);
    assertEquals(bench.commands, []);
    // Taking it away is no command and has no answer; the next is carried out.
    await broker.publish(`${DMM}/set`, "", ["--retain"]);
    await broker.publish(`${DMM}/set`, message);
    await seen.untilLast(`${DMM}/result`, /"ok":true/);
    assertEquals(bench.commands, ["dmm clear {}"]);
    assertEquals(seen.payloads(`${DMM}/result`).length, 3);
    await second[Symbol.asyncDispose]();
  },
);

brokerTest(
  "While the supervisor is away nothing can be used; when it is back all is as before",
  async () => {
    await using broker = await Mosquitto.start();
    await using bench = new BridgeBench(broker);
    await bench.serve();
    await using seen = await broker.follow();
    await using bridge = await bench.bridge();
    await seen.untilLast(`${DMM}/availability`, "online");
    bench.emit("dmm", { volts: 1 });
    await seen.untilCount(`${DMM}/event`, 1);
    await bench.end();
    await seen.untilLast(`${DMM}/availability`, "offline");
    await seen.untilLast(`${DMM}/state`, /"stale":true.*"volts":1/);
    await broker.publish(`${DMM}/set`, '{"command":"clear"}');
    await seen.untilLast(`${DMM}/result`, /"unavailable"/);
    assertEquals(seen.payloads(BRIDGE).at(-1), "online");

    await bench.serve();
    await seen.untilLast(`${DMM}/availability`, "online");
    // Another supervisor counts anew: nothing it tells is taken for old.
    for (let event = 1; event <= 3; event++) {
      bench.emit("dmm", { volts: event });
    }
    await seen.untilLast(`${DMM}/event`, /"volts":3/);
    await broker.publish(`${DMM}/set`, '{"command":"clear"}');
    await seen.untilLast(`${DMM}/result`, /"ok":true/);
    bench.crash("dmm");
    await seen.until(
      "its crash",
      () =>
        seen.payloads(`${DMM}/availability`).slice(-2).join() ===
          "offline,online",
    );
    await bridge.untilLine(/supervisor.away/);
  },
);

brokerTest(
  "Home Assistant is told again when it was born, and forgets what is gone",
  async () => {
    await using broker = await Mosquitto.start();
    await using bench = new BridgeBench(broker, ["home_assistant = true"]);
    const service = await bench.serve();
    await using seen = await broker.follow();
    await using bridge = await bench.bridge();
    const config =
      "homeassistant/sensor/driverspace_dmm_dmm/reading_volts/config";
    await seen.untilLast(
      config,
      /"unique_id":"driverspace_dmm_dmm_reading_volts"/,
    );
    await seen.untilLast(
      "homeassistant/button/driverspace_dmm_dmm/command_clear/config",
      /payload_press/,
    );
    const before = [config, `${DMM}/state`, `${DMM}/availability`, BRIDGE].map(
      (topic) => [topic, seen.payloads(topic).length] as const,
    );
    await broker.publish("homeassistant/status", "offline");
    await broker.publish("homeassistant/status", "online");
    for (const [topic, count] of before) {
      await seen.untilCount(topic, count + 1);
    }
    // What a person would press.
    const button = seen.payloads(
      "homeassistant/button/driverspace_dmm_dmm/command_clear/config",
    ).at(-1) ?? "";
    const { command_topic: topic, payload_press: press } = JSON.parse(button);
    await broker.publish(topic, press);
    await seen.untilLast(`${DMM}/result`, /"ok":true/);

    bench.configure(["scope"]);
    await service.reload();
    await seen.untilLast(config, "");
    await seen.untilLast(`${DMM}/state`, "");
    await seen.untilLast(`${DMM}/availability`, "");
    bench.configure(["dmm", "scope"]);
    await service.reload();
    await seen.untilLast(config, /unique_id/);
    // Gone while no bridge was there: the next one takes it back.
    bridge.signal("SIGTERM");
    await bridge.code();
    bench.configure(["scope"]);
    await service.reload();
    await using next = await bench.bridge();
    await seen.untilLast(config, "");
    await next.untilLine(/supervisor.connected/);
    await using late = await broker.follow(["homeassistant/#"]);
    assertEquals(
      late.lines.filter((line) => line.includes("homeassistant/sensor/")),
      [],
    );
  },
);

brokerTest(
  "Two bridges that take each other for themselves say so",
  async () => {
    await using broker = await Mosquitto.start();
    await using bench = new BridgeBench(broker);
    await bench.serve();
    await using first = await bench.bridge();
    await first.untilLine(/supervisor.connected/);
    await using second = await bench.bridge();
    await first.untilLine(/same client_id/);
    assert(second.pid !== first.pid);
    assertStringIncludes(first.lines.join("\n"), "broker.lost");
  },
);
