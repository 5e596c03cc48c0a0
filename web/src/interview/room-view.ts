/** What is to be seen of a room, without LiveKit's words. */

export interface Picture {
  id: string;
  attach(element: HTMLVideoElement): void;
  detach(element: HTMLVideoElement): void;
}

export interface Person {
  identity: string;
  name: string;
  own: boolean;
  /** An agent that the hub dispatched: the interviewer. */
  agent: boolean;
  microphone: boolean;
  speaking: boolean;
  picture: Picture | null;
}

export interface RoomView {
  phase: "out" | "joining" | "in" | "reconnecting";
  /** Why we are out, in LiveKit's words; null before the first time. */
  reason: string | null;
  people: Person[];
  camera: boolean;
  microphone: boolean;
  soundBlocked: boolean;
}

export const OUT: RoomView = { phase: "out", reason: null, people: [], camera: false, microphone: false, soundBlocked: false };

/** Why we are out, in words for people. */
export function outWords(reason: string | null): string {
  switch (reason) {
    case null: return "";
    case "CLIENT_INITIATED": return "You left the room.";
    case "ROOM_DELETED": return "The room was closed.";
    case "PARTICIPANT_REMOVED": return "You were put out of the room.";
    case "DUPLICATE_IDENTITY": return "You joined from another window.";
    case "JOIN_FAILURE": return "The room could not be entered.";
    default: return "The connection to the room was lost.";
  }
}
