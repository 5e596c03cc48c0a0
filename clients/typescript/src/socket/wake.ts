/** When a machine wakes up, a page is looked at again, or a network is back: the moments at which a connection is worth a look. */

const LOOK_MS = 5000;
/** A timer that is so late was not only slow. */
const SLEPT_MS = 20_000;

/** `woke`: this machine or page has slept. `back`: a network is back, or the page is shown again. The function that comes back ends it. */
export function onWake(woke: () => void, back: () => void): () => void {
  let last = Date.now();
  const timer = setInterval(() => {
    const now = Date.now();
    const slept = now - last > LOOK_MS + SLEPT_MS;
    last = now;
    if (slept) woke();
  }, LOOK_MS);
  // In Node it keeps no process alive.
  (timer as { unref?: () => void }).unref?.();
  const page = globalThis as { window?: Window; document?: Document };
  const shown = (): void => {
    if (page.document?.visibilityState === "visible") back();
  };
  page.window?.addEventListener?.("online", back);
  page.document?.addEventListener?.("visibilitychange", shown);
  return () => {
    clearInterval(timer);
    page.window?.removeEventListener?.("online", back);
    page.document?.removeEventListener?.("visibilitychange", shown);
  };
}
