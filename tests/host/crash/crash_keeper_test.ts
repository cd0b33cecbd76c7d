import { BundleShelf } from "../../../driver/host/crash/bundle_shelf.ts";
import {
  CrashKeeper,
  type CrashKeeperOptions,
  hashOfManifest,
  type KeptBundle,
} from "../../../driver/host/crash/crash_keeper.ts";
import type { DriverProcessEnd } from "../../../driver/host/driver_process.ts";
import {
  EXIT_SENTENCES,
  type ExitClass,
} from "../../../driver/host/exit_class.ts";
import { manifestOf } from "../../../driver/host/manifest.ts";
import { VirtualClock } from "../../../driver/loop/clock.ts";
import { encodeEvent } from "../../../driver/loop/recording.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
} from "../../../driver/std.ts";
import { METER_DRIVER } from "../../cli/fake_parts.ts";
import { CRASHED, reportEvent } from "./parts.ts";

const MANIFEST = manifestOf(METER_DRIVER);

/** A keeper whose disk is in the test's hands. */
class Bench {
  readonly texts: string[] = [];
  readonly keeper: CrashKeeper;
  #disk: () => Promise<void> = () => Promise.resolve();

  constructor(options: Partial<CrashKeeperOptions> = {}) {
    // Nothing is read back: what is on this shelf was never written.
    const folder = Deno.makeTempDirSync();
    this.keeper = new CrashKeeper({
      shelf: new BundleShelf(folder, {
        write: async (_path, text) => {
          await this.#disk();
          this.texts.push(text);
        },
      }),
      clock: new VirtualClock(),
      versions: {},
      system: {},
      ...options,
    });
    this.dispose = () => Deno.removeSync(folder, { recursive: true });
  }

  readonly dispose: () => void;

  set disk(disk: () => Promise<void>) {
    this.#disk = disk;
  }

  end(end: Partial<DriverProcessEnd> = {}): Promise<KeptBundle> | undefined {
    return this.keeper.ended({ ...CRASHED, ...end }, () => ({
      facts: { instance: "dmm", manifest: MANIFEST, options: {} },
      device: undefined,
      states: [],
      log: { lines: [], dropped: 0 },
    }));
  }
}

Deno.test("Every failure has its bundle, an end in order has none", async () => {
  const bench = new Bench();
  const without: ExitClass[] = [];
  for (const exitClass of Object.keys(EXIT_SENTENCES) as ExitClass[]) {
    const kept = bench.end({ exitClass });
    if (kept === undefined) without.push(exitClass);
    else assert("path" in await kept);
  }
  assertEquals(without, [
    "clean",
    "device-gone",
    "config",
    "permission",
    "killed",
  ]);
  bench.dispose();
});

Deno.test("A process's journal is in its own bundle only", async () => {
  const bench = new Bench();
  const say = (sequence: number): void => {
    bench.keeper.take({
      type: "hello",
      wire: 1,
      driver: "usbtmc",
      instance: "dmm",
      pid: sequence,
      versions: {},
    });
    bench.keeper.take({
      type: "journal",
      lines: encodeEvent(reportEvent(sequence)),
    });
  };
  say(1);
  await bench.end();
  say(2);
  await bench.end();
  await bench.end();
  const sequences = bench.texts.map((text) =>
    JSON.parse(text)["journal"].map(([sequence]: [number]) => sequence)
  );
  assertEquals(sequences, [[1], [2], []]);
  bench.dispose();
});

Deno.test("A disk that refuses is told, and the next failure tries again", async () => {
  const bench = new Bench();
  bench.disk = () => Promise.reject(new Error("No space left on device"));
  assertEquals(await bench.end(), { problem: "No space left on device" });
  bench.disk = () => Promise.resolve();
  assert("path" in (await bench.end() ?? {}));
  bench.dispose();
});

Deno.test("A disk that hangs holds few bundles, in order, and the rest is told", async () => {
  const bench = new Bench();
  const { promise, resolve } = Promise.withResolvers<void>();
  bench.disk = () => promise;
  const kept = Array.from({ length: 6 }, () => bench.end());
  assertEquals(await kept[5], {
    problem: "earlier ones still wait for the disk",
  });
  resolve();
  await bench.keeper.settled();
  const paths = await Promise.all(kept.slice(0, 4));
  assert(paths.every((bundle) => bundle !== undefined && "path" in bundle));
  assert("path" in (await bench.end() ?? {}));
  bench.dispose();
});

Deno.test("A manifest's hash is its data's, whatever their order", async () => {
  const hash = await hashOfManifest(MANIFEST);
  assertMatch(hash, /^[0-9a-f]{64}$/);
  const turned = Object.fromEntries(Object.entries(MANIFEST).reverse());
  assertEquals(await hashOfManifest(turned as typeof MANIFEST), hash);
  assertNotEquals(
    await hashOfManifest({ ...MANIFEST, description: "Another" }),
    hash,
  );
});
