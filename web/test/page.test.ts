import { describe, expect, it } from "vitest";
import { HubError } from "@convoke/client";
import { explain, toFailure } from "../src/errors";
import { ago, span } from "../src/format";
import { addressOf, addressWith, isTileUrl, readPreferences, readSettings } from "../src/settings";

describe("the page's address", () => {
  it("without anything shows all roles over WebSocket", () => {
    expect(readSettings("")).toEqual({ page: "incident", holder: null, view: null, sosId: null, users: { citizen: "u1", rescuer: "r1", dispatcher: "d1" }, transports: ["polling", "websocket"], play: false });
  });

  it("names view, incident, user and transports", () => {
    expect(readSettings("?view=rescuer&sos=s-1&rescuer=r9&transports=websocket&play=1"))
      .toMatchObject({ view: "rescuer", sosId: "s-1", users: { rescuer: "r9" }, transports: ["websocket"], play: true });
  });

  it("with nonsense is taken for what it may be", () => {
    expect(readSettings("?view=admin&sos=a%20b&transports=carrier-pigeon&rescuer=")).toMatchObject({ view: null, sosId: null, transports: ["polling", "websocket"], users: { rescuer: "r1" } });
  });

  it("names the page and who holds sessions", () => {
    expect(readSettings("?page=interview&user=ana.b-1")).toMatchObject({ page: "interview", holder: "ana.b-1" });
    expect(readSettings("?page=nonsense&user=a%40b")).toMatchObject({ page: "incident", holder: null });
    expect(addressWith("?page=interview&user=ana", "user", null)).toBe("?page=interview");
    expect(addressWith("?user=ana", "user", null)).toBe("./");
  });

  it("keeps what else was said when the incident changes", () => {
    expect(addressOf("?rescuer=r9&sos=a", "b", "rescuer")).toBe("?rescuer=r9&sos=b&view=rescuer");
    expect(addressOf("", null, null)).toBe("./");
  });
});

describe("preferences", () => {
  it("that are broken are the usual ones", () => {
    expect(readPreferences({ getItem: () => "{" })).toEqual({ theme: "system", tileUrl: null });
    expect(readPreferences({ getItem: () => '{"theme":"pink","tileUrl":"javascript:{x}{y}{z}"}' })).toEqual({ theme: "system", tileUrl: null });
  });

  it("take only the address of a tile server", () => {
    expect(isTileUrl("https://tiles.example.org/{z}/{x}/{y}.png")).toBe(true);
    expect(isTileUrl("https://tiles.example.org/")).toBe(false);
  });
});

describe("failures", () => {
  it("are told in words, with the hub's where we have none", () => {
    expect(explain({ code: "SOS_CLOSED" })).toMatch(/ended/);
    expect(explain({ code: "NEW_CODE", message: "hub says" })).toBe("hub says");
  });

  it("keep their code through a throw", () => {
    expect(toFailure(new HubError("FORBIDDEN")).code).toBe("FORBIDDEN");
    expect(toFailure(new Error("x"))).toEqual({ code: "INTERNAL", message: "x" });
  });
});

describe("times", () => {
  it.each([[0, "0 s"], [59_999, "59 s"], [60_000, "1 min"], [3_600_000, "1 h"], [3_900_000, "1 h 5 min"], [200_000_000, "2 d"]])("%s ms are %s", (ms, words) => {
    expect(span(ms)).toBe(words);
  });

  it("that lie a moment ahead are just now", () => {
    expect(ago(1000, 500)).toBe("just now");
  });
});
