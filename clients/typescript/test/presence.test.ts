import { expect, it } from "vitest";
import { membersAfter, type Member } from "../src/incidents/index.js";

const member = (userId: string, online = true): Member => ({ userId, role: "rescuer", online, lastSeen: 1, sockets: 1 });
const names = (members: Member[]): string[] => members.map(({ userId, online }) => `${userId}${online ? "" : " away"}`);

it("a list of members follows whole lists and changes", () => {
  const members = membersAfter([], { sosId: "s", count: 2, members: [member("a"), member("b")] });
  expect(names(members)).toEqual(["a", "b"]);
  expect(names(membersAfter(members, { sosId: "s", count: 2, joined: [member("b", false), member("c")], left: ["a"] }))).toEqual(["b away", "c"]);
  expect(names(membersAfter(members, { sosId: "s", count: 1, left: ["b"] }))).toEqual(["a"]);
});
