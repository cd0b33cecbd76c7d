import { assertEquals } from "../../driver/std.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import { Journal, JOURNAL_CAPACITY } from "../../driver/loop/journal.ts";

Deno.test("Journal keeps the last events, with sizes and without bytes", async () => {
  const clock = new VirtualClock();
  const journal = new Journal(clock);
  for (let at = 0; at < JOURNAL_CAPACITY + 10; at++) {
    journal.record("report", "0x81", Uint8Array.of(1, 2, 3));
  }
  await clock.advance(5);
  journal.epoch = 1;
  journal.record("state", "stopping");
  assertEquals([journal.recorded, journal.events().length], [
    JOURNAL_CAPACITY + 11,
    JOURNAL_CAPACITY,
  ]);
  const [first] = journal.events();
  assertEquals([first?.sequence, first?.sizeBytes, first?.payload], [
    11,
    3,
    undefined,
  ]);
  assertEquals(journal.events().at(-1), {
    sequence: JOURNAL_CAPACITY + 10,
    timeMs: 5,
    epoch: 1,
    kind: "state",
    name: "stopping",
    sizeBytes: 0,
  });
});

Deno.test("Journal keeps the first bytes of a payload when asked, copied", () => {
  const journal = new Journal(new VirtualClock(), { payloadBytesMax: 2 });
  const data = Uint8Array.of(1, 2, 3);
  journal.record("report", "0x81", data);
  data.fill(0);
  assertEquals(journal.events()[0]?.payload, Uint8Array.of(1, 2));
});

Deno.test("Journal tells each event to who asks, and gives the last ones", () => {
  const told: string[] = [];
  const journal = new Journal(new VirtualClock(), {
    recorded: ({ name }) => told.push(name),
  });
  for (const name of ["a", "b", "c"]) journal.record("timer", name, 7);
  assertEquals(told, ["a", "b", "c"]);
  assertEquals(journal.last(2).map((event) => [event.name, event.sizeBytes]), [
    ["b", 7],
    ["c", 7],
  ]);
  assertEquals(journal.last(9).length, 3);
});

Deno.test("Journal's trace hash is the same for the same events only", () => {
  const hash = (...names: string[]): string => {
    const journal = new Journal(new VirtualClock());
    for (const name of names) journal.record("timer", name);
    return journal.traceHash;
  };
  assertEquals(hash("a", "b"), hash("a", "b"));
  const hashes = [
    hash(),
    hash("a"),
    hash("a", "b"),
    hash("b", "a"),
    hash("ab"),
  ];
  assertEquals(new Set(hashes).size, hashes.length);
  // Written down, so that another engine version or machine is noticed.
  assertEquals(hash("poll"), HASH_OF_POLL);
});

const HASH_OF_POLL = "36173c20055a36b4";
