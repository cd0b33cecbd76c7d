/**
 * Remote and local: who may operate the instrument, program or person.
 * USB488 1.00, 4.3.2 to 4.3.4; IEEE 488.1, the RL function.
 *
 * @module
 */

import type { Capabilities } from "./capabilities.ts";
import {
  type ClassRequest,
  goToLocal,
  localLockout,
  renControl,
} from "./control_requests.ts";
import { command, type Link } from "./link.ts";

/** Front panel and remote state the host asked for. USB488 1.00, 4.3.2 to 4.3.4. */
export type RemoteState = "local" | "remote" | "lockout";

/** Asks for remote states, and again after a reset. */
export class RemoteControl {
  readonly #link: Link;
  readonly #isOffered: boolean;
  #wanted: RemoteState = "local";

  constructor(link: Link, capabilities: Capabilities) {
    this.#link = link;
    // Some devices take the requests without saying so; those the table knows.
    this.#isOffered = capabilities.remoteLocal ||
      link.quirks.remoteAtOpen === true;
  }

  /** What was asked for last. */
  get wanted(): RemoteState {
    return this.#wanted;
  }

  /** Asserts remote enable, and for `lockout` locks the front panel as well. */
  async enter(state: "remote" | "lockout"): Promise<void> {
    const { interfaceNumber } = this.#link.pipes;
    await this.#request(renControl(true, interfaceNumber));
    if (state === "lockout") {
      await this.#request(localLockout(interfaceNumber));
    }
    this.#wanted = state;
  }

  /** Gives the front panel back; `release` also ends remote enable and lockout. */
  async leave(how: "goToLocal" | "release"): Promise<void> {
    const { interfaceNumber } = this.#link.pipes;
    await this.#request(
      how === "release"
        ? renControl(false, interfaceNumber)
        : goToLocal(interfaceNumber),
    );
    this.#wanted = "local";
  }

  /** A reset loses the state: asks for it again. */
  async replay(): Promise<void> {
    if (this.#wanted !== "local") await this.enter(this.#wanted);
  }

  async #request(request: ClassRequest): Promise<void> {
    if (!this.#isOffered) {
      throw this.#link.device.error(
        "notSupported",
        "change between remote and local",
        "the device does not offer it",
      );
    }
    await command(this.#link, request);
  }
}
