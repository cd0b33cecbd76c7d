/**
 * Where the time of our own client goes in a case: a sampling profile of the
 * runtime's own profiler, summed up by what the functions are for. A native call
 * counts where it is made.
 */

import { type Case, caseLine } from "./cases.ts";
import { run, scopedDeno } from "./peers.ts";

/** Shares of one case's samples, the largest first; together 1. */
export interface CaseProfile {
  readonly caseName: string;
  readonly parts: readonly { readonly what: string; readonly share: number }[];
}

/** What of a profile is looked at. V8's `Profiler.Profile`. */
interface RawProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const withFake = new URL("./with_fake.sh", import.meta.url).pathname;
/** Times the case is repeated, so that start and compiling are a small part. */
const REPEATS = 8;

const OTHER = "the runtime and the rest";

/** By file, and by function where one file does several things. */
const PARTS: readonly (readonly [file: string, name: string, what: string])[] =
  [
    ["event_pump.ts", "#look", "libusb's event handling: poll(2), reaping"],
    ["monotonic_clock.ts", "", "reading the clock"],
    ["transfer.ts", "submit", "libusb's submit"],
    ["transfer.ts", "", "looking whether transfers are finished"],
    ["in_flight_queue.ts", "", "looking whether transfers are finished"],
    ["packet_table.ts", "", "packets"],
    ["event_pump.ts", "", "the pump's own decisions"],
    ["pace.ts", "", "the pump's own decisions"],
    ["poll_set.ts", "", "the pump's own decisions"],
    ["transfer_ring.ts", "", "the input: accounts, and handing out"],
    ["client_cases.ts", "", "the bench's client, which checks the data"],
    ["client_support.ts", "", "the bench's client, which checks the data"],
  ];

/** By what V8 says of samples outside of functions. */
const STATES: Readonly<Record<string, string>> = {
  "(idle)": "waiting",
  "(garbage collector)": "collecting garbage",
};

/** Profiles our client on one case; what went wrong, if it did. */
export async function profileCase(
  c: Case,
  of: { readonly fake: string; readonly library: string },
): Promise<CaseProfile | string> {
  const folder = await Deno.makeTempDir({ prefix: "driverspace-profile-" });
  try {
    const flags = ["--cpu-prof", `--cpu-prof-dir=${folder}`];
    const client = scopedDeno(of.library, "client.ts", { flags });
    const lines = new Array<string>(REPEATS).fill(caseLine(c, 1));
    const work = ["input", of.library, ...lines];
    const ended = await run([withFake, of.fake, ...client, ...work]);
    if (!ended.ok) return ended.text.slice(-300);
    for await (const { name } of Deno.readDir(folder)) {
      const text = await Deno.readTextFile(`${folder}/${name}`);
      return { caseName: c.name, parts: partsOf(JSON.parse(text)) };
    }
    return "the runtime wrote no profile";
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Sums a profile up. */
export function partsOf(profile: RawProfile): CaseProfile["parts"] {
  const names = new Map(
    profile.nodes.map(({ id, callFrame }) => [id, partOf(callFrame)]),
  );
  const sums = new Map<string, number>();
  let total = 0;
  profile.samples.forEach((id, n) => {
    const what = names.get(id) ?? OTHER;
    const deltaUs = profile.timeDeltas[n] ?? 0;
    sums.set(what, (sums.get(what) ?? 0) + deltaUs);
    total += deltaUs;
  });
  return [...sums]
    .map(([what, us]) => ({ what, share: total > 0 ? us / total : 0 }))
    .sort((a, b) => b.share - a.share);
}

function partOf(
  frame: { readonly functionName: string; readonly url: string },
): string {
  const state = STATES[frame.functionName];
  if (state !== undefined) return state;
  const file = frame.url.slice(frame.url.lastIndexOf("/") + 1);
  const found = PARTS.find(([ofFile, name]) =>
    file === ofFile && (name === "" || name === frame.functionName)
  );
  return found?.[2] ?? OTHER;
}

/** Less than this is not worth a line. */
const SHARE_MIN = 0.02;

/** A table for the page; empty without profiles. */
export function profileTable(profiles: readonly CaseProfile[]): string {
  const whats = [
    ...new Set(
      profiles.flatMap(({ parts }) =>
        parts.filter(({ share }) => share >= SHARE_MIN).map(({ what }) => what)
      ),
    ),
  ];
  if (whats.length === 0) return "";
  const head = `| Part of the time | ${
    profiles.map(({ caseName }) => caseName).join(" | ")
  } |\n| --- | ${profiles.map(() => "---:").join(" | ")} |`;
  const rows = whats.map((what) =>
    `| ${what} | ${
      profiles.map(({ parts }) => {
        const part = parts.find((one) => one.what === what);
        return `${((part?.share ?? 0) * 100).toFixed(0)} %`;
      }).join(" | ")
    } |`
  );
  return [head, ...rows].join("\n");
}
