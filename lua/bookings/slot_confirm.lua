-- A session's row is committed: its slot ends with it. Whether the reservation is still there does not matter.
-- KEYS 1 {interviews}:active   2 {interviews}:user
-- ARGV 1 id   2 the session's end (ms)
-- Returns { }
-- Safe to repeat by itself.
put_session(KEYS[2], ARGV[1], ARGV[2])
return {}
