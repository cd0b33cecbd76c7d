/**
 * What a host does for the log of a driver that writes it through an inherited
 * descriptor: keeps the size within bounds, flushes it when a state changed, and
 * notices when the file is taken away under the driver.
 *
 * @module
 */

import type { Clock } from "../loop/clock.ts";
import { keepRotated } from "./log_rotation.ts";

/** Keeps one driver's log. */
export class LogKeeper implements Disposable {
  readonly #path: string;
  readonly #rotation: { stop(): void };
  #rotationProblem: string | undefined;
  #begunAs: string | undefined;
  #syncing: Promise<void> | undefined;
  #isDirty = false;

  /** Begins to keep it. `maxBytes` as for `keepRotated`. */
  constructor(
    path: string,
    options: { readonly clock: Clock; readonly maxBytes?: number },
  ) {
    this.#path = path;
    this.#rotation = keepRotated(path, {
      ...options,
      onSuccess: () => this.#rotationProblem = undefined,
      onFailure: (error) =>
        this.#rotationProblem = `its log cannot be rotated: ${reasonOf(error)}`,
    });
  }

  /** Which file it is now. */
  get file(): string | undefined {
    return identityOf(this.#path);
  }

  /** A driver begins with it; `file` when that was opened before. */
  begin(file: string | undefined = this.file): void {
    this.#begunAs = file;
  }

  /** Why it is not kept as it should be, if so. */
  get problem(): string | undefined {
    if (this.#begunAs === undefined) return this.#rotationProblem;
    return this.file === this.#begunAs
      ? this.#rotationProblem
      : "its log was moved or removed: lines are lost to sight until it is started again";
  }

  /** Makes what the driver wrote survive a power cut, beside the loop. Never rejects. */
  sync(): Promise<void> {
    this.#isDirty = true;
    return this.#syncing ??= this.#syncAside();
  }

  [Symbol.dispose](): void {
    this.#rotation.stop();
  }

  async #syncAside(): Promise<void> {
    try {
      using file = await Deno.open(this.#path, { append: true });
      while (this.#isDirty) {
        this.#isDirty = false;
        await file.syncData();
      }
    } catch {
      // A disk that cannot be written is told by the driver's own counts.
    } finally {
      this.#isDirty = false;
      this.#syncing = undefined;
    }
  }
}

/** Which file a path leads to. */
function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = Deno.statSync(path);
    return `${dev} ${ino}`;
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
