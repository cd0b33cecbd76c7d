import { assert, assertEquals, assertThrows } from "../../driver/std.ts";
import {
  removeStaleRoots,
  TemporaryRoot,
} from "../../ffi/linux/virtual_bus_root.ts";

/** A folder of our own, so that tests that run at the same time do not meet. */
function scratch(): { readonly path: string } & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "roots." });
  return {
    path,
    [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }),
  };
}

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path) !== undefined;
  } catch {
    return false;
  }
}

Deno.test("A temporary root goes with all it contains, and closing twice is a no-op", () => {
  const root = TemporaryRoot.create();
  Deno.mkdirSync(`${root.path}/sys/bus`, { recursive: true });
  root.close();
  root.close();
  assert(!exists(root.path));
});

Deno.test("A temporary root is for its user only", () => {
  using root = TemporaryRoot.create();
  assertEquals((Deno.statSync(root.path).mode ?? 0) & 0o077, 0);
});

Deno.test("A root whose owner was killed is removed when the next bus starts", async () => {
  using place = scratch();
  const module = new URL(
    "../../ffi/linux/virtual_bus_root.ts",
    import.meta.url,
  );
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `
      const { TemporaryRoot } = await import("${module}");
      console.log(TemporaryRoot.create().path);
      Deno.kill(Deno.pid, "SIGKILL");`,
    ],
    env: { TMPDIR: place.path, NO_COLOR: "1" },
    stdout: "piped",
  });
  const { stdout } = await child.output();
  const path = new TextDecoder().decode(stdout).trim();
  assert(exists(`${path}/lock`), path);
  assertEquals(removeStaleRoots(place.path), 1);
  assert(!exists(path));
});

Deno.test("A root whose owner lives stays, and so do strangers", () => {
  using root = TemporaryRoot.create();
  using place = scratch();
  const [directory] = [root.path.slice(0, root.path.lastIndexOf("/"))];
  removeStaleRoots(directory);
  assert(exists(root.path));
  Deno.mkdirSync(`${place.path}/vbus.young`);
  Deno.mkdirSync(`${place.path}/other`);
  assertEquals(removeStaleRoots(place.path), 0);
});

Deno.test("A root without a lock is stale when it is old", () => {
  using place = scratch();
  const path = `${place.path}/vbus.old`;
  Deno.mkdirSync(path);
  const longAgo = new Date(Date.now() - 2 * 3_600_000);
  Deno.utimeSync(path, longAgo, longAgo);
  assertEquals(removeStaleRoots(place.path), 1);
});

Deno.test("Roots of a directory that is not there are an error", () => {
  assertThrows(
    () => removeStaleRoots("/nonexistent"),
    Deno.errors.NotFound,
  );
});
