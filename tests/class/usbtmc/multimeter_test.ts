import { blockByte } from "../../../driver/sim/devices/multimeter_measuring.ts";
import { VirtualMultimeter } from "../../../driver/sim/devices/multimeter.ts";
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
} from "../../../driver/std.ts";
import { UsbError } from "../../../driver/errors.ts";
import { openClient } from "./bench.ts";

Deno.test("Multimeter says who it is and what it can do", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  assertEquals(await run(client.identify()), {
    manufacturer: "Driver Space",
    model: "VM65",
    serialNumber: "DS0001",
    firmware: "1.0",
  });
  const { capabilities } = client;
  assert(capabilities.trigger && capabilities.sr1 && capabilities.scpi);
});

Deno.test("Multimeter measures what is connected, with noise that a seed repeats", async () => {
  const measure = async (): Promise<readonly number[]> => {
    await using bench = await openClient(new VirtualMultimeter());
    const values: number[] = [];
    for (const query of ["MEAS:VOLT:DC?", "MEAS:VOLT?", "measure:current?"]) {
      values.push(Number(await bench.run(bench.client.query(query))));
    }
    return values;
  };
  const [first = 0, second = 0, current = 0] = await measure();
  assertAlmostEquals(first, 5, 1e-3);
  assertAlmostEquals(current, 1.25e-3, 1e-5);
  assertNotEquals(first, second);
  assertEquals(await measure(), [first, second, current]);
});

Deno.test("Multimeter understands long and short forms, optional nodes, units and several commands at once", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  const ask = (text: string): Promise<string> => run(client.query(text));
  await run(client.write("CONFigure:SCALar:VOLTage:DC 10 V,0.001"));
  assertEquals(await ask("CONF?"), '"VOLT +1.00000000E+01,+1.00000000E-05"');
  await run(client.write("sens:volt:dc:rang 1500MV;nplc 10"));
  assertEquals(
    await ask("SENS:VOLT:RANG?;NPLC?"),
    "+1.00000000E+01;+1.00000000E+01",
  );
  await run(client.write("CONF:RES 2 MOHM"));
  assertEquals(await ask(":RES:RANG?"), "+1.00000000E+07");
  await run(client.write("SAMP:COUN 3;:TRIG:SOUR BUS;COUN INF"));
  assertEquals(await ask("SAMP:COUN?;:TRIG:SOUR?;COUN?"), "3;BUS;9.9E+37");
  assertEquals(await ask("SYST:ERR?;VERS?"), '+0,"No error";1999.0');
});

Deno.test("Multimeter queues an error of the right number for each mistake", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  const cases: readonly [string, number][] = [
    ["FOO:BAR", -113],
    ["*ESE", -109],
    ["*CLS 1", -108],
    ["*ESE 300", -222],
    ["*ESE abc", -104],
    ["CONF:VOLT 1 OHM", -131],
    ["TRIG:SOUR NOWHERE", -224],
    ["SYST::ERR?", -102],
    ["SYST!ERR?", -101],
    ["VERYLONGMNEMONIC", -112],
    ['DISP:TEXT "open', -151],
    ["*TRG", -211],
    ["FETC?", -230],
    ["DATA:REM? 5", -222],
    ["TRIG:SOUR BUS;:READ?", -214],
    ["TRIG:SOUR EXT;:INIT;:INIT", -213],
  ];
  for (const [message, number] of cases) {
    await run(client.write(`*RST;*CLS;:${message}`.replace(":*", "*")));
    const errors = await run(client.readErrors());
    assertEquals(errors.map((error) => error.number), [number], message);
  }
});

Deno.test("Multimeter's error queue holds twenty and says that it overflowed", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  for (let count = 0; count < 30; count++) await run(client.write("NONSENSE"));
  const errors = await run(client.readErrors());
  assertEquals([errors.length, errors.at(-1)?.number], [20, -350]);
  assertEquals(await run(client.query("SYST:ERR:COUN?")), "0");
});

Deno.test("Multimeter drops an answer that a new message interrupts", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  await run(client.write("*IDN?"));
  assertEquals(await run(client.query("*ESE?")), "0");
  assertEquals((await run(client.readErrors()))[0]?.number, -410);
});

Deno.test("Multimeter notes a read without a query, and the client recovers", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  const error = await run(
    assertRejects(() => client.read({ timeoutMs: 100 }), UsbError),
  );
  assertEquals(error.code, "timedOut");
  assertEquals((await run(client.readErrors()))[0]?.number, -420);
});

Deno.test("Multimeter keeps the registers of IEEE 488.2", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  const ask = (text: string): Promise<string> => run(client.query(text));
  assertEquals(await ask("*ESR?"), "128", "power on");
  await run(client.write("*ESE 32;*SRE 255;NONSENSE"));
  // MSS, ESB and the error queue; the answer itself is not yet there when *STB? runs.
  assertEquals(await ask("*STB?"), String(0x40 | 0x20 | 0x04));
  assertEquals(await ask("*SRE?"), String(0xff & ~0x40));
  assertEquals(await ask("*ESR?"), "32");
  assertEquals(await ask("*ESR?"), "0");
  await run(client.write("*CLS;*OPC"));
  assertEquals(await ask("*ESR?;*OPC?;*TST?"), "1;1;0");
  await run(client.write("SAMP:COUN 7;*SAV 2;*RST"));
  assertEquals(await ask("SAMP:COUN?"), "1");
  await run(client.write("*RCL 2"));
  assertEquals(await ask("SAMP:COUN?"), "7");
});

Deno.test("Multimeter waits for bus and external triggers and counts samples", async () => {
  const meter = new VirtualMultimeter();
  await using bench = await openClient(meter);
  const { client, clock, run } = bench;
  await run(client.write("SAMP:COUN 2;:TRIG:SOUR BUS;COUN 2;:INIT"));
  assertEquals(await run(client.query("STAT:OPER:COND?")), "32");
  await run(client.trigger());
  assertEquals(await run(client.query("STAT:OPER:COND?")), "16");
  await clock.advance(100);
  await run(client.write("*TRG"));
  assertEquals((await run(client.query("FETC?"))).split(",").length, 4);
  await run(client.write("TRIG:SOUR EXT;COUN 1;:INIT"));
  meter.externalTrigger();
  assertEquals((await run(client.query("FETC?"))).split(",").length, 2);
  meter.externalTrigger();
  assertEquals((await run(client.readErrors()))[0]?.number, -211);
});

Deno.test("Multimeter gives its memory back in part, as text or as floats", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  await run(client.write("SAMP:COUN 10;:INIT;*WAI"));
  assertEquals(await run(client.query("DATA:POIN?")), "10");
  const [oldest] = (await run(client.query("FETC?"))).split(",");
  assertEquals(await run(client.query("DATA:REM? 1")), oldest ?? "");
  assertEquals((await run(client.query("R? 4"))).split(",").length, 4);
  await run(client.write("FORM REAL,64"));
  const block = await run(client.queryBlock("R?"));
  assertEquals(block.length, 5 * 8);
  assertAlmostEquals(
    new DataView(block.buffer, block.byteOffset).getFloat64(0),
    5,
    1e-3,
  );
  assertEquals(await run(client.query("DATA:POIN?")), "0");
});

Deno.test("Multimeter shows an overload as 9.9E37 and in the questionable register", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  assertMatch(await run(client.query("MEAS:VOLT? 0.1")), /^\+9\.9.*E\+37$/);
  assertEquals(await run(client.query("STAT:QUES:COND?")), "1");
  assertEquals(await run(client.query("STAT:QUES?")), "1");
  assertEquals(await run(client.query("STAT:QUES?")), "0");
});

Deno.test("Multimeter gives blocks of every length, each byte in its place", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  // Around packets of 512 less the header of 12 and the block's own, and around the chunk.
  for (const length of [0, 1, 495, 496, 497, 1007, 65_529, 65_530, 262_144]) {
    const block = await run(client.queryBlock(`DATA:BLOC? ${length}`));
    assertEquals(block.length, length);
    assert(
      block.every((byte, index) => byte === blockByte(index)),
      `${length}`,
    );
  }
});

Deno.test("Multimeter gives a block of 16 MiB", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const length = 16 * 1024 * 1024;
  const block = await bench.run(
    bench.client.queryBlock(`DATA:BLOC? ${length}`),
  );
  assertEquals(block.length, length);
  for (let index = 0; index < length; index += 4099) {
    assertEquals(block[index], blockByte(index));
  }
});

Deno.test("Multimeter refuses a message that is longer than its buffer, and goes on", async () => {
  await using bench = await openClient(new VirtualMultimeter());
  const { client, run } = bench;
  await run(client.write("*CLS;" + " ".repeat(200_000)));
  assertEquals((await run(client.readErrors()))[0]?.number, -223);
  assertEquals(await run(client.query("*OPC?")), "1");
});

Deno.test("Multimeter works at full speed and on an interface that is not 0", async () => {
  const meter = new VirtualMultimeter({ speed: "full", interfaceNumber: 3 });
  await using bench = await openClient(meter);
  const { client, run } = bench;
  assertEquals(client.pipes.interfaceNumber, 3);
  assertMatch(await run(client.query("*IDN?")), /VM65/);
  await run(client.lockout());
  assertEquals(meter.panel, "lockout");
  await run(client.goToLocal());
  assertEquals(meter.panel, "lockout", "GTL does not end lockout");
  await run(client.releaseRemote());
  assertEquals(meter.panel, "local");
  await run(client.indicatorPulse());
  assertEquals(meter.indicatorPulses, 1);
  assertEquals(await run(client.readStatusByte()) & 0x40, 0);
});
