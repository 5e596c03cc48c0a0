/** The conversation of an incident. */

import type { Session } from "../hub/session";
import { explain } from "../errors";
import { roleLabel, shortClock } from "../format";
import type { Incident } from "../state/incident";
import type { ChatMessage } from "../state/messages";
import { isFinal } from "../state/status";
import { h, icon, keyed, setText } from "./dom";

export class ChatView {
  readonly element: HTMLElement;
  readonly #scroll: HTMLElement;
  readonly #list = h("ol", { class: "messages", "data-testid": "messages", role: "log", "aria-label": "Messages" });
  readonly #older: HTMLButtonElement;
  readonly #empty = h("p", { class: "empty", text: "No messages yet." });
  readonly #input: HTMLInputElement;
  readonly #send: HTMLButtonElement;
  readonly #session: Session;
  #newest: string | undefined;

  constructor(session: Session) {
    this.#session = session;
    this.#older = h("button", { class: "button quiet small older", type: "button", text: "Load older messages", on: { click: () => void this.#loadOlder() } });
    this.#scroll = h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Conversation" }, this.#older, this.#empty, this.#list);
    this.#input = h("input", { class: "input grow", maxlength: 4000, placeholder: "Write a message", "aria-label": "Message", autocomplete: "off", enterkeyhint: "send", "data-testid": "chat-input" });
    this.#send = h("button", { class: "button primary icon-only", type: "submit", "aria-label": "Send", "data-testid": "chat-send" }, icon("send"));
    this.element = h("div", { class: "chat" }, this.#scroll,
      h("form", { class: "inline-form composer", on: { submit: (event) => { event.preventDefault(); this.#submit(); } } }, this.#input, this.#send));
  }

  show(incident: Incident | null): void {
    const messages = incident?.messages ?? [];
    const { scrollHeight, scrollTop, clientHeight } = this.#scroll;
    const atEnd = scrollHeight - scrollTop - clientHeight < 40;
    const newest = messages[messages.length - 1];
    const newestKey = newest && keyOf(newest);
    const grew = newestKey !== this.#newest;
    this.#newest = newestKey;
    keyed(this.#list, messages, keyOf, (message) => this.#make(message), (element, message) => this.#update(element, message));
    this.#older.hidden = typeof incident?.olderBefore !== "string";
    this.#empty.hidden = messages.length > 0;
    const ended = incident?.sos != null && isFinal(incident.sos.status);
    const closed = incident === null || ended;
    this.#input.disabled = this.#send.disabled = closed;
    this.#input.placeholder = ended ? "The incident has ended" : "Write a message";
    if (atEnd || (grew && newest?.userId === this.#session.userId)) this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  async #loadOlder(): Promise<void> {
    const before = this.#scroll.scrollHeight - this.#scroll.scrollTop;
    await this.#session.loadOlder();
    // What was being read stays where it was.
    setTimeout(() => { this.#scroll.scrollTop = this.#scroll.scrollHeight - before; }, 40);
  }

  #submit(): void {
    const text = this.#input.value.trim();
    if (text === "") return;
    this.#input.value = "";
    void this.#session.send(text);
  }

  #make(message: ChatMessage): HTMLElement {
    const own = message.userId === this.#session.userId;
    return h("li", { class: own ? "message own" : "message", "data-role": message.role },
      own ? null : h("span", { class: "message-who", text: message.role === "system" ? "System" : `${message.userId} · ${roleLabel(message.role)}` }),
      h("span", { class: "message-text", text: message.text }),
      h("span", { class: "message-meta" }, h("time", {}), h("span", { class: "message-state" }),
        h("button", { class: "link-button", type: "button", text: "Send again", hidden: true, on: { click: () => this.#again(message) } })));
  }

  #again(message: ChatMessage): void {
    if (message.clientMessageId) void this.#session.resend(message.clientMessageId, message.text);
  }

  #update(element: HTMLElement, message: ChatMessage): void {
    element.dataset["delivery"] = message.delivery;
    const [time, state, again] = [element.querySelector("time"), element.querySelector(".message-state"), element.querySelector("button")];
    if (time) setText(time, shortClock(message.timestamp));
    const offline = !this.#session.connection.connected;
    if (state) {
      setText(state, message.delivery === "sending" ? (offline ? "waits for the connection" : "sending…")
        : message.delivery === "failed" ? `not sent: ${explain({ code: message.code ?? "INTERNAL" })}` : "");
    }
    if (again) again.hidden = message.delivery !== "failed";
  }
}

/** An optimistic message and its confirmed self are one. */
function keyOf(message: ChatMessage): string {
  return message.clientMessageId ? `${message.userId} ${message.clientMessageId}` : message.messageId;
}
