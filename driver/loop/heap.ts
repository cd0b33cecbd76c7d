/**
 * A priority queue for timers: earliest first, and of two that are due at the
 * same time the one that was set first. So equal runs fire in equal order.
 *
 * @module
 */

/** What a heap orders by. */
export interface Due {
  /** When, in milliseconds of the clock in use. */
  readonly dueMs: number;
  /** Order among those due at the same time; unique in one heap. */
  readonly sequence: number;
}

/** A binary heap ordered by (due, sequence). */
export class DueHeap<Item extends Due> {
  #items: Item[] = [];

  /** Items in it. */
  get size(): number {
    return this.#items.length;
  }

  /** The earliest, left in place. */
  peek(): Item | undefined {
    return this.#items[0];
  }

  /** Adds one. The owner bounds how many. */
  push(item: Item): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent] as Item;
      if (!isBefore(item, above)) break;
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  }

  /** Takes the earliest. */
  pop(): Item | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (first === undefined || last === undefined || items.length === 0) {
      return first;
    }
    this.#sink(last);
    return first;
  }

  /** Keeps only the items for which `isKept` is true. */
  retain(isKept: (item: Item) => boolean): void {
    const kept = this.#items.filter(isKept);
    this.#items = [];
    for (const item of kept) this.push(item);
  }

  /** Puts an item at the top and lets it sink to its place. */
  #sink(item: Item): void {
    const items = this.#items;
    const size = items.length;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      const right = child + 1;
      if (
        right < size && isBefore(items[right] as Item, items[child] as Item)
      ) {
        child = right;
      }
      const below = items[child] as Item;
      if (!isBefore(below, item)) break;
      items[at] = below;
      at = child;
    }
    items[at] = item;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.sequence < b.sequence);
}
