/** Who is it? A name makes a user of the demo; the same name is the same user. */

import { HOLDER_NAME } from "../../settings";
import { h } from "../dom";

export function signInForm(name: string, signIn: (name: string, resume: boolean) => Promise<unknown>): HTMLFormElement {
  const who = h("input", {
    class: "input", id: "holder-name", name: "name", required: true, maxlength: 63, pattern: HOLDER_NAME.source.slice(1, -1), value: name,
    autocomplete: "off", autocapitalize: "none", spellcheck: "false", title: "Letters, digits, dots, dashes", "data-testid": "holder-name",
  });
  const resume = h("input", { type: "checkbox", id: "holder-resume", checked: true, "data-testid": "holder-resume" });
  const press = h("button", { class: "button primary large", type: "submit", text: "Sign in", "data-testid": "sign-in" });
  return h("form", {
    class: "sign-in", on: {
      submit: (event) => {
        event.preventDefault();
        if (press.disabled) return;
        press.disabled = true;
        void signIn(who.value.trim(), resume.checked).finally(() => { press.disabled = false; });
      },
    },
  },
  h("p", { class: "hint", text: "A name makes a user of this demo. The same name is the same user again, with the sessions it has had." }),
  h("label", { for: "holder-name", text: "Name" }), who,
  h("div", { class: "check" }, resume, h("label", { for: "holder-resume", text: "has uploaded a résumé" })), press);
}
