import { encodeText } from "../../../driver/class/usbtmc/scpi_answer.ts";
import { UsbError } from "../../../driver/errors.ts";
import { Loopback } from "../../../driver/sim/devices/loopback.ts";
import { MisbehavingInstrument } from "../../../driver/sim/devices/misbehaving.ts";
import {
  BULK_IN,
  BULK_OUT,
} from "../../../driver/sim/devices/multimeter_descriptors.ts";
import { VirtualMultimeter } from "../../../driver/sim/devices/multimeter.ts";
import type { Fault } from "../../../driver/sim/faults.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertRejects,
  assertThrows,
} from "../../../driver/std.ts";
import { openClient } from "./bench.ts";
import { chanceOf } from "./seeded.ts";

const IDENTITY = "Driver Space,VM65,DS0001,1.0";

Deno.test("Client refuses a device that is no instrument", async () => {
  const error = await assertRejects(() => openClient(new Loopback()), UsbError);
  assertEquals(error.code, "notFound");
  assertMatch(error.message, /FE\/03/);
});

Deno.test("Client ends an answer at a term char and reads on after it", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  await run(client.write("*IDN?"));
  const comma = ",".charCodeAt(0);
  const first = await run(client.read({ termChar: comma }));
  assertEquals(first.data, encodeText("Driver Space,"));
  assertEquals([first.endOfMessage, first.endedByTermChar], [false, true]);
  const rest = await run(client.read());
  assertEquals(rest.data, encodeText("VM65,DS0001,1.0\n"));
  assert(rest.endOfMessage);
});

Deno.test("Client reads an answer in pieces of the size it is asked for", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  await run(client.write("*IDN?"));
  let text = "";
  for (let isOver = false; !isOver;) {
    const { data, endOfMessage } = await run(client.read({ maxBytes: 5 }));
    assert(data.length <= 5);
    text += new TextDecoder().decode(data);
    isOver = endOfMessage;
  }
  assertEquals(text, IDENTITY + "\n");
});

Deno.test("Client reads packet by packet where no short packet may come, and takes one that comes all the same", async () => {
  await using bench = await openClient(new MisbehavingInstrument(), {
    quirks: { noShortPacket: true },
  });
  const { client, clock, run } = bench;
  const before = clock.nowMs();
  // Packets of 64: every remainder, the header of 12 and the block's own included.
  for (let length = 100; length < 170; length++) {
    const block = await run(client.queryBlock(`DATA:BLOC? ${length}`));
    assertEquals(block.length, length);
  }
  assert(clock.nowMs() - before < 4_000, "no read may have timed out");
});

Deno.test("Client finds its status byte behind service requests that nobody fetched", async () => {
  let requests = 0;
  await using bench = await openClient(new VirtualMultimeter(), {
    onServiceRequest: () => void requests++,
  });
  const { client, run } = bench;
  await run(client.write("*SRE 16"));
  // More than the endpoint holds: the first READ_STATUS_BYTE finds it busy.
  for (let count = 0; count < 1_100; count++) await run(client.query("*OPC?"));
  assertEquals(await run(client.readStatusByte()), 0);
  assertGreater(requests, 1_000);
});

Deno.test("Client refuses an answer longer than it was told to take, and clears it away", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  const error = await run(
    assertRejects(() => client.query("*IDN?", { maxBytes: 5 }), UsbError),
  );
  assertEquals(error.code, "overflow");
  assertEquals(await run(client.query("SYST:ERR?")), '+0,"No error"');
});

Deno.test("Client says that an answer is no block", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  const error = await run(
    assertRejects(() => client.queryBlock("*IDN?"), UsbError),
  );
  assertEquals(error.code, "protocol");
  assertEquals(await run(client.query("*IDN?")), IDENTITY);
});

Deno.test("Client sends a message in several transfers", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  // Two transfers: longer than one chunk, within the instrument's buffer of 64 KiB it is not.
  await run(client.write("*CLS" + " ".repeat(70_000)));
  assertEquals((await run(client.readErrors()))[0]?.number, -223);
  await run(client.write("*ESE 4" + " ".repeat(60_000)));
  assertEquals(await run(client.query("*ESE?")), "4");
});

Deno.test("Client refuses messages and sizes that make no sense", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client } = bench;
  assertThrows(() => client.write(new Uint8Array()), RangeError);
  assertThrows(() => client.write("5 \u2126"), RangeError);
  for (const maxBytes of [0, -1, 1.5, 2 ** 40]) {
    assertThrows(() => client.read({ maxBytes }), RangeError);
  }
});

Deno.test("Client does one message at a time, and the status byte beside it", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  const slow = client.query(":SAMP:COUN 20;:READ?");
  const error = await run(assertRejects(() => client.write("*CLS"), UsbError));
  assertEquals(error.code, "busy");
  assertEquals(await run(client.readStatusByte()), 0);
  assertEquals((await run(slow)).split(",").length, 20);
});

Deno.test("Client gets into step before the next message when one was cancelled", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, clock, run } = bench;
  const controller = new AbortController();
  const slow = client.query(":SAMP:COUN 100;:READ?", {
    signal: controller.signal,
  });
  await clock.advance(200);
  controller.abort();
  const error = await run(assertRejects(() => slow, UsbError));
  assertEquals(error.code, "cancelled");
  assertEquals(await run(client.query("*IDN?")), IDENTITY);
});

Deno.test("Client hands on service requests and reads status bytes from a standing input", async () => {
  const requests: number[] = [];
  await using bench = await openClient(new VirtualMultimeter(), {
    notifications: "fed",
    onServiceRequest: (statusByte) => void requests.push(statusByte),
  });
  const { client, device, run } = bench;
  const pipe = client.pipes.interruptIn;
  assert(pipe !== undefined);
  const ring = device.port.openInput({
    endpoint: pipe.address,
    transfersInFlight: 2,
    sink: ({ data }) => {
      client.handleNotification(data);
      return true;
    },
    onEnd: () => {},
  });
  await run(client.write("*CLS;*ESE 1;*SRE 32;*OPC"));
  assertEquals(await run(client.readStatusByte()), 0x60);
  assertEquals(
    await run(client.readStatusByte()),
    0x20,
    "the poll withdrew it",
  );
  assertEquals(requests, [0x60]);
  assertEquals(client.ignoredNotifications, 0);
  await run(ring.stop());
});

Deno.test("Client waits in vain for a status byte that nobody feeds, and says so", async () => {
  await using bench = await openClient(new VirtualMultimeter(), {
    notifications: "fed",
  });
  const { client, clock, run } = bench;
  const error = await run(
    assertRejects(() => client.readStatusByte(), UsbError),
  );
  assertEquals(error.code, "timedOut");
  client.handleNotification(Uint8Array.of(0x82, 0));
  assertEquals(client.ignoredNotifications, 1, "it came too late");
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("Client asks for a lockout again when recovery took a reset", async () => {
  const instrument = new MisbehavingInstrument();
  await using bench = await openClient(instrument);
  const { client, run } = bench;
  await run(client.lockout());
  instrument.choose("clearPending");
  await run(client.clear());
  assertEquals([client.remoteState, instrument.panel], ["lockout", "lockout"]);
  await run(client.releaseRemote());
  assertEquals([client.remoteState, instrument.panel], ["local", "local"]);
});

Deno.test("Client reads every answer right or says what is wrong, whatever the bus does", async () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const chance = chanceOf(seed);
    await using bench = await openClient(new VirtualMultimeter());
    const { client, plugged, run } = bench;
    const { faults } = plugged.device;
    const kinds: readonly Fault[] = [
      { kind: "stall" },
      { kind: "silent" },
      { kind: "zeroLength" },
      { kind: "babble" },
      { kind: "short", lengthBytes: chance.integer(0, 30) },
      { kind: "late", delayMs: chance.integer(1, 400) },
      { kind: "status", errno: "PROTO" },
    ];
    for (const endpoint of [BULK_OUT, BULK_IN]) {
      for (const fault of kinds) {
        faults.add({ endpoint, fault, times: 0, probability: 0.02 });
      }
    }
    for (const request of [1, 2, 3, 4, 5, 6, 128]) {
      faults.add({
        request,
        times: 0,
        probability: 0.05,
        fault: { kind: "stall" },
      });
    }
    let answers = 0;
    for (let count = 0; count < 60; count++) {
      // Each has its own answer, so that a stale one shows.
      const asked = client.query(`*ESE ${count};*ESE?`, { timeoutMs: 300 });
      const answer = await run(asked.catch((error) => error));
      if (answer instanceof UsbError) continue;
      assertEquals(answer, `${count}`, `seed ${seed}`);
      answers++;
    }
    assertGreater(answers, 20, `seed ${seed}`);
    assertGreater(faults.injected, 5, `seed ${seed}`);
    faults.clear();
    // What the last fault left behind is made up for by one message at most.
    await run(client.query("*IDN?", { timeoutMs: 300 }).catch(() => {}));
    assertEquals(await run(client.query("*IDN?")), IDENTITY, `seed ${seed}`);
  }
});
