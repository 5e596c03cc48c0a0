/** The room before LiveKit's client is there: loads it with the first join, and is the same to those who look. */

import { HubError } from "@convoke/client";
import { toFailure, type HubFailure } from "../errors";
import { Store } from "../state/store";
import type { Joins } from "./holder";
import type { RoomPass } from "./protocol";
import { OUT, type RoomView } from "./room-view";
import type { LiveKitRoom } from "./room";

export class LazyRoom implements Joins {
  readonly view = new Store<RoomView>(OUT);
  #loading: Promise<LiveKitRoom> | null = null;
  /** What a user switched off stays off when it joins again. */
  readonly #wanted = { microphone: true, camera: true };

  constructor(private readonly onPutOut: () => void, private readonly onFailure: (failure: HubFailure) => void) {}

  async join(pass: RoomPass): Promise<void> {
    this.view.update((view) => ({ ...view, phase: "joining" }));
    await (await this.#load()).join(pass);
    // Whoever has no camera, or does not allow it, is in the room all the same.
    void this.#useDevices();
  }

  async leave(): Promise<void> {
    await (await this.#loading)?.leave();
  }

  async switch(device: "camera" | "microphone", on: boolean): Promise<void> {
    this.#wanted[device] = on;
    await (await this.#load()).switch(device, on);
  }

  async #useDevices(): Promise<void> {
    const room = await this.#load();
    for (const device of ["microphone", "camera"] as const) {
      if (this.#wanted[device]) await room.switch(device, true).catch((thrown: unknown) => this.onFailure({ ...toFailure(thrown), event: device }));
    }
  }

  async playSound(): Promise<void> {
    await (await this.#loading)?.playSound();
  }

  #load(): Promise<LiveKitRoom> {
    this.#loading ??= import("./room").then(
      ({ LiveKitRoom }) => {
        const room = new LiveKitRoom(this.onPutOut);
        room.view.subscribe((view) => this.view.set(view));
        return room;
      },
      () => {
        // The next join tries again.
        this.#loading = null;
        this.view.set({ ...OUT, reason: "JOIN_FAILURE" });
        throw new HubError("NETWORK");
      },
    );
    return this.#loading;
  }
}
