/** The log on a disk that is really full, and on one that is really read-only. */

import type { LogCounters } from "../../driver/host/log.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";

const FIXTURE = new URL("./log_full_disk_fixture.ts", import.meta.url).pathname;

/** A disk of 64 KiB in a mount namespace of its own, with a read-only one in it. */
const SCRIPT = `
set -eu
mount -t tmpfs -o size=64k none "$1"
mkdir "$1/read_only"
mount -t tmpfs -o size=64k,ro none "$1/read_only"
exec "$2" run --quiet --allow-all "$3" "$1"
`;

interface Told {
  readonly whileFull: LogCounters;
  readonly after: LogCounters;
  readonly refusal: string;
  readonly text: string;
}

function unshare(...args: string[]): Promise<Deno.CommandOutput> {
  return new Deno.Command("unshare", {
    args: ["--map-root-user", "--mount", ...args],
  }).output();
}

async function isPossible(): Promise<boolean> {
  try {
    return (await unshare("true")).success;
  } catch {
    return false;
  }
}

const isHere = await isPossible();
const reason = isHere ? "" : " [not run: no mount namespaces here]";

Deno.test({
  name:
    `A full disk loses lines by their level, counted exactly, and tears none; a read-only one is said${reason}`,
  ignore: !isHere,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const { success, stdout, stderr } = await unshare(
        ...["sh", "-c", SCRIPT, "sh", folder, Deno.execPath(), FIXTURE],
      );
      assert(success, new TextDecoder().decode(stderr));
      check(JSON.parse(new TextDecoder().decode(stdout)));
    } finally {
      await Deno.remove(folder);
    }
  },
});

function check({ whileFull, after, refusal, text }: Told): void {
  assert(whileFull.sinkFailures > 0, "The disk was full");
  assertEquals(whileFull.queued, 50);
  const { dropped } = after;
  assert(dropped.info > 0, "Lines were lost");
  assertEquals(dropped.error, 0, "and no error among them");
  assertEquals(after.queued, 0);
  const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  const numbers = lines.map(({ seq }) => seq);
  assertEquals(numbers.at(0), 1);
  let missing = 0;
  for (const [at, seq] of numbers.entries()) {
    missing += seq - (numbers[at - 1] ?? 0) - 1;
  }
  assertEquals(missing, dropped.info, "A gap for each line that was lost");
  const told = lines.filter(({ event }) => event === "log.dropped")
    .reduce((sum, { info }) => sum + info, 0);
  assertEquals(told, dropped.info);
  assertEquals(lines.at(-1).event, "end");
  assert(lines.some(({ event }) => event === "log.recovered"));
  assertStringIncludes(refusal, "the file system is read-only");
}
