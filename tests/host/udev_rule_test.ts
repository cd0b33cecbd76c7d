/** The udev rule, held against the grammar of udev(7) and, where it is there, udev itself. */

import { udevRule } from "../../driver/host/udev.ts";
import { assert, assertEquals } from "../../driver/std.ts";

const RULES = [
  udevRule({ vendorId: 0x0957, productId: 0x1755 }),
  udevRule({ vendorId: 0x0001, productId: 0xabcd, group: "plugdev" }),
  udevRule({ vendorId: 0xffff, productId: 0, seat: true, name: "dmm" }),
];

/** Keys that match and keys that assign, with their operators. udev(7), "Rules files". */
const MATCH = /^(SUBSYSTEM|ENV\{[A-Z]+\}|ATTR\{[A-Za-z]+\})(==|!=)"[^"]*"$/;
const ASSIGN = /^(MODE="0[0-7]{3}"|GROUP="[a-z_][a-z0-9_-]*"|TAG\+="[a-z]+")$/;

Deno.test("Each line of a rule matches first, then assigns, in udev's own words", () => {
  for (const { text } of RULES) {
    assert(text.endsWith("\n"));
    for (const line of text.trimEnd().split("\n")) {
      if (line.startsWith("#")) continue;
      const words = line.split(", ");
      const kinds = words.map((word) => {
        if (MATCH.test(word)) return "m";
        return ASSIGN.test(word) ? "a" : `? ${word}`;
      });
      assert(/^m+a+$/.test(kinds.join("")), `${line}: ${kinds}`);
    }
  }
});

Deno.test("A rule is for one product of one vendor, never for the world, and read before the seat's", () => {
  for (const { text, path } of RULES) {
    const lines = text.split("\n").filter((line) => /^[A-Z]/.test(line));
    for (const line of lines) {
      const isProduct = line.includes("ATTR{idVendor}==") &&
          line.includes("ATTR{idProduct}==") ||
        /ENV\{PRODUCT\}=="[0-9a-f]+\/[0-9a-f]+\/\*"/.test(line);
      assert(isProduct, line);
    }
    assert(text.includes('MODE="0660"'));
    const file = path.split("/").at(-1) ?? "";
    assert(file < "73-seat-late.rules", file);
  }
});

Deno.test("The device's leaving is matched by its PRODUCT, in hexadecimal without zeros in front", () => {
  assertEquals(
    RULES.map(({ text }) => /PRODUCT\}=="([^"]*)"/.exec(text)?.[1]),
    ["957/1755/*", "1/abcd/*", "ffff/0/*"],
  );
});

async function udevadm(
  ...args: string[]
): Promise<{ readonly code: number; readonly text: string }> {
  try {
    const command = new Deno.Command("udevadm", { args });
    const { code, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
  } catch {
    return { code: 127, text: "" };
  }
}

/** A group that is not there would be a mistake of this machine. */
function withKnownGroup(text: string): string {
  return text.replace(/GROUP="[a-z]+"/, 'GROUP="root"');
}

/** What `udevadm test` says of rules, with a `/run` of their own; nothing of the machine is touched. */
async function complaints(rules: string): Promise<string[] | undefined> {
  const script = [
    "mount -t tmpfs none /run",
    "mkdir -p /run/udev/rules.d",
    'printf %s "$0" > /run/udev/rules.d/70-ours.rules',
    "udevadm test /sys/class/net/lo 2>&1",
  ].join(" && ");
  try {
    const { stdout } = await new Deno.Command("unshare", {
      args: ["--mount", "sh", "-c", script, rules],
      stderr: "null",
    }).output();
    const lines = new TextDecoder().decode(stdout).split("\n")
      .filter((line) => line.includes("70-ours.rules"));
    const [first, ...more] = lines;
    return first?.startsWith("Reading rules") === true ? more : undefined;
  } catch {
    return undefined;
  }
}

// It came with systemd 254.
const canVerify = (await udevadm("verify", "--help")).code === 0;
const noVerify = canVerify ? "" : " [not run: this udevadm has no verify]";
const canTest = await complaints("# nothing\n") !== undefined;
const noTest = canTest ? "" : " [not run: needs root, unshare and udevadm]";

Deno.test({
  name: `udev verifies the rule${noVerify}`,
  ignore: !canVerify,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      for (const [at, { text }] of RULES.entries()) {
        const path = `${folder}/70-test-${at}.rules`;
        await Deno.writeTextFile(path, withKnownGroup(text));
        const { code, text: said } = await udevadm("verify", path);
        assertEquals(code, 0, said);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: `udev reads the rule without a complaint${noTest}`,
  ignore: !canTest,
  fn: async () => {
    for (const { text } of RULES) {
      assertEquals(await complaints(withKnownGroup(text)), []);
    }
    const broken = 'SUBSYSTEM=="usb", MODE=="0660"\n';
    assertEquals((await complaints(broken))?.length, 1, "It does complain");
  },
});
