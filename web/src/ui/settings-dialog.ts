/** Settings that this browser remembers: colours and a tile server. */

import { isTileUrl, type Preferences, type Theme } from "../settings";
import { h } from "./dom";

export function settingsDialog(preferences: Preferences, onChange: (preferences: Preferences) => void): HTMLDialogElement {
  const themes: [Theme, string][] = [["system", "Like this device"], ["light", "Light"], ["dark", "Dark"]];
  const theme = h("select", { class: "input", id: "setting-theme" }, ...themes.map(([value, text]) => h("option", { value, text, selected: value === preferences.theme })));
  const tiles = h("input", {
    class: "input", id: "setting-tiles", type: "text", inputmode: "url", spellcheck: "false", placeholder: "https://tiles.example.org/{z}/{x}/{y}.png",
    value: preferences.tileUrl ?? "", on: { input: () => tiles.setCustomValidity("") },
  });
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": "settings-title" },
    h("form", {
      method: "dialog", on: {
        submit: (event) => {
          const url = tiles.value.trim();
          if (url !== "" && !isTileUrl(url)) {
            event.preventDefault();
            tiles.setCustomValidity("An address with {z}, {x} and {y} is needed, or nothing.");
            tiles.reportValidity();
            return;
          }
          onChange({ theme: theme.value as Theme, tileUrl: url === "" ? null : url });
        },
      },
    },
    h("h2", { id: "settings-title", text: "Settings" }),
    h("label", { for: "setting-theme", text: "Colours" }), theme,
    h("label", { for: "setting-tiles", text: "Tile server (optional)" }), tiles,
    h("p", { class: "hint", text: "Without one the map is a chart in metres: grid, rings, bearing and distance." }),
    h("div", { class: "dialog-buttons" },
      h("button", { class: "button quiet", type: "button", text: "Cancel", on: { click: () => dialog.close() } }),
      h("button", { class: "button primary", type: "submit", text: "Save" }))));
  return dialog;
}
