-- The live state of an interview.
-- KEYS all of lib/session
-- Returns { 'ok', …, session, empty if there is none }
clock()
return with_session({ 'ok', -1, 0, now, 0 })
