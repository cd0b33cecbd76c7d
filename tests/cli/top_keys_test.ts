import { type Key, KeyReader } from "../../driver/host/cli/top_keys.ts";
import { assert, assertEquals } from "../../driver/std.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function keysOf(text: string): Key[] {
  const reader = new KeyReader();
  const keys = reader.push(bytes(text));
  return [...keys, ...reader.flush()];
}

Deno.test("Keys are read in both modes of arrow keys, with letters and controls among them", () => {
  assertEquals(keysOf("j\x1b[A\x1bOB\r\x1b[5~q"), [
    ...["j", "up", "down", "enter", "page-up", "q"],
  ]);
  assertEquals(keysOf("\x03\x1a\x0c"), ["interrupt", "suspend", "redraw"]);
});

Deno.test("A sequence is one key, however its bytes come; what it does not know is no key", () => {
  for (
    const [text, key] of [["\x1b[6~", "page-down"], ["\x1b[1;5D", ""]] as const
  ) {
    const reader = new KeyReader();
    const keys: Key[] = [];
    for (const byte of bytes(text)) {
      keys.push(...reader.push(Uint8Array.of(byte)));
    }
    assertEquals(keys, key === "" ? [] : [key]);
    assert(!reader.isPending);
  }
  assertEquals(keysOf("\x1b[<0;10;20Mq"), ["q"]);
});

Deno.test("ESC alone is the Escape key once nothing follows it", () => {
  const reader = new KeyReader();
  assertEquals(reader.push(bytes("\x1b")), []);
  assert(reader.isPending);
  assertEquals(reader.flush(), ["escape"]);
  assertEquals(reader.flush(), []);
  assertEquals(keysOf("\x1b\x1b[A"), ["escape", "up"]);
});

Deno.test("Garbage that never ends is not held for ever", () => {
  const reader = new KeyReader();
  for (let count = 0; count < 1_000; count++) {
    reader.push(bytes("\x1b[;;;;;;;;"));
  }
  reader.flush();
  assertEquals(reader.push(bytes("q")), ["q"]);
});
