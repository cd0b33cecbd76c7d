import { assert, assertEquals } from "../../driver/std.ts";
import { findLibrary, openLibrary } from "../../ffi/library.ts";
import { nativeBytes } from "../../ffi/memory.ts";
import { PacketTable } from "../../ffi/packet_table.ts";

/** A table over memory of the test's: what libusb writes, the test writes. */
function makeTable(packetsMax: number): {
  readonly table: PacketTable;
  readonly words: Int32Array;
  readonly close: () => void;
} {
  const library = openLibrary({ path: findLibrary() });
  const bytes = nativeBytes(packetsMax * 12);
  const table = new PacketTable(
    library,
    library.memory.pointerTo(bytes),
    packetsMax,
  );
  return {
    table,
    words: new Int32Array(bytes.buffer),
    close: () => library.close(),
  };
}

Deno.test("Packet table writes lengths and clears what the last use left", () => {
  const { table, words, close } = makeTable(2);
  words.fill(-1);
  table.write([8, 16]);
  assertEquals([...words], [8, 0, 0, 16, 0, 0]);
  close();
});

Deno.test("Packet table says where each packet's data are, and believes no length beyond what was asked for", () => {
  const { table, words, close } = makeTable(3);
  table.write([8, 16, 4]);
  words.set([8, 7, 0, 16, 99, 0, 4, -1, 4]);
  assertEquals(table.read(), [
    { status: "completed", offsetBytes: 0, actualLengthBytes: 7 },
    { status: "completed", offsetBytes: 8, actualLengthBytes: 16 },
    { status: "stall", offsetBytes: 24, actualLengthBytes: 4 },
  ]);
  close();
});

Deno.test("What a table lends it writes anew; what it gives it leaves alone", () => {
  const { table, words, close } = makeTable(3);
  table.write([8, 8]);
  words.set([8, 1, 0, 8, 2, 0]);
  const lent = table.lend();
  const given = table.read();
  const [first] = lent;
  words.set([8, 5, 0, 8, 6, 3]);
  assert(table.lend() === lent && lent[0] === first);
  assertEquals(lent.map((p) => [p.status, p.actualLengthBytes]), [
    ["completed", 5],
    ["cancelled", 6],
  ]);
  assertEquals(given.map((p) => p.actualLengthBytes), [1, 2]);
  // Other lengths are another number of packets.
  table.write([4]);
  assertEquals(table.lend(), [
    { status: "completed", offsetBytes: 0, actualLengthBytes: 0 },
  ]);
  table.write([1, 2, 3]);
  assertEquals(table.lend().length, 3);
  close();
});
