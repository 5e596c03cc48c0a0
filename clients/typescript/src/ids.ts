/** Random ids that need no secure page (browsers keep `crypto.randomUUID` from plain HTTP), and no `crypto` at all: they are no secrets. */
export function randomId(length = 20): string {
  const letters = "0123456789abcdefghijklmnopqrstuvwxyz";
  const bytes = new Uint8Array(length).map(() => Math.random() * 256);
  globalThis.crypto?.getRandomValues(bytes);
  return Array.from(bytes, (byte) => letters[byte % letters.length]).join("");
}
