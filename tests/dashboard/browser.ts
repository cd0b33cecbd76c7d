/** A headless Chromium of our own, with an empty profile, that is gone afterwards. */

import { DevTools } from "./devtools.ts";
import { Tab, type TabOptions } from "./tab.ts";

/** Names it goes by; the first that is there is taken. */
const NAMES = ["chromium", "chromium-browser", "google-chrome-stable"];

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
  "--hide-scrollbars",
  "--force-color-profile=srgb",
  "--remote-debugging-port=0",
];

/** From its start to the address it prints, on a busy machine. */
const START_TIMEOUT_MS = 60_000;
/** No test of ours takes so long; whatever hangs, the browser does not stay. */
const LIFE_MS_MAX = 600_000;
/** From asking it to end to killing it. */
const CLOSE_TIMEOUT_MS = 3_000;

/** Path of the browser; `undefined` where there is none. */
export const CHROMIUM: string | undefined = findBrowser();

/** Why tests that need it do not run; empty where they do. */
export const NO_BROWSER: string = CHROMIUM === undefined
  ? " [not run: there is no chromium here]"
  : "";

/** A browser. */
export class Browser implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #profile: string;
  readonly #life: ReturnType<typeof setTimeout>;
  #stderr: Promise<void> = Promise.resolve();
  #devtools: DevTools | undefined;

  private constructor(child: Deno.ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
    this.#life = setTimeout(() => this.#kill(), LIFE_MS_MAX);
  }

  /** Starts one. */
  static async start(): Promise<Browser> {
    const profile = await Deno.makeTempDir({ prefix: "driverspace_browser." });
    const child = new Deno.Command(CHROMIUM ?? "chromium", {
      args: [...FLAGS, `--user-data-dir=${profile}`, "about:blank"],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const browser = new Browser(child, profile);
    try {
      browser.#devtools = await DevTools.connect(await browser.#address());
      return browser;
    } catch (error) {
      await browser[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Opens a tab. */
  async open(url: string, options: TabOptions = {}): Promise<Tab> {
    if (this.#devtools === undefined) throw new Error("It did not start");
    return await Tab.open(this.#devtools, url, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#life);
    const late = setTimeout(() => this.#kill(), CLOSE_TIMEOUT_MS);
    await this.#devtools?.send("Browser.close").catch(() => {});
    if (this.#devtools === undefined) this.#kill();
    await this.#child.status;
    clearTimeout(late);
    await this.#devtools?.close();
    await this.#stderr;
    await Deno.remove(this.#profile, { recursive: true }).catch(() => {});
  }

  /** The address it prints, reading on so that it never blocks. */
  async #address(): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(
      () => reject(new Error("The browser did not start in time")),
      START_TIMEOUT_MS,
    );
    const read = async (): Promise<void> => {
      let text = "";
      const decoder = new TextDecoder();
      for await (const piece of this.#child.stderr) {
        text = (text + decoder.decode(piece, { stream: true })).slice(-16_384);
        const found = /DevTools listening on (ws:\/\/\S+)/.exec(text);
        if (found?.[1] !== undefined) resolve(found[1]);
      }
      reject(new Error(`The browser ended: ${text}`));
    };
    this.#stderr = read();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It ended already.
    }
  }
}

function findBrowser(): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  for (const name of NAMES) {
    for (const folder of folders) {
      const path = `${folder}/${name}`;
      try {
        if (Deno.statSync(path).isFile) return path;
      } catch {
        // Not here.
      }
    }
  }
  return undefined;
}
