import { describe, expect, it } from "vitest";
import { HubError, type Interview } from "@convoke/client";
import { elapsed, JOINING, next, type CandidateHappened, type CandidateState } from "../src/live/candidate-state";
import { ChunkSender } from "../src/live/chunks";
import { loudness, Resampler, SAMPLE_RATE, toPcm } from "../src/live/pcm";
import type { ObservationStarted, Question, RecruiterEvent } from "../src/live/protocol";
import { heard, observed, WATCHING } from "../src/live/recruiter-state";

const timestamp = "2026-01-02T03:00:00.000Z";
const ready = { sessionId: "s", template: { id: "t", title: "Backend", totalDuration: 39 }, estimatedDuration: 39, status: "ONGOING" as const };
const question = (order: number): Question => ({ questionId: `q${order}`, text: `Question ${order}?`, audioUrl: "", type: "BEHAVIORAL", order });
const after = (...happened: CandidateHappened[]): CandidateState => happened.reduce(next, JOINING);
const said = (text: string, isFinal: boolean): CandidateHappened => ({ type: "transcription", transcription: { text, isFinal, confidence: 0.9 } });

describe("a candidate", () => {
  it("waits in the lobby until the first question", () => {
    expect(after({ type: "ready", ready }).stage).toBe("lobby");
    const asked = after({ type: "ready", ready }, { type: "question", question: question(1), at: 1000 });
    expect([asked.stage, asked.startedAt]).toEqual(["question", 1000]);
    expect(elapsed(asked, 62_500)).toEqual({ seconds: 61, of: 39 * 60 });
  });
  it("comes back to the same question with what was said, and does not start again", () => {
    const back = after({ type: "ready", ready }, { type: "question", question: question(2), at: 1 }, said("I have", false), said("I have five years.", true), { type: "ready", ready }, { type: "question", question: question(2), at: 9 });
    expect([back.stage, back.said, back.saying, back.startedAt]).toEqual(["question", ["I have five years."], "", 1]);
  });
  it("begins each new question with an empty transcript", () => {
    const state = after({ type: "question", question: question(1), at: 1 }, said("Yes.", true), { type: "answered" }, { type: "question", question: question(2), at: 2 });
    expect([state.stage, state.said]).toEqual(["question", []]);
  });
  it("shows the question again when the answer was refused", () => {
    expect(after({ type: "question", question: question(1), at: 1 }, { type: "answered" }, { type: "not-answered" }).stage).toBe("question");
  });
  it("is done after the last one, whatever ends afterwards", () => {
    expect(after({ type: "question", question: question(1), at: 1 }, { type: "answered" }, { type: "complete" }, { type: "ended" }).stage).toBe("complete");
  });
});

const progress = { currentAssessment: 1, totalAssessments: 1, currentQuestion: 2, totalQuestions: 2 };
const events: RecruiterEvent[] = [
  { event: "candidate-joined", data: { candidateName: "Ada", timestamp } },
  { event: "interview-started", data: { firstQuestion: "One?", timestamp } },
  { event: "live-transcript", data: { text: "I am", isFinal: false, timestamp } },
  { event: "live-transcript", data: { text: "I am Ada.", isFinal: true, timestamp } },
  { event: "progress-update", data: { progress, score: 85, evaluation: "Strong", timestamp } },
  { event: "question-asked", data: { questionId: "q2", text: "Two?", timestamp } },
  { event: "proctor-alert", data: { type: "tab-switch", message: "Another tab", severity: "high", timestamp } },
  { event: "trust-score-update", data: { trustScore: 97, timestamp } },
  { event: "interview-interrupted", data: { reason: "node-lost", timestamp } },
];

describe("a recruiter", () => {
  it("sees the same from the start as from the events one by one", () => {
    const live = events.reduce(heard, { ...WATCHING, candidate: "Ada" });
    const started: ObservationStarted = { interview: { id: "i", candidateName: "Ada", status: "ONGOING" }, session: null, isLive: false, nextAfter: null, events: events.map((event, index) => ({ ...event, id: `${index}-0`, timestamp })) };
    expect(observed(started)).toEqual(live);
    expect(live.exchanges).toEqual([
      { questionId: "", question: "One?", said: ["I am Ada."], score: 85, evaluation: "Strong" },
      { questionId: "q2", question: "Two?", said: [], score: null, evaluation: null },
    ]);
    expect([live.trust, live.alerts.length, live.status, live.reason, live.saying]).toEqual([97, 1, "paused", "node-lost", ""]);
  });
  it("sees it live again when the candidate is back", () => {
    const back = [...events, events[0] as RecruiterEvent].reduce(heard, WATCHING);
    expect([back.status, back.reason]).toEqual(["live", null]);
  });
  it("gets the summary, or that there is no score", () => {
    const done = heard(WATCHING, { event: "interview-completed", data: { summary: { overallScore: null, recommendation: null, strengths: [], weaknesses: [] }, timestamp } });
    expect([done.status, done.summary?.overallScore]).toEqual(["completed", null]);
  });
});

describe("sound", () => {
  it("is brought to 16 kHz without a seam between pieces", () => {
    const wave = Float32Array.from({ length: 48_000 }, (_, index) => Math.sin(index / 40));
    const whole = new Resampler(48_000).push(wave);
    const pieces = new Resampler(48_000);
    const joined = [wave.slice(0, 1000), wave.slice(1000, 1001), wave.slice(1001)].flatMap((piece) => [...pieces.push(piece)]);
    expect(whole.length).toBe(SAMPLE_RATE);
    expect(joined.length).toBe(whole.length);
    expect(Math.max(...joined.map((sample, index) => Math.abs(sample - (whole[index] ?? 9))))).toBeLessThan(1e-6);
  });
  it("becomes little-endian integers, cut at full loudness", () => {
    expect([...new Uint8Array(toPcm(Float32Array.from([0, 1, -1, 2])))]).toEqual([0, 0, 0xff, 0x7f, 0x01, 0x80, 0xff, 0x7f]);
    expect(loudness(new Float32Array(10))).toBe(0);
  });
});

describe("chunks", () => {
  it("go in order, each until it is acknowledged, with one id for all tries", async () => {
    const seen: string[] = [];
    const answers = [new HubError("NETWORK"), null, new HubError("INVALID_AUDIO"), null];
    const sender = new ChunkSender({
      emitWithAck: (async (_: string, payload: object) => {
        seen.push((payload as { clientMessageId: string }).clientMessageId);
        const answer = answers.shift();
        if (answer) throw answer;
        return { ok: true };
      }) as Interview["emitWithAck"],
    }, async () => undefined);
    for (let n = 0; n < 3; n += 1) sender.push(new ArrayBuffer(2));
    await sender.drained();
    expect(sender.sent.value).toEqual({ taken: 2, waiting: 0, lost: 1 });
    expect([seen.length, new Set(seen).size, seen[0] === seen[1]]).toEqual([4, 3, true]);
  });
});
