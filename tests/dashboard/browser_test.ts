/** The dashboard in a real browser, in front of a real supervisor with drivers on a virtual bus. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";
import { HAS_NOTIFY, HAS_PRELOAD } from "../cli/spawned.ts";
import { freePort } from "../free_port.ts";
import { Browser, CHROMIUM, NO_BROWSER } from "./browser.ts";
import { factOf, HARMED, OVERFLOW } from "./expressions.ts";
import { Lab, type LabOptions } from "./lab.ts";
import { type Bench, VISIT } from "./visit.ts";

const hasBus = HAS_NOTIFY || HAS_PRELOAD;
const isPossible = CHROMIUM !== undefined && hasBus;
const reason = hasBus ? NO_BROWSER : " [not run: there is no virtual bus here]";

/** A test with a lab and its page open. */
function browserTest(
  name: string,
  options: LabOptions,
  run: (bench: Bench, t: Deno.TestContext) => Promise<void>,
): void {
  Deno.test({
    name: `${name}${reason}`,
    ignore: !isPossible,
    fn: async (t): Promise<void> => {
      await using lab = await Lab.start(options);
      await using browser = await Browser.start();
      const address = await lab.address();
      const tab = await browser.open(address);
      await run({ lab, tab, browser, address }, t);
      // Whatever was tested: it asked nobody else.
      const origin = new URL(address).origin;
      const foreign = tab.requests.filter((url) =>
        new URL(url).origin !== origin
      );
      assertEquals(foreign, [], "requests to others");
    },
  });
}

browserTest(
  "The page shows devices and readings, moves, and obeys the keyboard",
  { entries: ["multimeter", "mouse", "absent"] },
  async (bench, t) => {
    for (const [name, step] of VISIT) {
      // What follows a failed step would fail for its sake.
      if (!await t.step(name, () => step(bench))) return;
    }
  },
);

browserTest(
  "A lost link is said and what is known is called stale, until it is back",
  { entries: ["multimeter"] },
  async ({ lab, tab }) => {
    await tab.untilText(".card", " V");
    await tab.evaluate(`location.hash = "#/drivers/dmm"`);
    await tab.untilText("h1", "dmm");
    await tab.untilText(".value-text", " V");
    assertEquals(await tab.text(".banner"), "");

    await lab.kill();
    await tab.untilText(".banner", "The link to the supervisor is lost");
    await tab.untilText("header", "Link lost");
    const isStale = `getComputedStyle(
      document.querySelector(".value-text"), "::before").content === '"stale"'`;
    await tab.until(isStale);
    assertEquals(
      await tab.evaluate(
        `document.querySelector("form button").getAttribute("aria-disabled")`,
      ),
      "",
    );

    await lab.serve();
    await tab.untilText("header", "Live");
    await tab.until(`document.querySelector(".banner").hidden`);
    await lab.until("dmm", "ready");
    await tab.until(`!(${isStale})`);
    await tab.untilText(".log", "starting");
  },
);

browserTest(
  "What a hostile driver says is text, whatever it says",
  { entries: ["hostile"] },
  async ({ lab, tab }) => {
    await tab.untilText(".card", "<img src=x");
    await tab.evaluate(`location.hash = "#/drivers/hostile"`);
    await tab.untilText(".values", "<img src=x");
    await tab.untilText(".log", "<img src=x");
    const names = await tab.evaluate(
      `[...document.querySelectorAll("#command option")].map((one) => one.text)`,
    );
    assertStringIncludes(names[0], "<img src=x");

    const runCommand = async (index: number): Promise<void> => {
      await tab.evaluate(`(() => {
        const select = document.querySelector("#command");
        select.selectedIndex = ${index};
        select.dispatchEvent(new Event("change"));
        const choice = document.querySelector(".field-choice select");
        if (choice) choice.selectedIndex = 1;
      })()`);
      await tab.evaluate(`document.querySelector(".command").requestSubmit()`);
    };
    await runCommand(0);
    await tab.untilText(".result pre", "</pre>");
    await runCommand(names.indexOf("refuse"));
    await tab.untilText(".result-error", "<img src=x");
    await runCommand(names.indexOf("crash"));
    await tab.untilText(".exits-panel", "Failed");
    await lab.until("hostile", "ready");
    assertEquals(await tab.evaluate(HARMED), []);
    await tab.evaluate(`location.hash = "#/"`);
    await tab.untilText(".card", "hostile");
    assertEquals(await tab.evaluate(HARMED), []);
    assertEquals(await tab.evaluate(OVERFLOW), 0);
    assertEquals(tab.complaints, [], "the policy had nothing to refuse");
  },
);

browserTest(
  "A driver in quarantine stands out, says why, and can be tried again",
  { entries: ["failing"] },
  async ({ lab, tab }) => {
    await lab.until("pump", "quarantined");
    await tab.untilText(".card", "Quarantine");
    await tab.until(`document.title.startsWith("(1) ")`);
    await tab.tabTo('a[href="#/drivers/pump"]');
    await tab.press("Enter");
    await tab.untilText(".cause", "told to fail");
    await tab.untilText(".reasons", "Failed");
    await tab.untilText(".facts", "Next attempt");
    await tab.tabTo(".driver-head button");
    await tab.press("Enter");
    await tab.untilText(".driver-head", "It tries again.");
    await tab.until(`Number(${factOf("Starts")}) > 4`);
    assertEquals(tab.complaints, []);
  },
);

const server = { port: freePort(), token: "correct-horse-battery-staple" };

browserTest(
  "A supervisor's own port asks for its token, once for each tab",
  { entries: ["absent"], server },
  async ({ browser, lab }) => {
    const url = `http://127.0.0.1:${server.port}/`;
    const tab = await browser.open(url);
    await tab.untilText("form", "Token");
    assertEquals(
      await tab.evaluate("document.activeElement.id"),
      "token",
      "one can type at once",
    );
    await tab.type("wrong-token-of-some-length");
    await tab.press("Enter");
    await tab.untilText("form .problem", "This is not the token");
    await tab.type(server.token);
    await tab.press("Enter");
    await tab.untilText(".card", "balance");
    await tab.go(url);
    await tab.untilText(".card", "balance");
    const kept = await tab.evaluate(
      `[location.href, document.cookie, localStorage.length]`,
    );
    assertEquals(kept, [url, "", 0]);
    assert(!tab.requests.some((url) => url.includes(server.token)));

    const other = await browser.open(url);
    await other.untilText("form", "Token");
    assertEquals(await other.evaluate("sessionStorage.length"), 0);

    // Another supervisor, another token: asked for, and not hidden by what is known.
    await lab.kill();
    lab.setToken("another-token-of-some-length");
    await lab.serve();
    await tab.untilText("form .problem", "This is not the token");
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    assertStringIncludes(await tab.text("main"), "Token");
    await tab.tabTo("#token");
    await tab.type("another-token-of-some-length");
    await tab.press("Enter");
    await tab.untilText(".card", "balance");
  },
);
