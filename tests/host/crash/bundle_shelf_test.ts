import { BundleShelf } from "../../../driver/host/crash/bundle_shelf.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
} from "../../../driver/std.ts";
import { Folder } from "../../cli/spawned.ts";

const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

function bundle(
  n: number,
  instance = "dmm",
): Parameters<BundleShelf["keep"]>[0] {
  const atMs = AT_MS + n * 1_000;
  return { instance, exitClass: "hang", pid: 4711, atMs, text: `{"n":${n}}` };
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("A bundle is a file of its own that nobody else may read", async () => {
  using folder = new Folder();
  const shelf = new BundleShelf(`${folder.path}/bundles`);
  const path = await shelf.keep(bundle(0));
  assertEquals(
    path,
    `${folder.path}/bundles/dmm/20260102T030405.678Z-hang-4711.json`,
  );
  assertEquals(Deno.readTextFileSync(path), '{"n":0}');
  const modeOf = (at: string): number => (Deno.statSync(at).mode ?? 0) & 0o777;
  assertEquals([modeOf(path), modeOf(`${folder.path}/bundles/dmm`)], [
    0o600,
    0o700,
  ]);
});

Deno.test("The last ten of each driver are kept, the others untouched", async () => {
  using folder = new Folder();
  const shelf = new BundleShelf(folder.path);
  await shelf.keep(bundle(0, "heater"));
  const own = `${folder.path}/dmm`;
  Deno.mkdirSync(own);
  Deno.writeTextFileSync(`${own}/notes.txt`, "mine");
  Deno.writeTextFileSync(`${own}/20200101T000000.000Z-hang-1.json.part`, "");
  for (let n = 0; n < 13; n++) await shelf.keep(bundle(n));
  const kept = names(own);
  assertEquals(kept.length, 11, "ten, and what is none of ours");
  assert(kept.includes("notes.txt"));
  assertEquals(kept[0], "20260102T030408.678Z-hang-4711.json");
  assertEquals(names(`${folder.path}/heater`).length, 1);
});

Deno.test("The newest stays, whatever a clock that was set back calls it", async () => {
  using folder = new Folder();
  const shelf = new BundleShelf(folder.path, { keep: 2 });
  for (const n of [5, 6, -1_000]) await shelf.keep(bundle(n));
  const kept = names(`${folder.path}/dmm`);
  assertEquals(kept.length, 2);
  assertMatch(kept[0] ?? "", /^20260102T024725/);
});

Deno.test("A disk that refuses leaves the older ones, and nothing half written", async () => {
  using folder = new Folder();
  const shelf = new BundleShelf(folder.path, { keep: 1 });
  await shelf.keep(bundle(0));
  const full = new BundleShelf(folder.path, {
    keep: 1,
    write: () => Promise.reject(new Error("No space left on device")),
  });
  await assertRejects(() => full.keep(bundle(1)), Error, "No space left");
  assertEquals(names(`${folder.path}/dmm`).length, 1);
});

Deno.test("A folder that cannot be made, or is a file, is told", async () => {
  using folder = new Folder();
  Deno.writeTextFileSync(`${folder.path}/file`, "");
  const shelf = new BundleShelf(`${folder.path}/file`);
  await assertRejects(() => shelf.keep(bundle(0)), Error);
});

Deno.test(
  "A file system without room keeps what was there, and has no part of the new one",
  {
    ignore: !await canMount(),
  },
  async () => {
    using folder = new Folder();
    const shelfUrl = new URL(
      "../../../driver/host/crash/bundle_shelf.ts",
      import.meta.url,
    );
    const source = `import { BundleShelf } from "${shelfUrl}";
    const shelf = new BundleShelf("${folder.path}");
    const keep = (atMs, length) => shelf.keep({
      instance: "dmm", exitClass: "hang", pid: 1, atMs, text: "x".repeat(length),
    }).then(() => "kept", (error) => error.message);
    console.log(await keep(0, 1000));
    console.log(await keep(1, 1000000));
    console.log([...Deno.readDirSync("${folder.path}/dmm")].map(({ name }) => name).join());`;
    const program = `data:application/javascript,${encodeURIComponent(source)}`;
    const { stdout, stderr } = await inMounts([
      `mount -t tmpfs -o size=64k none '${folder.path}'`,
      `'${Deno.execPath()}' run --quiet --allow-all '${program}'`,
    ]);
    const [first, second = "", left] = stdout.trim().split("\n");
    assertEquals([first, left], [
      "kept",
      "19700101T000000.000Z-hang-1.json",
    ], stderr);
    assertMatch(second, /No space left|os error 28/);
  },
);

/** Runs commands where mounts are our own. */
async function inMounts(
  commands: readonly string[],
): Promise<{ success: boolean; stdout: string; stderr: string }> {
  const output = await new Deno.Command("unshare", {
    args: ["--map-root-user", "--mount", "sh", "-ec", commands.join("\n")],
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return {
    success: output.success,
    stdout: decode(output.stdout),
    stderr: decode(output.stderr),
  };
}

async function canMount(): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  try {
    return (await inMounts(["mount -t tmpfs none /mnt"])).success;
  } catch {
    return false;
  }
}
