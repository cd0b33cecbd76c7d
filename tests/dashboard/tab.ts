/** A tab of a browser: what it asks for and complains of is written down from the beginning. */

import { decodeBytes } from "../../driver/host/wire.ts";
import type { DevTools, Message } from "./devtools.ts";

/** How a tab looks at the world. */
export interface TabOptions {
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: "light" | "dark";
  readonly isPhone?: boolean;
  /** Default 1. */
  readonly scale?: number;
}

/** Longest wait for something to appear, on a busy machine. */
const WAIT_MS_MAX = 60_000;
/** Between two looks. */
const LOOK_MS = 100;

/** Keys that are no characters. */
const KEYS: Readonly<
  Record<string, { readonly code: number; readonly text?: string }>
> = {
  Tab: { code: 9 },
  Enter: { code: 13, text: "\r" },
  Escape: { code: 27 },
  " ": { code: 32, text: " " },
  End: { code: 35 },
  Home: { code: 36 },
  ArrowLeft: { code: 37 },
  ArrowUp: { code: 38 },
  ArrowRight: { code: 39 },
  ArrowDown: { code: 40 },
};

/** A tab. */
export class Tab {
  /** Every address it asked for. */
  readonly requests: string[] = [];
  /** Errors and warnings of its console, what nobody caught, what its policy refused. */
  readonly complaints: string[] = [];
  /** Requests that failed or were answered with an error. */
  readonly failures: string[] = [];
  readonly #devtools: DevTools;
  readonly #session: string;

  private constructor(devtools: DevTools, session: string) {
    this.#devtools = devtools;
    this.#session = session;
    devtools.listen((message) => {
      if (message.sessionId === session) this.#note(message);
    });
  }

  /** Opens an address in a new tab. */
  static async open(
    devtools: DevTools,
    url: string,
    options: TabOptions,
  ): Promise<Tab> {
    const { targetId } = await devtools.send("Target.createTarget", {
      url: "about:blank",
    });
    const { sessionId } = await devtools.send("Target.attachToTarget", {
      targetId,
      flatten: true,
    });
    const tab = new Tab(devtools, sessionId);
    for (const domain of ["Page", "Runtime", "Network", "Log"]) {
      await tab.#send(`${domain}.enable`);
    }
    await tab.resize(options);
    await tab.go(url);
    return tab;
  }

  /** Another size or colour scheme. */
  async resize(options: TabOptions): Promise<void> {
    const { width = 1280, height = 900, scale = 1, isPhone = false } = options;
    await this.#send("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: scale,
      mobile: isPhone,
    });
    const { scheme = "light" } = options;
    await this.#send("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: scheme }],
    });
  }

  /** Goes to an address. */
  async go(url: string): Promise<void> {
    const { errorText } = await this.#send("Page.navigate", { url });
    if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
  }

  /** Evaluates an expression, or the promise it is, and gives its JSON. */
  async evaluate(expression: string): Promise<Message> {
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails === undefined) return result.value;
    const { exception, text } = exceptionDetails;
    throw new Error(`${expression}: ${exception?.description ?? text}`);
  }

  /** Waits until an expression is true of the page; what it shows is in the error. */
  async until(expression: string): Promise<void> {
    const dueMs = Date.now() + WAIT_MS_MAX;
    while (
      !(await this.evaluate(`Boolean(${expression})`).catch(() => false))
    ) {
      if (Date.now() > dueMs) {
        const shown = await this.text("body").catch(String);
        throw new Error(
          `Waited in vain for ${expression}. Complaints: ${this.complaints}. Shown:\n${shown}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** What a person reads in the first element that a selector finds. */
  text(selector: string): Promise<string> {
    return this.evaluate(
      `document.querySelector(${JSON.stringify(selector)})?.innerText ?? ""`,
    );
  }

  /** Waits until an element contains a text. */
  async untilText(selector: string, text: string): Promise<void> {
    await this.until(
      `document.querySelector(${JSON.stringify(selector)})?.innerText` +
        `.includes(${JSON.stringify(text)})`,
    );
  }

  /** Presses keys one after the other. */
  async press(...keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const shift = key.startsWith("Shift+");
      const name = shift ? key.slice(6) : key;
      const { code, text } = KEYS[name] ?? { code: name.charCodeAt(0) };
      const event = {
        key: name,
        code: name === " " ? "Space" : name,
        windowsVirtualKeyCode: code,
        modifiers: shift ? 8 : 0,
      };
      await this.#send("Input.dispatchKeyEvent", {
        ...event,
        type: text === undefined ? "rawKeyDown" : "keyDown",
        ...(text === undefined ? {} : { text }),
      });
      await this.#send("Input.dispatchKeyEvent", { ...event, type: "keyUp" });
    }
  }

  /** Types a text where the focus is. */
  async type(text: string): Promise<void> {
    for (const letter of text) {
      await this.#send("Input.dispatchKeyEvent", {
        type: "keyDown",
        key: letter,
        text: letter,
      });
      await this.#send("Input.dispatchKeyEvent", {
        type: "keyUp",
        key: letter,
      });
    }
  }

  /** Presses Tab until the focus is on an element that meets a selector. */
  async tabTo(selector: string): Promise<void> {
    const isThere = `document.activeElement?.matches(${
      JSON.stringify(selector)
    })`;
    for (let presses = 0; presses < 200; presses++) {
      if (await this.evaluate(isThere)) return;
      await this.press("Tab");
    }
    throw new Error(`No number of tabs leads to ${selector}`);
  }

  /** A picture of the page as a PNG; of all of it when `isWhole`. */
  async picture(options: { readonly isWhole?: boolean } = {}): Promise<
    Uint8Array<ArrayBuffer>
  > {
    const { data } = await this.#send("Page.captureScreenshot", {
      format: "png",
      captureBeyondViewport: options.isWhole === true,
      ...(options.isWhole === true ? { clip: await this.#wholePage() } : {}),
    });
    return decodeBytes(data);
  }

  async #wholePage(): Promise<Message> {
    const { cssContentSize } = await this.#send("Page.getLayoutMetrics");
    return { ...cssContentSize, scale: 1 };
  }

  #send(method: string, params?: Record<string, unknown>): Promise<Message> {
    return this.#devtools.send(method, params, this.#session);
  }

  #note({ method, params }: Message): void {
    if (method === "Network.requestWillBeSent") {
      this.requests.push(params.request.url);
    } else if (method === "Runtime.exceptionThrown") {
      const { exception, text } = params.exceptionDetails;
      this.complaints.push(exception?.description ?? text);
    } else if (method === "Runtime.consoleAPICalled") {
      if (params.type !== "error" && params.type !== "warning") return;
      this.complaints.push(
        params.args.map((one: Message) => one.value ?? one.description)
          .join(" "),
      );
    } else if (method === "Log.entryAdded") {
      const { level, source, text, url } = params.entry;
      if (source === "network") this.failures.push(`${text} ${url}`);
      else if (level === "error" || level === "warning") {
        this.complaints.push(`${text} ${url ?? ""}`.trim());
      }
    }
  }
}
