import { assertEquals } from "../../driver/std.ts";
import { BusTree } from "../../ffi/linux/virtual_bus_tree.ts";
import { TemporaryRoot } from "../../ffi/linux/virtual_bus_root.ts";

const SETTINGS = "/sys/kernel/mm/transparent_hugepage";

function textOf(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

Deno.test("A client of a bus finds the machine's huge pages as any program does, and nothing else of its kernel", () => {
  using root = TemporaryRoot.create();
  new BusTree(root.path);
  for (const name of ["enabled", "hpage_pmd_size"]) {
    const path = `${SETTINGS}/${name}`;
    assertEquals(textOf(root.path + path), textOf(path), path);
  }
  const others = textOf("/sys/kernel/mm/transparent_hugepage/enabled") ===
      undefined
    ? []
    : ["kernel"];
  const shown = [...Deno.readDirSync(`${root.path}/sys`)]
    .map(({ name }) => name);
  assertEquals(shown.toSorted(), ["bus", "class", "devices", ...others]);
});
