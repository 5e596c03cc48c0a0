//! What this feature measures. A label never holds an id of a user, a socket or a scope.

crate::metrics_table! {
    VENDOR_CALLS: describe_counter = "convoke_vendor_calls_total", "Calls of the vendors of interviews (speech, ai, voice, storage), by outcome: ok, or why there is no answer";
    SPEECH_STREAMS: describe_gauge = "convoke_speech_streams", "Open streams to the speech vendor";
    SESSIONS_EXPIRED: describe_counter = "convoke_interviews_expired_total", "Sessions of interviews whose 24 hours were over";
    AUDIO_MILLISECONDS: describe_counter = "convoke_interviews_audio_milliseconds_total", "Audio that was taken from candidates, in milliseconds";
}
