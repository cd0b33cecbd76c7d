/**
 * A queue of fixed capacity that refuses when full. Its storage is allocated
 * once; nothing grows.
 *
 * @module
 */

/** First in, first out, in fixed storage. */
export class RingBuffer<Item> {
  /** How many items it holds at most. */
  readonly capacity: number;
  readonly #items: (Item | undefined)[];
  #head = 0;
  #length = 0;

  /** @throws {RangeError} When the capacity is not a positive integer. */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(
        `Cannot use ${capacity} as a capacity: it must be a positive integer`,
      );
    }
    this.capacity = capacity;
    this.#items = new Array<Item | undefined>(capacity).fill(undefined);
  }

  /** Items in it. */
  get length(): number {
    return this.#length;
  }

  /** Adds an item at the end; `false`, and nothing done, when it is full. */
  push(item: Item): boolean {
    if (this.#length === this.capacity) return false;
    this.#items[this.#index(this.#length)] = item;
    this.#length++;
    return true;
  }

  /** Adds an item at the end, and gives the oldest when it had to make way. */
  pushOver(item: Item): Item | undefined {
    const oldest = this.#length === this.capacity ? this.shift() : undefined;
    this.push(item);
    return oldest;
  }

  /** Takes the oldest item. */
  shift(): Item | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = this.#index(1);
    this.#length--;
    return item;
  }

  /** The item at a place, counted from the oldest; `undefined` beyond the end. */
  at(place: number): Item | undefined {
    return place >= 0 && place < this.#length
      ? this.#items[this.#index(place)]
      : undefined;
  }

  /** Takes the item at a place out; the later ones move up. */
  removeAt(place: number): Item | undefined {
    if (place < 0 || place >= this.#length) return undefined;
    const item = this.#items[this.#index(place)];
    for (let at = place; at < this.#length - 1; at++) {
      this.#items[this.#index(at)] = this.#items[this.#index(at + 1)];
    }
    this.#length--;
    this.#items[this.#index(this.#length)] = undefined;
    return item;
  }

  /** The items, oldest first. */
  toArray(): Item[] {
    const items: Item[] = [];
    for (let place = 0; place < this.#length; place++) {
      items.push(this.#items[this.#index(place)] as Item);
    }
    return items;
  }

  #index(place: number): number {
    const index = this.#head + place;
    return index < this.capacity ? index : index - this.capacity;
  }
}
