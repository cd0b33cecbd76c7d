import { FrameSender } from "../../driver/host/frame_sender.ts";
import type { DriverFrame } from "../../driver/host/wire.ts";
import { assert, assertEquals } from "../../driver/std.ts";

/** A pipe that takes so many bytes now, and the rest when it is let. */
class Pipe {
  text = "";
  room = Infinity;
  isBroken = false;
  readonly #decoder = new TextDecoder();
  #letGo: (() => void)[] = [];

  readonly write = async (bytes: Uint8Array): Promise<void> => {
    await new Promise<void>((resolve) => this.#letGo.push(resolve));
    this.text += this.#decoder.decode(bytes);
  };

  readonly now = (bytes: Uint8Array): number => {
    if (this.isBroken) throw new Error("Broken pipe");
    const taken = Math.min(this.room, bytes.length);
    this.room -= taken;
    this.text += this.#decoder.decode(bytes.subarray(0, taken));
    return taken;
  };

  letGo(): void {
    for (const resolve of this.#letGo.splice(0)) resolve();
  }

  get lines(): number[] {
    return this.text.trimEnd().split("\n").filter(Boolean)
      .map((line) => JSON.parse(line)["sequence"] ?? -1);
  }
}

function event(sequence: number): DriverFrame {
  return { type: "event", sequence, event: "e", data: {} };
}

const JOURNAL: DriverFrame = { type: "journal", lines: "[]" };

Deno.test("A frame sent now is out before the next line of code, with all before it", () => {
  const pipe = new Pipe();
  const sender = new FrameSender(pipe.write);
  sender.writeNow = pipe.now;
  assert(sender.send(event(1)));
  assert(sender.sendNow(JOURNAL));
  assertEquals(pipe.lines, [1, -1]);
});

Deno.test("Prompt frames of one step are one write, at its end", async () => {
  const pipe = new Pipe();
  let writes = 0;
  const sender = new FrameSender(pipe.write);
  sender.writeNow = (bytes) => {
    writes++;
    return pipe.now(bytes);
  };
  for (let n = 1; n <= 3; n++) sender.send(event(n));
  assertEquals(pipe.text, "");
  await sender.flushed();
  assertEquals([pipe.lines, writes], [[1, 2, 3], 1]);
});

Deno.test("What a full pipe does not take now follows in order, torn nowhere", async () => {
  const pipe = new Pipe();
  const sender = new FrameSender(pipe.write);
  sender.writeNow = pipe.now;
  pipe.room = 20;
  sender.sendNow(event(1));
  pipe.room = Infinity;
  // A write is under way: nothing may overtake it.
  sender.sendNow(event(2));
  assertEquals(pipe.text.length, 20);
  const flushed = sender.flushed();
  for (let n = 0; n < 4; n++) {
    pipe.letGo();
    await Promise.resolve();
    await Promise.resolve();
  }
  await flushed;
  assertEquals(pipe.lines, [1, 2]);
});

Deno.test("When the pipe took what was in its way, the next frame is out before the next line of code again", async () => {
  const pipe = new Pipe();
  const sender = new FrameSender(pipe.write);
  sender.writeNow = pipe.now;
  pipe.room = 0;
  sender.sendNow(event(1));
  sender.sendNow(event(2));
  pipe.room = Infinity;
  pipe.letGo();
  await sender.flushed();
  // Nothing lets go of another write: these are prompt.
  sender.sendNow(event(3));
  assertEquals(pipe.lines, [1, 2, 3]);
});

Deno.test("A pipe that broke takes nothing, and is no error of who sends", async () => {
  const pipe = new Pipe();
  const sender = new FrameSender(pipe.write);
  sender.writeNow = pipe.now;
  pipe.isBroken = true;
  sender.sendNow(JOURNAL);
  assertEquals([sender.isBroken, sender.send(event(1)), sender.dropped], [
    true,
    false,
    1,
  ]);
  await sender.flushed();
});

Deno.test("A journal makes way before what must not be lost", () => {
  const pipe = new Pipe();
  const sender = new FrameSender(pipe.write);
  pipe.room = 0;
  sender.writeNow = pipe.now;
  const lines = "x".repeat(512 * 1024);
  const taken = [1, 2, 3].map(() => sender.sendNow({ type: "journal", lines }));
  assertEquals(taken, [true, true, false]);
  assert(sender.send({ type: "result", id: 1, value: lines }));
});
