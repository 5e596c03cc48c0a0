/** Random ids that need no secure page: browsers keep `crypto.randomUUID` from plain HTTP. */
export function randomId(length = 20): string {
  const letters = "0123456789abcdefghijklmnopqrstuvwxyz";
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => letters[byte % letters.length]).join("");
}
