/**
 * Memory as usbfs sees it: the budget of transfers in flight, and the client's
 * addresses, which may be bad.
 *
 * @module
 */

import { ERRNO } from "./errno.ts";
import { failed } from "./usbfs_claims.ts";
import type { Answer, ClientMemory } from "./usbfs_contract.ts";

/** Memory of transfers in flight, shared by every open file of a bus. */
export class UsbfsMemory {
  readonly #limitBytes: number;
  #usedBytes = 0;

  /** `limitBytes`: as `usbfs_memory_mb`; 0 = unlimited. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Charged now. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Whether so much can be charged. */
  hasRoom(lengthBytes: number): boolean {
    return this.#limitBytes === 0 ||
      this.#usedBytes + lengthBytes <= this.#limitBytes;
  }

  /** Charges; `false` when the budget is used up. */
  take(lengthBytes: number): boolean {
    if (!this.hasRoom(lengthBytes)) return false;
    this.#usedBytes += lengthBytes;
    return true;
  }

  /** Gives back. */
  give(lengthBytes: number): void {
    this.#usedBytes -= lengthBytes;
  }
}

/** The client's memory could not be read: EFAULT, as the kernel answers. */
class ClientFault extends Error {
  override readonly name = "ClientFault";
}

/** The client's memory, whose failures are told from bugs of ours. */
export function checkedMemory(memory: ClientMemory): ClientMemory {
  return {
    peek: (address, lengthBytes) =>
      memory.peek(address, lengthBytes).catch((cause) => {
        throw new ClientFault("The client's memory cannot be read", { cause });
      }),
    poke: (address, data) => memory.poke(address, data),
  };
}

/** For `catch`: a fault gives `undefined`, a bug goes on. */
export function faultToUndefined(error: unknown): undefined {
  if (!(error instanceof ClientFault)) throw error;
}

/** For `catch`: a fault gives EFAULT, a bug goes on. */
export function faultAnswer(error: unknown): Answer {
  if (error instanceof ClientFault) return failed(ERRNO.FAULT);
  throw error;
}
