/** A value that tells its listeners when it changes. Bursts are told once. */

export class Store<T> {
  #value: T;
  #listeners = new Set<(value: T) => void>();
  #scheduled = false;

  constructor(initial: T) {
    this.#value = initial;
  }

  get value(): T {
    return this.#value;
  }

  set(next: T): void {
    if (Object.is(next, this.#value)) return;
    this.#value = next;
    this.#schedule();
  }

  update(change: (value: T) => T): void {
    this.set(change(this.#value));
  }

  /** Calls the listener now and after each change. */
  subscribe(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#value);
    return () => this.#listeners.delete(listener);
  }

  // A timer, not an animation frame: a page in the background goes on being true.
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setTimeout(() => {
      this.#scheduled = false;
      for (const listener of this.#listeners) listener(this.#value);
    }, 16);
  }
}
