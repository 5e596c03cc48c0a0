/** Interview sessions on the screen: one user, its session, and the room. */

import { SessionApi } from "../../interview/api";
import { HolderSession } from "../../interview/holder";
import { LazyRoom } from "../../interview/lazy-room";
import { h, icon, setText } from "../dom";
import { Toasts } from "../toasts";
import { BookingView } from "./booking";
import { RoomView } from "./room";

export interface InterviewPageOptions {
  /** The user that the address names: it is signed in at once, and taken back to its session. */
  user: string | null;
  /** Keeps in the address who is signed in. */
  onUser: (name: string | null) => void;
}

export class InterviewPage {
  readonly element: HTMLElement;
  readonly #holder: HolderSession;
  readonly #room: LazyRoom;
  readonly #booking: BookingView;
  readonly #roomView: RoomView;
  readonly #who = h("span", { class: "panel-user", "data-testid": "holder" });
  readonly #out: HTMLButtonElement;
  readonly #toasts = new Toasts();

  constructor({ user, onUser }: InterviewPageOptions) {
    this.#room = new LazyRoom(() => void this.#holder.putOut(), (failure) => this.#holder.fail(failure));
    this.#holder = new HolderSession(new SessionApi(), this.#room);
    const signIn = async (name: string, resume: boolean | null): Promise<void> => {
      if (await this.#holder.signIn(name, resume)) onUser(name);
    };
    this.#booking = new BookingView(this.#holder, user ?? "ana", signIn);
    this.#roomView = new RoomView(this.#room, this.#holder);
    this.#out = h("button", {
      class: "button quiet small", type: "button", text: "Sign out", "data-testid": "sign-out",
      on: { click: () => { onUser(null); void this.#holder.signOut(); } },
    });
    this.element = h("main", { class: "interview", "data-role": "interview", "data-testid": "interview" },
      h("section", { class: "interview-card", "aria-label": "Interview session" },
        h("header", { class: "panel-head" },
          h("span", { class: "badge-role" }, icon("camera")),
          h("div", { class: "panel-title" }, h("h2", { text: "Interview session" }), this.#who), this.#out),
        this.#roomView.element, this.#booking.element, this.#toasts.element));

    this.#holder.stay.subscribe(() => this.#show());
    this.#room.view.subscribe(() => this.#show());
    this.#holder.failure.subscribe((last) => { if (last) this.#toasts.show(last.failure); });
    if (user !== null) void signIn(user, null);
  }

  /** Once a second. */
  tick(): void {
    this.#show();
    void this.#holder.tick(!document.hidden);
  }

  #show(): void {
    const { holder } = this.#holder.stay.value;
    const view = this.#room.view.value;
    setText(this.#who, holder?.email ?? "nobody is signed in");
    this.#who.dataset["user"] = holder?.userId ?? "";
    this.#out.hidden = holder === null;
    this.#booking.show(view);
    this.#roomView.show(view, this.#holder.phase);
  }
}
