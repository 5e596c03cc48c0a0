/** A list of functions that are told something. */
export class Listeners<T> {
  readonly #all = new Set<(value: T) => void>();

  /** Adds one; the function that comes back removes it. */
  add(listener: (value: T) => void): () => void {
    this.#all.add(listener);
    return () => void this.#all.delete(listener);
  }

  tell(value: T): void {
    for (const listener of [...this.#all]) listener(value);
  }
}
