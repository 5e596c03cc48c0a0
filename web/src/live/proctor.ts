/** What the browser tells of a candidate: another tab, the end of the full screen. */

import type { Severity } from "./protocol";

export interface Sign {
  type: "tab-switch" | "fullscreen-exit";
  severity: Severity;
  message: string;
  data: object;
}

/** Watches until the returned function is called. */
export function watchSigns(onSign: (sign: Sign) => void): () => void {
  const visibility = (): void => {
    if (document.hidden) onSign({ type: "tab-switch", severity: "high", message: "The candidate has switched to another tab", data: {} });
  };
  const fullscreen = (): void => {
    if (document.fullscreenElement === null) onSign({ type: "fullscreen-exit", severity: "high", message: "The candidate has left the full screen", data: {} });
  };
  document.addEventListener("visibilitychange", visibility);
  document.addEventListener("fullscreenchange", fullscreen);
  return () => {
    document.removeEventListener("visibilitychange", visibility);
    document.removeEventListener("fullscreenchange", fullscreen);
  };
}
