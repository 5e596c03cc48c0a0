// What the users of the former backend call it with, as it stands in their code, but for the types.
import { supabase } from "./supabase-client.mjs";

const API_URL = process.env.NEXT_PUBLIC_API_URL || "http://localhost:4000";

async function getAuthHeaders() {
  const {
    data: { session },
  } = await supabase.auth.getSession();

  if (!session?.access_token) {
    throw new Error("Not authenticated");
  }

  return {
    Authorization: `Bearer ${session.access_token}`,
    "Content-Type": "application/json",
  };
}

export const interviewApi = {
  // Start new session (returns session + LiveKit token atomically)
  async startSession() {
    const headers = await getAuthHeaders();
    const response = await fetch(`${API_URL}/api/interviews/start`, {
      method: "POST",
      headers,
    });

    const data = await response.json();

    if (!response.ok) {
      throw data;
    }

    // Returns: { success: true, session: {...}, livekit: {...} }
    return data;
  },

  // Get session status
  async getSessionStatus(sessionId) {
    const headers = await getAuthHeaders();
    const response = await fetch(
      `${API_URL}/api/interviews/${sessionId}/status`,
      {
        method: "GET",
        headers,
      }
    );

    const data = await response.json();

    if (!response.ok) {
      throw data;
    }

    return data;
  },

  // End session
  async endSession(sessionId) {
    const headers = await getAuthHeaders();
    const response = await fetch(`${API_URL}/api/interviews/${sessionId}/end`, {
      method: "POST",
      headers,
    });

    const data = await response.json();

    if (!response.ok) {
      throw data;
    }

    return data;
  },

  // Check eligibility
  async checkEligibility() {
    const headers = await getAuthHeaders();
    const response = await fetch(`${API_URL}/api/interviews/eligibility`, {
      method: "GET",
      headers,
    });

    const data = await response.json();

    if (!response.ok) {
      throw data;
    }

    return data;
  },

  // Get LiveKit token (for interview room reconnection/refresh only)
  // Note: For starting new interviews, use startSession() instead
  // sessionId is required for all token requests
  async getLiveKitToken(roomName, sessionId) {
    const headers = await getAuthHeaders();
    const response = await fetch(`${API_URL}/api/livekit/token`, {
      method: "POST",
      headers,
      body: JSON.stringify({ roomName, sessionId }),
    });

    const data = await response.json();

    if (!response.ok) {
      throw data;
    }

    return data;
  },
};
